"""What holds for every technique, driven by the table: it learns, it resumes exactly, it goes with the others."""

from __future__ import annotations

import os
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.checks.conftest import small_digits
from tests.cuda import runtime
from tests.engine.conftest import Make, run, same, some_steps, weights
from tests.techniques.table import BUILT_IN, NAMES, refusal
from workbench.control import Control
from workbench.engine.state import Checkpoints
from workbench.events import Evaluated, Event, Finished, Stopped, Trained

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.cuda),
]


def curve(events: list[Event]) -> list[tuple[int, float]]:
    return [(e.step, e.loss) for e in events if isinstance(e, Trained)]


def results(events: list[Event]) -> dict[tuple[int, str], tuple[float, float]]:
    return {(e.step, e.split): (e.loss, e.accuracy) for e in events if isinstance(e, Evaluated)}


COMPARED = pytest.mark.skipif(runtime.present(), reason="the stand-in is asked more: tests/cuda/test_bits.py")
CRAWLING = [pytest.param(name, marks=pytest.mark.slow) if name == "half_weights" else name for name in NAMES]
"""16 bits crawl on a CPU."""


@pytest.mark.parametrize("spec", BUILT_IN, ids=NAMES)
def test_its_card_is_complete(spec: type[Any]) -> None:
    assert spec.source
    assert spec.tradeoff
    assert len(spec.summary()) <= 120
    assert all(field.description for field in spec.model_fields.values())


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=[pytest.mark.cuda, COMPARED])])
@pytest.mark.parametrize("name", CRAWLING)
def test_it_trains_with_a_falling_loss(make: Make, name: str, device: str) -> None:
    events = run(make(name, device=device, dataset=small_digits()))
    assert isinstance(events[-1], Finished)
    losses = [loss for _, loss in curve(events)]
    # 16-bit weights on a CPU, which no run has there, learn less on torch 2.11 than on 2.15.
    assert losses[-1] < (0.9 if (name, device) == ("half_weights", "cpu") else 0.8) * losses[0]
    assert events[-1].test_accuracy > 0.3


@pytest.mark.parametrize("name", CRAWLING)
def test_resuming_in_the_middle_of_an_epoch_changes_no_bit(make: Make, tmp_path: Path, name: str) -> None:
    """With two loader workers, and dropout on wherever it goes with the technique."""
    names = (name,) if name == "dropout" or refusal(name, "dropout") else (name, "dropout")
    extra = ("data.pipeline=loader", "data.workers=2", "train.eval_every=0.5", "train.log_every=1")
    dataset = small_digits(400, 64)  # seven steps an epoch, the last of them with fewer images
    whole = make(*names, extra=extra, dataset=dataset)
    expected = run(whole)

    control, checkpoints = Control(), Checkpoints(tmp_path / "checkpoints")

    def stop_in_the_second_epoch(event: Event) -> None:
        if isinstance(event, Trained) and event.step >= whole.steps * 0.6:
            control.stop()

    first = run(make(*names, extra=extra, dataset=dataset), control, checkpoints, on_event=stop_in_the_second_epoch)
    assert isinstance(first[-1], Stopped)
    assert first[-1].step % whole.steps_per_epoch > 0
    again = make(*names, extra=extra, dataset=dataset)
    second = run(again, Control(), checkpoints, checkpoints.load())
    assert curve(first) + curve(second) == curve(expected)
    assert same(weights(whole), weights(again))
    assert {**results(first), **results(second)} == results(expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["bf16", pytest.param("fp16", marks=pytest.mark.slow)])  # fp16 crawls on a CPU
@pytest.mark.parametrize("name", NAMES)
def test_it_steps_in_16_bits(make: Make, name: str, dtype: str, device: str) -> None:
    if reason := refusal(name, "mixed_precision"):
        assert name in ("half_weights",), reason
        names, settings = (name,), (f"techniques.half_weights.dtype={dtype}",)
    else:
        # a loss scale that fits at once, so that the first steps count
        names = (name, "mixed_precision")
        settings = (f"techniques.mixed_precision.dtype={dtype}", "techniques.mixed_precision.initial_scale=256")
    built = make(*names, extra=settings, device=device, dataset=small_digits(128, 32))
    before = weights(built)
    losses = some_steps(built, 2)
    assert all(torch.isfinite(torch.tensor(losses)))
    assert not same(before, weights(built))


@pytest.mark.slow
@pytest.mark.parametrize("pair", list(combinations(NAMES, 2)), ids=" ".join)
def test_any_two_go_together_or_are_refused_with_the_reason(make: Make, pair: tuple[str, str]) -> None:
    if (reason := refusal(*pair)) is not None:
        assert len(reason) > 20
        assert any(name in reason for name in pair)
        return
    losses = some_steps(make(*pair, dataset=small_digits(128, 32)), 1)
    assert all(torch.isfinite(torch.tensor(losses)))


def test_the_machine_may_skip_cuda_but_says_so() -> None:
    """A machine whose tests are meant to cover CUDA sets WORKBENCH_TEST_CUDA=1, so that a skip cannot pass unseen."""
    if os.environ.get("WORKBENCH_TEST_CUDA") == "1":
        assert torch.cuda.is_available()
