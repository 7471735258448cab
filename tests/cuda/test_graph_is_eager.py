"""Recorded steps are the steps: loss by loss and weight by weight, to the bit, on a device that computes both alike.

On a real card the two may choose other algorithms: cuDNN's benchmark runs once for each shape, and sums may be taken in
another order each time. Bits are compared on the stand-in only; on a card, losses of the first steps within rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.checks.conftest import feeding, small_digits
from tests.cuda import runtime
from tests.engine import conftest
from tests.engine.conftest import Make, run, weights
from tests.techniques.table import trial
from workbench.control import Control
from workbench.engine.build import Build, build
from workbench.engine.meter import Clock
from workbench.engine.recorder import Recorder
from workbench.engine.state import Checkpoints
from workbench.events import Event, Noted, Stopped, Trained

pytestmark = pytest.mark.cuda

make, make_small = conftest.make, conftest.make_small
EXACT = runtime.present()

COMMON = ("train.log_every=1", "techniques.dropout.rate=0.2", "techniques.cosine.every=step", "train.epochs=0.7")
VARIANTS: dict[str, tuple[str, ...]] = {
    "dropout, rates of each step": (),
    "bf16": ("techniques.mixed_precision.dtype=bf16",),
    "fp16": ("techniques.mixed_precision.dtype=fp16",),
    "fp16 that overflows": (
        "techniques.mixed_precision.dtype=fp16",
        "techniques.mixed_precision.initial_scale=4294967296",
    ),
    "fp16 that grows": ("techniques.mixed_precision.dtype=fp16", "techniques.mixed_precision.growth_interval=3"),
    "layers that freeze": (
        "train.epochs=1.6",
        "techniques.freeze_layers.start=0.5",
        "techniques.mixed_precision.dtype=fp16",
    ),
    "parts of a batch": ("techniques.gradient_accumulation.micro_batch_size=24",),
    "averages": ("techniques.ema.decay=0.9", "techniques.lookahead.every=3", "techniques.mixed_precision.dtype=fp16"),
    "sam": ("techniques.sam.rho=0.05", "techniques.mixed_precision.dtype=fp16"),
    "adamw": ("techniques.sgd.enabled=false", "techniques.adamw.enabled=true"),
    "muon": ("techniques.sgd.enabled=false", "techniques.muon.enabled=true"),
}


class Watched:
    """Counts what is recorded and repeated, and how often memory is given back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.recorded = self.repeated = self.freed = 0
        record, free = Recorder.record, Recorder.free

        def counted(recorder: Recorder, function: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
            repeat, result = record(recorder, function)
            self.recorded += 1

            def repeats() -> None:
                self.repeated += 1
                repeat()

            return repeats, result

        def frees(recorder: Recorder) -> None:
            self.freed += 1
            free(recorder)

        monkeypatch.setattr(Recorder, "record", counted)
        monkeypatch.setattr(Recorder, "free", frees)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def figures(events: list[Event]) -> list[tuple[float, float, int]]:
    return [(event.loss, event.accuracy, event.skipped) for event in events if isinstance(event, Trained)]


def notes(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, Noted)]


def alike(found: tuple[Build, list[Event]], plain: tuple[Build, list[Event]]) -> None:
    """The same curve, and the same weights at its end."""
    one, other = figures(found[1]), figures(plain[1])
    assert len(one) == len(other)
    if not EXACT:
        assert [loss for loss, _, _ in one[:10]] == pytest.approx([loss for loss, _, _ in other[:10]], rel=0.02)
        return
    assert one == other
    ends = weights(found[0]), weights(plain[0])
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def growing(*changes: str) -> Build:
    """Images of three sizes, one after the other, through a network that takes any."""
    extra = (
        *COMMON,
        "train.epochs=3",
        "train.eval_every=100",
        "data.batch_size=128",
        "techniques.progressive_resizing.initial_scale=0.5",
        "techniques.progressive_resizing.finetune=0.4",
        *changes,
    )
    return build(feeding(trial("progressive_resizing", extra=extra), small_digits()), "cuda", Path())


def trained(build: Build) -> tuple[Build, list[Event]]:
    return build, run(build)


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
@pytest.mark.parametrize("name", VARIANTS)
def test_recorded_steps_are_the_steps(make_small: Make, watched: Watched, name: str, device: str) -> None:
    if device == "cuda" and name not in ("bf16", "fp16"):
        pytest.skip("the device's name matters to learning rates alone")
    changes = (*COMMON, *VARIANTS[name])
    found = trained(make_small(*changes, "train.compile=graph", device=device))
    assert not notes(found[1])
    assert watched.recorded >= 1 and watched.repeated > found[0].steps / 4
    alike(found, trained(make_small(*changes, device=device)))


def test_a_recorded_run_resumes_in_the_middle_of_an_epoch(make_small: Make, watched: Watched, tmp_path: Path) -> None:
    changes = (*COMMON, *VARIANTS["averages"], "train.compile=graph")
    whole = trained(make_small(*changes, device="cuda"))
    control, checkpoints = Control(), Checkpoints(tmp_path)

    def stop(event: Event) -> None:
        if isinstance(event, Trained) and event.step == 9:
            control.stop()

    first = run(make_small(*changes, device="cuda"), control, checkpoints, on_event=stop)
    assert isinstance(first[-1], Stopped)
    second = make_small(*changes, device="cuda")
    events = run(second, Control(), checkpoints, checkpoints.load())
    alike((second, [*first, *events]), whole)


def test_recordings_of_steps_that_are_over_give_their_memory_back(watched: Watched) -> None:
    found = trained(growing("train.compile=graph"))
    assert not notes(found[1])
    assert watched.recorded >= 2
    assert watched.freed == watched.recorded  # before each of them no other is left
    alike(found, trained(growing()))


def test_kinds_of_steps_that_take_turns_are_recorded_no_more_than_twice(make_small: Make, watched: Watched) -> None:
    """A technique that trains the first layer in every other epoch: what came back once stays."""

    def planted(*more: str) -> Build:
        build = make_small("train.log_every=1", "train.epochs=5", "train.eval_every=100", *more, device="cuda")
        first = build.parameters[0]
        build.hooks.epoch_start.add(lambda epoch, model: first.requires_grad_(epoch % 2 == 0), 0, "planted")
        return build

    found = trained(planted("train.compile=graph", "data.batch_size=180"))
    assert not notes(found[1])
    assert 2 <= watched.recorded <= 4
    alike(found, trained(planted("data.batch_size=180")))


def test_what_changes_from_epoch_to_epoch_is_recorded_anew(make_small: Make, watched: Watched) -> None:
    """A technique whose function reads what it set at the start of the epoch."""

    def planted(*more: str) -> Build:
        build = make_small("train.log_every=1", "train.epochs=2", *more, device="cuda")
        weight = 1.0

        def begin(epoch: int, model: nn.Module) -> None:
            nonlocal weight
            weight = 1.0 + epoch

        build.hooks.epoch_start.add(begin, 0, "planted")
        build.hooks.objective.add(lambda loss: loss * weight, 0, "planted")
        return build

    found = trained(planted("train.compile=graph"))
    assert not notes(found[1])
    assert watched.recorded == 2
    alike(found, trained(planted()))


def test_an_optimizer_that_counts_on_the_cpu_is_recorded(
    make_small: Make, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's unfused ones count their steps on the CPU, unless they are told that they will be recorded.

    Then they correct for the first steps in fp32 and not in Python's numbers: a card gives losses 0.2 % apart.
    """

    def planted(*more: str) -> Build:
        build = make_small("train.log_every=1", "train.epochs=0.7", "train.deterministic=true", *more, device="cuda")
        return build.with_(optimizer=torch.optim.NAdam(build.model.parameters(), lr=0.002), base_rates=(0.002,))

    found = trained(planted("train.compile=graph"))
    assert not notes(found[1])
    assert watched.recorded == 1
    plain = figures(trained(planted())[1])
    assert [loss for loss, _, _ in figures(found[1])] == pytest.approx([loss for loss, _, _ in plain], rel=5e-3)


def test_the_clock_stands_still_only_when_the_device_is_done(make_small: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked of the device before a recording is training, also where it is done while the host records."""
    order: list[str] = []
    synchronize, stands, record = torch.cuda.synchronize, Clock.standing_still, Recorder.record

    def waits(*device: object) -> None:
        order.append("wait")
        synchronize(*device)  # type: ignore[arg-type]

    def stand(clock: Clock) -> AbstractContextManager[None]:
        order.append("stand still")
        return stands(clock)

    def recorded(recorder: Recorder, function: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        order.append("record")
        return record(recorder, function)

    monkeypatch.setattr(torch.cuda, "synchronize", waits)
    monkeypatch.setattr(Clock, "standing_still", stand)
    monkeypatch.setattr(Recorder, "record", recorded)
    run(make_small("train.epochs=0.5", "train.compile=graph", "train.log_every=1000", device="cuda"))
    at = order.index("record")
    assert order[at - 2 : at + 1] == ["wait", "stand still", "record"]
