"""The finder of waiting lines: it names a line of the user's or ours, and only what a step waits for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.engine.conftest import Make
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import Build
from workbench.engine.slots import Filler
from workbench.engine.train import train
from workbench.events import Trained
from workbench.profiling.syncs import found_syncs

pytestmark = pytest.mark.cuda

HERE = Path(__file__).name
STEPS = 4


def read(parameters: list[Tensor]) -> None:
    float(parameters[0].grad.sum())


def compare(parameters: list[Tensor]) -> None:
    torch.equal(parameters[0].grad, parameters[0])


def choose(parameters: list[Tensor]) -> None:
    parameters[0].grad[parameters[0].grad > 0]


def await_all(parameters: list[Tensor]) -> None:
    torch.cuda.synchronize()


def within_torch(parameters: list[Tensor]) -> None:
    nn.utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)


@pytest.mark.parametrize("planted", [read, compare, choose, await_all, within_torch])
def test_a_planted_wait_is_named_by_its_line(make: Make, planted: Callable[[list[Tensor]], None]) -> None:
    built = make("train.log_every=2", device="cuda")
    built.slots.add("gradient edits", Filler(0, "planted", planted))
    assert places_of(built) == {f"{HERE}:{inspect.getsourcelines(planted)[1] + 1}"}


def test_a_wait_in_a_backward_pass_of_the_users_own_is_named(make: Make) -> None:
    class Waits(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, gradient: Tensor) -> Tensor:
            return gradient * float(gradient.isfinite().all())

    built = make(device="cuda")
    built.slots.add("objective", Filler(0, "planted", lambda loss: Waits.apply(loss)))
    (place,) = places_of(built)
    assert place == f"{HERE}:{inspect.getsourcelines(Waits.backward)[1] + 2}"


@pytest.mark.parametrize("pipeline", ["device", "loader"])
def test_what_waits_between_steps_on_purpose_is_not_named(make: Make, pipeline: str) -> None:
    assert places_of(make("train.log_every=1", f"data.pipeline={pipeline}", "data.workers=0", device="cuda")) == set()


def places_of(built: Build) -> set[str]:
    """The places of the waits of a few steps, without the first two."""
    with backend(built.recipe):
        events = train(built, Control(), checks=False)
        next(e for e in events if isinstance(e, Trained))
        with found_syncs(built.device) as found:
            until = built.step + STEPS
            next(e for e in events if isinstance(e, Trained) and e.step >= until)
    return set(found.places)
