from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.runs.helpers import bare_run, small_recipe
from workbench.recipe import RecipeError, plugins
from workbench.recipe.registries import TECHNIQUES
from workbench.runs.errors import RunError
from workbench.runs.store.directory import RunDirectory, create_run
from workbench.runs.store.environment import environment, git_state, note_resume
from workbench.storage.json_text import dumps


def test_a_new_run_holds_recipe_and_environment(tmp_path: Path) -> None:
    run = create_run(tmp_path / "deep" / "runs", small_recipe(), ["workbench", "run", "small"])
    assert re.fullmatch(r"\d{8}-\d{6}-small-[0-9a-f]{4}", run.name)
    assert run.recipe() == small_recipe()
    assert run.recipe_name == "small"
    assert abs(run.created - time.time()) < 5
    assert run.exists() and not run.started()
    found = json.loads(run.env_file.read_text())
    assert found["argv"] == ["workbench", "run", "small"]
    assert found["versions"]["torch"] and found["versions"]["workbench"]
    assert found["host"] and found["cpu"] and found["cores"] >= 1


def test_two_runs_never_share_a_directory(tmp_path: Path) -> None:
    assert len({create_run(tmp_path, small_recipe()).path for _ in range(5)}) == 5


def test_a_recipe_may_be_called_like_a_date(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "20261120-142501-v2-a-b-3f9c")
    assert run.recipe_name == "v2-a-b"
    assert RunDirectory(tmp_path / "renamed").recipe_name == "renamed"
    assert RunDirectory(tmp_path / "99999999-999999-x-0000").created == 0


def test_unwritable_places_are_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(RunError, match="--runs") as caught:
            create_run(root, small_recipe())
        assert "\n" not in str(caught.value) and str(root) in str(caught.value)


PLUGIN = '''
from typing import ClassVar
from workbench.techniques.base import Technique

class Mine(Technique):
    """Mine."""
    name = "mine_for_runs"
    group = "loss"
'''


def test_plugins_travel_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TECHNIQUES, "_specs", {spec.name: spec for spec in TECHNIQUES})
    monkeypatch.setattr(plugins, "_loaded", {})
    (tmp_path / "unused.py").write_text("")
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN)
    plugin = plugins.load_plugin(file)
    plugins.load_plugin(tmp_path / "unused.py")
    run = create_run(tmp_path / "runs", small_recipe().with_technique(TECHNIQUES["mine_for_runs"]()))
    assert run.recipe().plugins == ("mine.py",)
    assert [path.name for path in run.plugins.iterdir()] == ["mine.py"]
    assert (run.plugins / "mine.py").read_text() == PLUGIN
    assert json.loads(run.env_file.read_text())["plugins"][0]["sha256"] == plugin.sha256


def test_a_broken_recipe_is_an_error_of_the_recipe(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    run.recipe_file.write_text("seed = -1")
    with pytest.raises(RecipeError, match="seed"):
        run.recipe()


def test_git_state_names_commit_changes_and_diff(tmp_path: Path) -> None:
    import subprocess

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    assert git_state(tmp_path) is None
    git("init")
    before = git_state(tmp_path)
    assert before is not None and before["commit"] is None
    (tmp_path / "a").write_text("one\n")
    git("add", "a")
    git("commit", "-m", "first")
    clean = git_state(tmp_path)
    assert clean is not None and len(clean["commit"]) == 40 and not clean["dirty"]
    (tmp_path / "a").write_text("two\n" * 100_000)
    dirty = git_state(tmp_path)
    assert dirty is not None and dirty["dirty"] and "+two" in dirty["diff"]
    assert dirty["diff_cut"] and len(dirty["diff"]) == 200_000


def test_resuming_is_written_below_the_start(tmp_path: Path) -> None:
    file = tmp_path / "env.json"
    for broken in ("", "[]", "{"):
        file.write_text(broken)
        note_resume(file, ["a"])
        note_resume(file, ["b"])
        assert [part["argv"] for part in json.loads(file.read_text())["resumed"]] == [["a"], ["b"]]


def test_the_environment_survives_a_deleted_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert environment(["x"])["git"] is None


def test_json_has_no_nan() -> None:
    assert dumps({"a": (float("nan"), 1.5, True), "b": Path("x"), "c": float("inf")}) == (
        '{"a": [null, 1.5, true], "b": "x", "c": null}'
    )
