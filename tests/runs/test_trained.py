"""Whether a recipe was trained already."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.recipe import Recipe, read_recipe
from workbench.recipe.registries import TECHNIQUES
from workbench.runs.find.trained import TrainedRuns, identity, like
from workbench.runs.store.directory import create_run
from workbench.runs.store.status import Status, write_status

TEXT = "name = 'mine'\n[model]\nname = 'cnn'\n[techniques.sgd]\n[techniques.cutmix]\nenabled = false\n"


@pytest.fixture
def recipe() -> Recipe:
    return read_recipe(TEXT)


def finished(runs: Path, recipe: Recipe, accuracy: float | None, state: str = "finished") -> str:
    run = create_run(runs, recipe)
    write_status(run, Status(state, test_accuracy=accuracy))
    return run.name


def test_a_finished_run_of_the_same_is_found(tmp_path: Path, recipe: Recipe) -> None:
    train = recipe.train.model_copy(update={"threads": 2})
    name = finished(tmp_path, recipe.model_copy(update={"train": train}), 0.931)
    finished(tmp_path, recipe, None, state="failed")
    finished(tmp_path, recipe.model_copy(update={"seed": 1}), 0.5)
    runs = TrainedRuns(tmp_path)
    (found,) = like(recipe, runs.read())
    assert found.run == name and found.accuracy == 0.931 and found.run.endswith(found.digits)
    assert runs.read()[-1] is found or found in runs.read()

    four = recipe.model_copy(update={"train": recipe.train.model_copy(update={"threads": 4})})
    assert like(four, runs.read()) == []


def test_names_claims_and_what_is_off_are_no_part_of_the_identity(recipe: Recipe) -> None:
    same = read_recipe(
        "name = 'other'\nabout = 'x'\n[model]\nname = 'cnn'\n[techniques.sgd]\n[expect]\nparameters = 3\n"
        "[checks.fit]\nenabled = false\n"
    )
    assert identity(same) == identity(recipe)
    assert identity(recipe.with_technique(TECHNIQUES["cutmix"]())) != identity(recipe)
    assert identity(recipe.with_technique(TECHNIQUES["sgd"](momentum=0.8))) != identity(recipe)


def test_a_run_that_cannot_be_read_is_none(tmp_path: Path, recipe: Recipe) -> None:
    name = finished(tmp_path, recipe, 0.9)
    for text in ("[", "train = 3\n", "[train]\ntechniques = 3\n", ""):
        (tmp_path / name / "recipe.toml").write_text(text)
        assert like(recipe, TrainedRuns(tmp_path).read()) == []
