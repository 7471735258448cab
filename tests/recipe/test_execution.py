"""What ``train.compile`` comes to, and that a run's recipe says so without being another recipe."""

from __future__ import annotations

import tomllib

import pytest

from workbench.recipe import read_recipe, write_recipe
from workbench.recipe.execution import Execution, execution


@pytest.mark.parametrize(
    ("settings", "device", "images", "expected"),
    [
        (("train.compile=auto",), "cpu", 1437, ("off", "a CPU")),
        (("train.compile=auto",), "cuda:1", None, ("graph", "a GPU")),
        (("train.compile=auto",), "cuda:0", 1280, ("graph", "a GPU")),
        (
            ("train.compile=auto",),
            "cuda:0",
            1437,
            ("graph", "a GPU; an epoch's last, of 29 images, as written"),
        ),
        (("train.compile=auto", "data.drop_last=true"), "cuda:0", 1437, ("graph", "a GPU")),
        (("train.compile=auto",), "cuda:0", 63, ("off", "no batch has 64 images, and smaller ones are not recorded")),
        (("train.compile=off",), "cuda:0", 1437, ("off", "")),
        (("train.compile=graph",), "cuda:0", 1437, ("graph", "")),
        (("train.compile=max",), "cpu", 1437, ("max", "")),
    ],
)
def test_what_it_comes_to(
    digits_recipe: str, settings: tuple[str, ...], device: str, images: int | None, expected: tuple[str, str]
) -> None:
    found = execution(read_recipe(digits_recipe, overrides=settings), device, images)
    assert (found.mode, found.why) == expected


@pytest.mark.parametrize("why", ["a GPU", "a\nline = 1 more\x1b]52;c;\x07 \u202e\udcff", '" # "'])
def test_a_comment_says_so_and_the_recipe_is_the_same(digits_recipe: str, why: str) -> None:
    recipe = read_recipe(digits_recipe, overrides=("train.compile=auto",))
    text = write_recipe(recipe, Execution("auto", "graph", why))
    (line,) = [line for line in text.splitlines() if line.startswith("compile")]
    assert line.startswith('compile = "auto" # here: recorded as a CUDA graph (auto: ')
    assert tomllib.loads(text)["train"] == tomllib.loads(write_recipe(recipe))["train"]
    assert read_recipe(text) == recipe
    assert text.isprintable() or set(text) - set(filter(str.isprintable, text)) == {"\n"}


def test_there_is_none_where_the_recipe_decided(digits_recipe: str) -> None:
    recipe = read_recipe(digits_recipe)
    assert write_recipe(recipe, Execution("off", "off")) == write_recipe(recipe)
