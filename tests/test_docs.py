"""The pages for who works on the project say what is so."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import pages
from tests.waiting import GIVE_UP

ROOT = pages.ROOT


def test_the_page_of_techniques_and_hooks_is_what_the_classes_say() -> None:
    assert pages.TECHNIQUES_PAGE.read_text(encoding="utf-8") == pages.techniques_page(), (
        "write it anew: uv run python -m tests.pages"
    )


def test_the_map_names_every_file_as_it_says_of_itself() -> None:
    assert pages.ARCHITECTURE_PAGE.read_text(encoding="utf-8") == pages.architecture_page(), (
        "write it anew: uv run python -m tests.pages"
    )
    for path in (ROOT / "workbench").rglob("*.py"):
        assert path.name == "__init__.py" or pages._first_line(path), f"{path} does not say what it is for"


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md", "README.md"])
def test_the_places_that_a_page_names_are_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8").partition(pages.FILES)[0]
    places = set(re.findall(r"`((?:[\w.]+/)+(?:[\w.]+)?)`", text)) - {"workbench/techniques/invert.py"}  # to be written
    ours = {each.name for root in (ROOT, ROOT / "workbench") for each in root.iterdir()}
    named = [place for place in sorted(places) if place.partition("/")[0] in ours]
    assert named
    for place in named:
        assert (ROOT / place).exists() or (ROOT / "workbench" / place).exists(), place


def test_every_folder_stands_in_the_readmes_table() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for folder in (ROOT / "workbench").iterdir():
        if folder.is_dir() and (folder / "__init__.py").exists():
            assert f"`workbench/{folder.name}`" in text, folder
    for folder in ("recipes", "tests", "snapshots", "docs"):
        assert f"`{folder}`" in text, folder


def test_the_readme_names_every_technique_and_check_and_no_other() -> None:
    from workbench.recipe.registries import CHECKS, TECHNIQUES

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for title, specs in (("## Techniques", TECHNIQUES), ("## Checks", CHECKS)):
        rows = [line for line in text.partition(title)[2].partition("\n## ")[0].splitlines() if line.startswith("| ")]
        named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
        ours = [spec.name for spec in specs if spec.__module__.startswith("workbench.")]  # not those of other tests
        assert sorted(named) == sorted(ours), title


def test_what_contributing_shows_is_a_technique_that_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.recipe import read_recipe
    from workbench.recipe.registries import TECHNIQUES

    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)[0]
    monkeypatch.setattr(TECHNIQUES, "_specs", {spec.name: spec for spec in TECHNIQUES})
    exec(compile(code, str(tmp_path / "invert.py"), "exec"), {"__name__": "invert"})
    assert read_recipe("[techniques.invert]\nprobability = 0.25\n[techniques.sgd]\n").on("invert")


def test_what_the_readme_shows_of_own_parts_trains(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Your own parts")[2].partition("\n## ")[0]
    (tmp_path / "own.py").write_text("\n\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)))
    (recipe,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "own.toml").write_text(recipe)
    command = [sys.executable, "-m", "workbench", "run", "own.toml", "--plugin", "own.py", "--device", "cpu", "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=GIVE_UP)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["classes"] == ["lying", "upright"]
    assert events[-1]["kind"] == "finished" and events[-1]["test_accuracy"] > 0.95
