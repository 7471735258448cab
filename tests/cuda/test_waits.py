"""The finder of waiting lines: it names a line of the user's or ours, and only what a step waits for."""

from __future__ import annotations

import inspect
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from tests.cuda import timing
from tests.cuda.timing import Machine, busy
from tests.engine.conftest import Make
from tests.profiling import conftest
from tests.profiling.conftest import Read
from tests.profiling.synthetic_bottlenecks import SlowTransform
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import Build, build
from workbench.engine.train import train
from workbench.events import Trained
from workbench.profiling import profile, syncs
from workbench.profiling.syncs import Waits, found_syncs

pytestmark = pytest.mark.cuda

recipe = conftest.recipe

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


def await_stream(parameters: list[Tensor]) -> None:
    torch.cuda.current_stream().synchronize()


def await_event(parameters: list[Tensor]) -> None:
    torch.cuda.current_stream().record_event().synchronize()


def within_torch(parameters: list[Tensor]) -> None:
    nn.utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)


@pytest.mark.parametrize("planted", [read, compare, choose, await_all, await_stream, await_event, within_torch])
def test_a_planted_wait_is_named_by_its_line(make: Make, planted: Callable[[list[Tensor]], None]) -> None:
    built = make("train.log_every=2", device="cuda")
    built.hooks.gradient_edits.add(planted, 0, "planted")
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
    built.hooks.objective.add(lambda loss: Waits.apply(loss), 0, "planted")
    (place,) = places_of(built)
    assert place == f"{HERE}:{inspect.getsourcelines(Waits.backward)[1] + 2}"


def test_a_wait_of_torchs_own_in_the_backward_pass_is_told(make: Make) -> None:
    """The gradient of what a mask has picked is put back by the mask."""
    built = make(device="cuda")

    def picked(loss: Tensor) -> Tensor:
        both = torch.stack((loss, loss))
        return both[both > 0].sum()

    built.hooks.objective.add(picked, 0, "planted")
    assert places_of(built) == {f"{HERE}:{inspect.getsourcelines(picked)[1] + 2}", "the backward pass"}


def test_what_is_told_of_a_backward_pass_when_it_is_over_is_told_of_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch 2.11 keeps what its own threads would say until the pass returns, and says it in the one that called."""
    withheld: list[int] = []
    told, run = syncs._Listener.told, torch.autograd._engine_run_backward
    training = threading.get_ident()

    def tell(listener: syncs._Listener) -> None:
        if threading.get_ident() == training:
            told(listener)
        else:
            withheld.append(1)

    def run_and_tell(*arguments: object, **options: object) -> object:
        out = run(*arguments, **options)
        while withheld:
            withheld.pop()
            warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        return out

    def picked(loss: Tensor) -> Tensor:
        both = torch.stack((loss, loss))
        return both[both > 0].sum()

    for planted, where in ((tell, syncs), (run_and_tell, torch.autograd)):  # whose lines they stand for
        planted.__code__ = planted.__code__.replace(co_filename=where.__file__)
    monkeypatch.setattr(syncs._Listener, "told", tell)
    monkeypatch.setattr("torch.autograd._engine_run_backward", run_and_tell)
    built = make(device="cuda")
    built.hooks.objective.add(picked, 0, "planted")
    found = waits_of(built).places
    assert set(found) == {f"{HERE}:{inspect.getsourcelines(picked)[1] + 2}", "the backward pass"}
    assert found["the backward pass"].seconds > 0


@pytest.mark.parametrize("pipeline", ["device", "loader"])
def test_what_waits_between_steps_on_purpose_is_not_named(make: Make, pipeline: str) -> None:
    assert places_of(make("train.log_every=1", f"data.pipeline={pipeline}", "data.workers=0", device="cuda")) == set()


def test_a_wait_is_timed_from_its_call_to_its_return(make: Make, standin: ModuleType) -> None:
    """The device has 3 ms of work when it is asked."""

    def planted(parameters: list[Tensor]) -> None:
        busy(0.003)
        float(parameters[0].grad.sum())
        float(parameters[0].grad.sum())

    built = make("train.log_every=4", device="cuda")
    built.hooks.gradient_edits.add(planted, 0, "planted")
    with timing.planted(Machine()):
        found = waits_of(built)
    (first, second), line = found.dearest(), inspect.getsourcelines(planted)[1] + 2
    assert [first[0], second[0]] == [f"{HERE}:{line}", f"{HERE}:{line + 1}"]
    assert first[1].count == second[1].count >= STEPS
    assert first[1].seconds / first[1].count == pytest.approx(0.003, rel=0.1)
    assert second[1].seconds / second[1].count < 0.0001
    assert found.seconds == pytest.approx(first[1].seconds + second[1].seconds)


def test_what_waits_outside_of_the_steps_is_not_named(make: Make) -> None:
    """Another build is made meanwhile, and a thread of somebody's looks at the device."""
    built = make(device="cuda")
    with backend(built.recipe):
        events = train(built, Control())
        with found_syncs(built.device) as found:
            make(device="cuda").model.weight_sum = float(torch.ones(3, device="cuda").sum())
            thread = threading.Thread(target=torch.cuda.synchronize)
            thread.start()
            thread.join()
            next(e for e in events if isinstance(e, Trained))
    assert not [place for place in found.places if place.startswith(HERE)]


def test_a_profile_looks_neither_at_the_building_of_its_copy_nor_at_its_first_step(
    recipe: Read, tmp_path: Path, standin: ModuleType
) -> None:
    """What torch and techniques prepare once may wait."""

    def once(built: Build) -> None:
        first = True

        def look(context: object, skip: Tensor) -> None:
            nonlocal first
            if first:
                float(skip)
            first = False

        built.hooks.after_step.add(look, 0, "planted")

    wanted = recipe("model.widths=[4]", "data.batch_size=16")
    with timing.planted(Machine()), backend(wanted):
        built = build(wanted, "cuda", tmp_path)
        once(built)
        assert profile._syncs(built, 0.005, tmp_path) == profile.Standstill()
        built.close()


@pytest.mark.parametrize("mode", ["off", "graph"])
def test_a_wait_in_an_augmentation_on_the_device_is_found(
    recipe: Read, tmp_path: Path, standin: ModuleType, mode: str
) -> None:
    wanted = recipe(
        "model.widths=[4]",
        "data.batch_size=16",
        f"train.compile={mode}",
        "techniques.slow_transform.milliseconds=0",
        "techniques.slow_transform.looks=true",
    )
    with timing.planted(Machine()), backend(wanted):
        built = build(wanted, "cuda", tmp_path)
        (place,) = profile._syncs(built, 0.005, tmp_path).places
        built.close()
    lines, start = inspect.getsourcelines(SlowTransform._sleep)
    assert place.startswith(
        f"synthetic_bottlenecks.py:{start + next(i for i, line in enumerate(lines) if '.item()' in line)} ("
    )


def waits_of(built: Build) -> Waits:
    """The waits of a few steps, without the first two."""
    with backend(built.recipe):
        events = train(built, Control())
        begun = next(e for e in events if isinstance(e, Trained))
        with found_syncs(built.device) as found:
            until = begun.step + STEPS
            next(e for e in events if isinstance(e, Trained) and e.step >= until)
    return found


def places_of(built: Build) -> set[str]:
    """Where they are."""
    return set(waits_of(built).places)
