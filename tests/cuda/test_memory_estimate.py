"""What the memory check reckons is what a training takes: for every packaged recipe, every optimizer and average.

Nothing is computed while it is measured, so that recipes have their own sizes: what is allocated depends on shapes,
formats and settings, not on values. The stand-in's libraries take no workspace.
"""

from __future__ import annotations

import gc
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import _disable_current_modes

from tests.checks.conftest import feeding
from tests.cuda import numbers
from tests.cuda.launches import Launching, _images, recipes
from tests.techniques.table import BUILT_IN, overrides
from workbench.checks import memory
from workbench.checks.base import chosen
from workbench.checks.memory import needed
from workbench.control import Control
from workbench.data.base import DataError
from workbench.engine import footprint
from workbench.engine.backend import backend
from workbench.engine.build import Build, build
from workbench.engine.device_fallback import resolve_for_device
from workbench.engine.evaluate import evaluate
from workbench.engine.guard import Guard
from workbench.engine.train import train
from workbench.events import Noted, Trained
from workbench.out_of_memory import TooLarge
from workbench.paths import packaged_recipes
from workbench.recipe import read_recipe

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("standin")]

DEVICE = "cuda:0"
MIB = 2**20
EAGER, RECORDED = (0.95, 1.15), (0.9, 1.3)
"""Between which shares of what was taken the estimate lies."""
BLOCK = 20 * MIB
"""By so much a graph's pool grows at a time, and by so much it may be more or less."""
STEPS = 16
FAST = ("basic-cnn", "resnet20", "fast94", "dreamfire")
FROZEN = {"fast94-growing": ("techniques.whitening.bias_epochs=0",)}
"""In its second epoch its images are small yet and the bias is frozen; here all of its course is in the first."""
COPIES = [spec.name for spec in BUILT_IN if spec.group in ("optimizer", "averaging")]
OTHERS = ("sam", "gradient_accumulation", "gradient_clipping", "mixed_precision", "half_weights", "channels_last")


@pytest.fixture(autouse=True)
def _numbers_mean_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()  # what earlier tests left behind lies between what is measured here
    torch.cuda.empty_cache()
    monkeypatch.setattr(Guard, "bad_step", lambda self: None)
    monkeypatch.setattr(footprint, "workspace_bytes", lambda device: 0)

    def computed(*arguments: Any) -> Build:  # whitening looks at images
        with _disable_current_modes(), numbers.computing():
            return build(*arguments)

    monkeypatch.setattr(footprint, "build", computed)


def made(name: str, folder: Path, *changes: str) -> Build:
    """A packaged recipe at its own size, on noise; its whole course in a few steps."""
    settings = (f"train.log_every={STEPS}", "train.eval_every=1000", "train.checkpoint_every=1000", *changes)
    recipe = read_recipe((packaged_recipes() / f"{name}.toml").read_text(), overrides=settings)
    built = build(resolve_for_device(feeding(recipe, _images(recipe)), DEVICE)[0], DEVICE, folder)
    return built.with_(steps=STEPS)


def taken(built: Build) -> int:
    """The most bytes that a training and its last evaluation take beyond the build.

    Where steps are recorded, what torch holds back for later is given back once they are: the graph's pool is not.
    """
    recorded = built.recipe.train.compile == "graph"
    torch.cuda.empty_cache()
    before, held = torch.cuda.memory_allocated(), torch.cuda.memory_reserved()
    torch.cuda.reset_peak_memory_stats()
    with closing(train(built, Control())) as events:  # type: ignore[type-var]
        for event in events:
            assert not (isinstance(event, Noted) and "recorded" in event.message)
            if isinstance(event, Trained):
                break
        if recorded:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        evaluate(built, "test")
    if recorded:
        return torch.cuda.max_memory_reserved() - held
    return torch.cuda.max_memory_allocated() - before


def pair(name: str, folder: Path, *changes: str) -> tuple[int, int]:
    """The estimate, and what was taken."""
    built = made(name, folder, *changes)
    try:
        with _disable_current_modes(), Launching(), backend(built.recipe, DEVICE):
            need = needed(built)
            assert need is not None
            return need.total, taken(built)
    finally:
        built.close()


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in recipes()]
)
def test_a_packaged_recipe(name: str, tmp_path: Path) -> None:
    estimate, took = pair(name, tmp_path, "train.compile=off", *FROZEN.get(name, ()))
    assert EAGER[0] < estimate / took < EAGER[1]


@pytest.mark.parametrize(
    "name",
    [
        name if name in FAST[:3] else pytest.param(name, marks=pytest.mark.slow)
        for name in recipes()
        if name != "fast94-cpu"  # made for a CPU
    ],
)
def test_a_packaged_recipe_whose_steps_are_recorded(name: str, tmp_path: Path) -> None:
    estimate, took = pair(name, tmp_path, "train.compile=graph", *FROZEN.get(name, ()))
    assert RECORDED[0] * took - BLOCK < estimate < RECORDED[1] * took + BLOCK


@pytest.mark.parametrize("name", [*COPIES, *OTHERS])
def test_what_keeps_or_makes_copies(name: str, tmp_path: Path) -> None:
    """On a network whose weights outweigh a batch: 45 MiB each copy of them."""
    changes = ("train.compile=off", "data.batch_size=32", "data.eval_batch_size=32", *overrides(name))
    estimate, took = pair("resnet18", tmp_path, *changes)
    assert EAGER[0] < estimate / took < EAGER[1]


def test_an_evaluation_set_that_is_still_to_come_counts(tmp_path: Path) -> None:
    built = made("basic-cnn", tmp_path)
    with backend(built.recipe, DEVICE):
        first = footprint.footprint(built)
        for _ in built.evaluation["test"]:
            pass
        second = footprint.footprint(built)
    assert first is not None and second is not None
    images = built.dataset.test.images()
    assert (first.sets, second.sets) == (images.numel(), 0)
    built.close()


def _too_little(*arguments: object) -> None:
    try:
        raise torch.OutOfMemoryError("CUDA out of memory")
    except torch.OutOfMemoryError as error:
        raise DataError("data.pipeline: the images need more") from error


@pytest.mark.parametrize("where", ["upload", "score"])
def test_where_the_small_one_does_not_fit_either_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def score(*arguments: object) -> None:
        raise TooLarge("data.eval_batch_size", 64)

    built = made("basic-cnn", tmp_path)
    if where == "score":
        monkeypatch.setattr(footprint, "score", score)
    else:
        monkeypatch.setattr(footprint, "build", _too_little)
    with _disable_current_modes(), Launching(), backend(built.recipe, DEVICE):
        assert footprint.footprint(built) is None


def test_the_advice_is_a_batch_that_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = made("resnet18", tmp_path, "train.compile=off")
    with _disable_current_modes(), Launching(), backend(built.recipe, DEVICE):
        need = needed(built)
        assert need is not None
        room = int(0.6 * need.total)
        monkeypatch.setattr(memory, "free_bytes", lambda build: room)
        (spec,) = chosen(built.recipe, "before", ["memory"])
        found = spec.examine(built)
        assert found is not None and found.verdict == "fail"
        size = int(found.advice.removeprefix("set data.batch_size to ").partition(",")[0])
        smaller = made("resnet18", tmp_path, "train.compile=off", f"data.batch_size={size}")
        assert taken(smaller) < room
        found = spec.examine(smaller)
        assert found is not None and found.verdict == "pass"
    built.close()
    smaller.close()


def test_a_network_that_is_too_large_for_any_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = made("resnet18", tmp_path, "train.compile=off")
    monkeypatch.setattr(memory, "free_bytes", lambda build: 20 * MIB)
    with _disable_current_modes(), Launching(), backend(built.recipe, DEVICE):
        (spec,) = chosen(built.recipe, "before", ["memory"])
        found = spec.examine(built)
    assert found is not None and found.advice == "choose another device, or make the network smaller"
    built.close()
