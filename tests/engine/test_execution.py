"""Modes of execution give the same curve; a recorded step is repeated here by running it again on its own inputs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.engine.conftest import Make, run, same, weights
from workbench.control import Control
from workbench.engine import train
from workbench.engine.execution import WARM_UP, Recorded
from workbench.engine.state import Checkpoints
from workbench.engine.train_state import TrainState
from workbench.events import CheckFinished, Evaluated, Event, Finished, Noted, Stopped, Trained
from workbench.registered import TechniqueError

TECHNIQUES = (
    "techniques.random_crop.padding=2",
    "techniques.cosine.every=step",
    "techniques.mixup.alpha=0.3",
    "techniques.ema.decay=0.9",
    "techniques.lookahead.every=4",
    "techniques.dropout.rate=0.2",
    "techniques.gradient_clipping.limit=1.0",
    "techniques.freeze_layers.start=0.3",
    "train.epochs=3",
)


class Repeater:
    """Stands in for CUDA graphs: records nothing, repeats by running. Counts."""

    def __init__(self) -> None:
        self.recorded = self.repeated = 0

    def record(self, function: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        self.recorded += 1
        result = torch.zeros(())

        def repeat() -> None:
            self.repeated += 1
            result.copy_(function())

        return repeat, result


@pytest.fixture
def repeater(monkeypatch: pytest.MonkeyPatch) -> Repeater:
    found = Repeater()
    monkeypatch.setattr(train, "executed", lambda *given: Recorded(*given, record=found.record))
    return found


def losses(events: list[Event]) -> list[float]:
    return [event.loss for event in events if isinstance(event, Trained)]


def accuracies(events: list[Event]) -> list[float]:
    return [event.accuracy for event in events if isinstance(event, Evaluated)]


def optimizer(name: str) -> list[str]:
    return [f"techniques.{each}.enabled={str(each == name).lower()}" for each in ("sgd", "adamw", "muon")]


@pytest.mark.parametrize("name", ["sgd", "adamw", "muon"])
def test_repeated_steps_are_the_steps(
    make_small: Make, repeater: Repeater, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    changes = (*TECHNIQUES, *optimizer(name))
    found = make_small(*changes)
    events = run(found)
    assert repeater.recorded == 2  # frozen layers are another kind of step
    assert repeater.repeated == found.steps - 2 * WARM_UP - 3  # each epoch's last batch is smaller than the others
    monkeypatch.undo()
    plain = make_small(*changes)
    expected = run(plain)
    assert losses(events) == pytest.approx(losses(expected), rel=1e-4)  # a rate as a tensor has 32 bits, else 64
    assert accuracies(events) == pytest.approx(accuracies(expected), abs=0.003)


def test_steps_that_checks_look_into_run_as_written(
    make_small: Make, repeater: Repeater, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = ("train.epochs=3",)
    found = make_small(*changes)
    events = run(found, checks=True, state=(state := TrainState.of(found)))
    looked_into = sum(state.looked_at(found.context(step)) for step in range(found.steps))
    assert 0 < looked_into < found.steps / 4
    assert 0 < repeater.repeated < found.steps - 2 * WARM_UP - 3
    monkeypatch.undo()
    assert checks(events) == checks(run(make_small(*changes), checks=True))


def checks(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.name, event.verdict) for event in events if isinstance(event, CheckFinished)]


def test_a_run_of_repeated_steps_resumes_to_the_bit(make_small: Make, repeater: Repeater, tmp_path: Path) -> None:
    changes = (*TECHNIQUES, *optimizer("adamw"))
    whole = make_small(*changes)
    run(whole)
    control, checkpoints = Control(), Checkpoints(tmp_path)

    def stop(event: Event) -> None:
        if isinstance(event, Trained) and event.step == 30:
            control.stop()

    assert isinstance(run(make_small(*changes), control, checkpoints, on_event=stop)[-1], Stopped)
    second = make_small(*changes)
    run(second, Control(), checkpoints, checkpoints.load())
    assert same(weights(whole), weights(second))


def test_a_step_that_cannot_be_recorded_is_said_and_done_as_written(
    make_small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(function: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(train, "executed", lambda *given: Recorded(*given, record=refuse))
    found = make_small(*TECHNIQUES)
    events = run(found)
    notes = [event.message for event in events if isinstance(event, Noted)]
    assert len(notes) == 1 and "operation not permitted when stream is capturing" in notes[0]
    monkeypatch.undo()
    plain = make_small(*TECHNIQUES)
    run(plain)
    assert same(weights(found), weights(plain))


def test_without_a_cuda_device_graphs_are_refused_with_the_reason(make_small: Make) -> None:
    found, plain = make_small("train.compile=graph", "train.epochs=1"), make_small("train.epochs=1")
    events = run(found)
    notes = [event.message for event in events if isinstance(event, Noted)]
    assert len(notes) == 1 and "need a CUDA device" in notes[0]
    run(plain)
    assert same(weights(found), weights(plain))


@pytest.mark.slow
def test_a_compiled_network_has_the_same_curve(make_small: Make) -> None:
    changes = ("train.epochs=0.5", "train.log_every=1", "techniques.dropout.rate=0.2", "model.widths=[8]")
    events = run(make_small(*changes, "train.compile=default"))
    notes = [event.message for event in events if isinstance(event, Noted)]
    assert all(note.startswith("compiled the network in ") for note in notes)  # a slow machine says how long it took
    found, expected = losses(events), losses(run(make_small(*changes)))
    assert found[0] == pytest.approx(expected[0], rel=1e-5)
    assert found == pytest.approx(expected, rel=0.02)  # later, rounding has grown


@pytest.mark.parametrize("micro", [16, 64, 1000])
def test_parts_of_a_batch_are_compiled_too(make_small: Make, monkeypatch: pytest.MonkeyPatch, micro: int) -> None:
    sizes: list[int] = []

    def compiled(model: Callable[[Tensor], Tensor], **options: object) -> Callable[[Tensor], Tensor]:
        def network(images: Tensor) -> Tensor:
            sizes.append(len(images))
            return model(images)

        return network

    monkeypatch.setattr(torch, "compile", compiled)
    changes = ("data.batch_size=64", f"techniques.gradient_accumulation.micro_batch_size={micro}", "train.epochs=0.2")
    run(make_small(*changes, "train.compile=default"))
    assert set(sizes) == {min(micro, 64)}


def test_a_network_that_cannot_be_compiled_is_said_and_trained_as_written(
    make_small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(graph: object, inputs: object, **options: object) -> object:
        raise RuntimeError("no compiler here")

    compile = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model, **options: compile(model, backend=refuse))
    events = run(make_small("train.epochs=1", "train.compile=default"))
    notes = [event.message for event in events if isinstance(event, Noted)]
    assert len(notes) == 1 and "cannot be compiled" in notes[0]
    monkeypatch.undo()
    assert losses(events) == losses(run(make_small("train.epochs=1")))


def _fails_to_compile(graph: object, inputs: object) -> object:
    raise RuntimeError("no compiler for this direction\nmore")


def _fails_when_it_runs(graph: object, inputs: object) -> Callable[..., object]:
    def broken(*values: object) -> object:
        raise RuntimeError("no kernel for this direction")

    from functorch.compile import make_boxed_func

    return make_boxed_func(broken)  # type: ignore[no-any-return]


@pytest.mark.parametrize("technique", ["dropout.rate=0.2", "sam.rho=0.05"])
@pytest.mark.parametrize("compiler", [_fails_to_compile, _fails_when_it_runs])
@pytest.mark.parametrize("direction", ["fw_compiler", "bw_compiler"])
def test_a_pass_that_fails_compiled_begins_anew_as_written(
    make_small: Make,
    monkeypatch: pytest.MonkeyPatch,
    direction: str,
    compiler: Callable[..., object],
    technique: str,
) -> None:
    from torch._dynamo.backends.common import aot_autograd

    changes = ("train.epochs=1", f"techniques.{technique}", "techniques.ema.decay=0.9")
    plain = make_small(*changes)
    expected = run(plain)
    compile, compilers = torch.compile, {"fw_compiler": _runs, "bw_compiler": _runs, direction: compiler}
    monkeypatch.setattr(torch, "compile", lambda model, **options: compile(model, backend=aot_autograd(**compilers)))
    found = make_small(*changes, "train.compile=default")
    events = run(found)
    notes = [event.message for event in events if isinstance(event, Noted)]
    assert len(notes) == 1
    assert "the network cannot be compiled" in notes[0] and "for this direction" in notes[0] and "more" not in notes[0]
    assert losses(events) == losses(expected)
    assert same(weights(found), weights(plain))


def _runs(graph: object, inputs: object) -> object:
    from functorch.compile import make_boxed_func  # takes seconds, and whoever collects tests waits for it

    return make_boxed_func(graph)


def test_an_error_of_the_steps_own_is_not_taken_for_the_compilers(
    make_small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model, **options: compile(model, backend="eager"))
    found = make_small("train.epochs=1", "train.compile=default")
    notes: list[str] = []

    def broken(loss: Tensor) -> Tensor:
        raise ValueError("of a technique's own")

    found.hooks.objective.add(broken, 0, "mine")
    with pytest.raises(TechniqueError, match=r"techniques\.mine: ValueError in .*: of a technique's own"):
        run(found, on_event=lambda event: notes.append(event.message) if isinstance(event, Noted) else None)
    assert not notes


def test_training_time_stands_still_while_something_is_compiled(
    make_small: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile, slow = torch.compile, 2.0

    def compiler(graph: object, inputs: object) -> object:
        time.sleep(slow)
        return graph

    monkeypatch.setattr(torch, "compile", lambda model, **options: compile(model, backend=compiler))
    began = time.perf_counter()
    events = run(make_small("train.epochs=0.3", "train.compile=default"))
    assert time.perf_counter() - began > slow
    assert isinstance(events[-1], Finished) and events[-1].seconds < slow


def test_what_a_compiler_says_to_the_process_ends_with_the_training(make_small: Make) -> None:
    from torch._dynamo.callback import callback_handler
    from torch._functorch import config

    small = ("model.widths=[4]", "model.hidden=[]", "techniques.batch_norm.enabled=false")  # few kernels to compile
    run(make_small("train.epochs=0.1", "train.compile=default", "data.batch_size=1000", *small))
    assert not callback_handler.start_callbacks and not callback_handler.end_callbacks
    assert not config.force_non_lazy_backward_lowering
