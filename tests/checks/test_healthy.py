"""Ten packaged recipes raise nothing, before, during and after a run: on the embedded digits, to take seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.conftest import before, digits, feeding, said, small_digits, whole_run, wrong
from workbench.engine.build import build
from workbench.recipe import Recipe, read_recipe_file

RECIPES = Path(__file__).resolve().parent.parent.parent / "recipes"
NAMES = ("digits", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "basic-cnn", "resnet20")
HEAVY = {"resnet20", "v5", "v6"}
"""Those that take many seconds for it on a CPU."""


def on_digits(name: str) -> Recipe:
    """A recipe for 180 steps on the digits, with their own statistics, in fp32 (fp16 is slow here).

    It claims no accuracy.
    """
    path = RECIPES / f"{name}.toml"
    on = read_recipe_file(path).techniques
    short = ["techniques.mixed_precision=off"] if "mixed_precision" in on else []
    short += ["techniques.cosine.warmup_epochs=0.5"] if "cosine" in on else []
    found = read_recipe_file(
        path,
        [
            "data.source=digits",
            "data.batch_size=32",
            "train.epochs=4",
            "train.log_every=5",
            "train.eval_every=9",
            *short,
        ],
    )
    data = found.data.model_copy(update={"mean": None, "std": None})
    expect = found.expect.model_copy(update={"accuracy": None})
    return found.model_copy(update={"data": data, "expect": expect})


def at_half_size(recipe: Recipe) -> Recipe:
    """The recipe on images of half the size, which trains in a quarter of the time; its claim is about whole ones."""
    small = recipe.model_copy(update={"expect": recipe.expect.model_copy(update={"parameters": None})})
    return feeding(small, small_digits())


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in HEAVY else n for n in NAMES])
def test_a_healthy_recipe_raises_nothing(name: str, tmp_path: Path) -> None:
    recipe = on_digits(name)
    whole = build(feeding(recipe, digits()), "cpu", tmp_path)
    found = before(whole)
    whole.close()
    assert ("parameter_count" in found) == (recipe.expect.parameters is not None)
    assert wrong(found) == {}
    made = build(at_half_size(recipe), "cpu", tmp_path)
    found = said(whole_run(made, tmp_path))
    made.close()
    assert len(found) >= 13
    assert wrong(found) == {}, [(check.name, check.found, check.reason) for check in found.values()]
