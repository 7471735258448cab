from __future__ import annotations

from pathlib import Path

import pytest

from tests.runs.helpers import SMALL, bare_run
from workbench import paths
from workbench.recipe import RecipeError, read_recipe_file
from workbench.runs.find.resolve import resolve_recipe


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_RUNS", raising=False)
    monkeypatch.delenv("WORKBENCH_DATA", raising=False)
    return tmp_path


def test_options_win_over_variables_over_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths.runs_root() == Path("runs")
    assert paths.data_root().name == "data" and "workbench" in str(paths.data_root())
    monkeypatch.setenv("WORKBENCH_RUNS", "~/r")
    monkeypatch.setenv("WORKBENCH_DATA", str(tmp_path / "d"))
    assert paths.runs_root() == Path.home() / "r"
    assert paths.data_root() == tmp_path / "d"
    assert paths.runs_root(Path("a")) == Path("a")
    assert paths.data_root(Path("b")) == Path("b")


def test_the_packaged_recipes_are_found_from_anywhere() -> None:
    assert {"digits", "resnet20", "v0", "v6"} <= set(paths.known_recipes())
    assert read_recipe_file(resolve_recipe("digits")).name == "digits"


def test_names_are_sorted_as_people_count(tmp_path: Path) -> None:
    assert sorted(["v10", "v2", "a", "v1b", "v"], key=paths.natural) == ["a", "v", "v1b", "v2", "v10"]


def test_a_saved_recipe_hides_a_packaged_one(tmp_path: Path) -> None:
    saved = tmp_path / "recipes" / "v0.toml"
    saved.parent.mkdir()
    saved.write_text(SMALL)
    assert resolve_recipe("v0").resolve() == saved
    assert paths.known_recipes()["v0"].resolve() == saved
    assert [place.kind for place in paths.recipe_folders()] == ["saved", "packaged"]


def test_in_a_checkout_nothing_is_listed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(paths.packaged_recipes().parent)
    assert [place.kind for place in paths.recipe_folders()] == ["packaged"]


def test_paths_and_runs_resolve(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SMALL)
    run = bare_run(tmp_path / "runs")
    for text, expected in (
        ("mine.toml", file),
        (str(file), file),
        (run.name, run.recipe_file),
        ("20261120", run.recipe_file),
        ("last", run.recipe_file),
        (f"runs/{run.name}", run.recipe_file),
        (f"runs/{run.name}/recipe.toml", run.recipe_file),
    ):
        assert resolve_recipe(text).resolve() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("digit", "no recipe 'digit'; did you mean 'digits'?"),
        ("zzz", "no recipe 'zzz'; workbench recipes lists them"),
        ("mine.toml", "mine.toml: there is no such file"),
        ("./no/mine", "./no/mine: there is no such file"),
        ("./", "./: is a folder without a recipe.toml"),
        ("/dev/null", "/dev/null: cannot be read: it is a device, not a file; save the recipe in one and name that"),
        ("small", "no recipe 'small'"),  # a part of a run's name is no recipe
        ("20270101", "no run '20270101'"),
        ("", "no recipe ''"),
    ],
)
def test_what_is_not_found_is_said_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    bare_run(tmp_path / "runs")
    with pytest.raises(RecipeError) as caught:
        resolve_recipe(text)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)
