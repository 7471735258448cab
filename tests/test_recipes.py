"""The packaged recipes: well-formed, and each rung of the ladder differs from the one below by what it claims."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import some_steps
from workbench.commands.recipes import markdown
from workbench.data.base import DataSet
from workbench.data.splits import ArraySplit
from workbench.engine.build import Build, build, parameter_counts
from workbench.paths import natural
from workbench.recipe import Recipe, difference, read_recipe_file
from workbench.recipe.measured import measurements

RECIPES = Path(__file__).resolve().parent.parent / "recipes"


PATHS = sorted(RECIPES.glob("*.toml"), key=lambda path: natural(path.stem))
HEAVY = {"resnet18", "resnet20", "resnet32"}
"""Networks whose steps take seconds on a CPU."""


NARROW = {
    "ninety-four": ("model.widths=[4,8,8,16]", "expect.parameters=3708"),
    "fast94": ("model.widths=[4,4,8,8,8,8]", "expect.parameters=3168"),
    "fast94-growing": ("model.widths=[4,4,8,8,8,8]", "expect.parameters=3168"),
}
"""fp16 convolutions take a CPU minutes: these recipes take their step with fewer channels."""

FEW_CHANNELS = {
    **dict.fromkeys(("dreamfire", "dreamfire-sgd", "resnet18", "resnet18-c100"), ("model.channels=[8,16,16,16]",)),
    **dict.fromkeys(("deeper-cnn", "deeper-cnn-c100"), ("model.widths=[8,16,16,16]", "model.hidden=[16,16]")),
    "fast94-cpu": ("model.widths=[8,8,16,16,16,16]",),
    **NARROW,
}
"""What is about the way of their steps and not about their size takes all wide networks so."""


def recipe(name: str, *overrides: str) -> Recipe:
    return read_recipe_file(RECIPES / f"{name}.toml", overrides=overrides)


class Noise:
    """A few images of noise in the place of a recipe's data set."""

    IMAGES = 40

    name = "noise"

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def load(self, root: Path, report: Callable[[str], None] = lambda message: None) -> DataSet:
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, (self.IMAGES, 3, 32, 32), generator=generator).to(torch.uint8)
        split = ArraySplit(images, torch.arange(self.IMAGES) % 2)
        return DataSet(split, split, tuple(map(str, range(self.classes))), (3, 32, 32))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_recipe_is_consistent_and_named_like_its_file(path: Path) -> None:
    found = read_recipe_file(path)
    assert found.name == path.stem
    assert found.about
    assert found.expect.source
    assert found.expect.claim


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=pytest.mark.slow) if p.stem in HEAVY else p for p in PATHS],
    ids=lambda path: path.stem,
)
def test_a_recipe_builds_the_network_that_it_says_and_trains(path: Path, tmp_path: Path) -> None:
    def built(*small: str) -> Build:
        found = recipe(path.stem, "data.batch_size=8", *small)
        noise: Any = Noise(100 if found.data.source == "cifar100" else 10)
        return build(found.model_copy(update={"data_source": noise}), "cpu", tmp_path)

    whole = built()
    assert sum(parameter_counts(whole.model).values()) == whole.recipe.expect.parameters
    narrow = built(*NARROW[path.stem]) if path.stem in NARROW else whole
    assert all(map(math.isfinite, some_steps(narrow, 1)))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("basic-cnn", 545_098),
        ("deeper-cnn", 7_320_394),
        ("deeper-cnn-c100", 7_366_564),
        ("resnet18", 11_173_962),
        ("resnet18-c100", 11_220_132),
    ],
)
def test_counts_are_those_that_the_source_states(name: str, parameters: int) -> None:
    assert recipe(name).expect.parameters == parameters


def test_dreamfire_stays_under_five_million_and_far_below_resnet18() -> None:
    ours, resnet18 = recipe("dreamfire").expect.parameters, recipe("resnet18").expect.parameters
    assert ours and resnet18
    assert ours < 5_000_000
    assert round(100 * (1 - ours / resnet18)) == 56


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("resnet20", "resnet32", {"model.blocks"}),
        ("dreamfire", "dreamfire-sgd", {"techniques.adamw", "techniques.sgd"}),
        ("deeper-cnn", "deeper-cnn-c100", {"data.source", "train.epochs"}),
        ("resnet18", "resnet18-c100", {"data.source", "train.epochs", "techniques.step_decay.every"}),
    ],
)
def test_variants_differ_by_only_what_their_name_says(before: str, after: str, changes: set[str]) -> None:
    found = {change.path for change in difference(recipe(before), recipe(after))}
    assert {
        ".".join(path.split(".")[:3]) if path in changes else ".".join(path.split(".")[:2]) for path in found
    } == changes


def test_the_readme_shows_the_table_of_the_terminal() -> None:
    table = markdown(read_recipe_file(path) for path in PATHS)
    assert table in (RECIPES / "README.md").read_text()


def test_measurements_are_of_recipes_and_say_on_what() -> None:
    names = {path.stem for path in PATHS}
    for name, several in measurements(RECIPES).items():
        assert name in names
        for measured in several:
            assert measured["machine"] and measured["versions"] and measured["date"]
            assert ("steps" in measured) != ("epochs" in measured)
            assert 0 < measured.get("epochs", 1) <= recipe(name).train.epochs
            for who in ("ours", "plain"):
                if who in measured:
                    assert 0 < measured[who]["mean"] < (1 if "epochs" in measured else 5)
                    assert measured[who]["seeds"]


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ("v0", "v1", {"techniques.he_init"}),
        ("v1", "v2", {"techniques.batch_norm", "techniques.sgd.learning_rate", "techniques.sgd.momentum"}),
        ("v2", "v3", {"train.epochs", "techniques.cosine"}),
        ("v3", "v4", {"techniques.random_crop", "techniques.horizontal_flip"}),
        ("v4", "v5", {"model.depth", "techniques.residual"}),
        ("v5", "v6", {"techniques.sgd", "techniques.adamw", "techniques.gradient_clipping"}),
    ],
)
def test_each_rung_changes_only_what_its_section_states(before: str, after: str, changes: set[str]) -> None:
    found = {change.path for change in difference(recipe(before), recipe(after))}
    toggled = {path for path in changes if path.count(".") == 1 and path.startswith("techniques.")}
    assert changes <= found
    assert all(any(path == t or path.startswith(t + ".") for t in toggled) for path in found - changes)
