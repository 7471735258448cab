"""``train.compile = "auto"``, the default: recorded steps on a GPU, and not one bit of a run is another for it.

Curves, evaluations, weights and all that a checkpoint holds, over two epochs with a smaller last batch, for each
technique and packaged recipe; stopped and resumed; and where memory is too small for a recording.
"""

from __future__ import annotations

import gc
import weakref
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.checks.conftest import feeding, small_digits
from tests.cuda.test_graph_refused import alike
from tests.engine import conftest
from tests.engine.conftest import LooksAt, Make, run, same, weights
from tests.techniques.table import NAMES, trial
from tests.test_recipes import FEW_CHANNELS, PATHS, Noise
from workbench.control import Control
from workbench.engine.build import Build, build
from workbench.engine.recorder import Recorder
from workbench.engine.state import Checkpoints
from workbench.engine.train_state import TrainState
from workbench.events import Evaluated, Event, Noted, RunStarted, Stopped, Trained
from workbench.recipe import Recipe, read_recipe, read_recipe_file
from workbench.runs.store.directory import create_run
from workbench.runs.training.execute import execute

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("standin")]


SHORT = {
    **dict.fromkeys(("v3", "v4", "v5", "v6", "dreamfire", "dreamfire-sgd"), ("techniques.cosine.warmup_epochs=1",)),
    "fast94-cpu": ("train.epochs=5",),  # in which one size of images lasts long enough to be recorded
}
QUICK = ("digits", "v0", "v6", "ninety-four", "fast94", "resnet20")
make, make_small = conftest.make, conftest.make_small


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each recording of a step."""
    return counted(monkeypatch, "record")


@pytest.fixture
def batches_recorded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with each recording of what makes batches."""
    return counted(monkeypatch, "record_at_once")


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[int]:
    found: list[int] = []
    record = getattr(Recorder, name)

    def count(recorder: Recorder, function: Any) -> Any:
        made = record(recorder, function)
        found.append(len(found))
        return made

    monkeypatch.setattr(Recorder, name, count)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_technique_trains_to_the_same_bits(
    name: str, tmp_path: Path, recorded: list[int], batches_recorded: list[int]
) -> None:
    """Two epochs of seven steps and a smaller one, stopped after the second's first and gone on with."""
    extra = ("train.log_every=1", "train.epochs=2", "data.batch_size=32", "data.validation=0.1")
    recipe = feeding(trial(name, extra=extra), small_digits(266, 64))
    plain = trained(with_mode(recipe, "off"), tmp_path / "off")
    assert not recorded
    found = trained(with_mode(recipe, "auto"), tmp_path / "auto", stop_at=8)
    assert recorded and not notes(found)
    assert len(batches_recorded) == 4  # both that make one, in the first epoch and after the stop
    assert_alike(found, plain)


@pytest.mark.parametrize(
    "path",
    [path if path.stem in QUICK else pytest.param(path, marks=pytest.mark.slow) for path in PATHS],
    ids=lambda path: path.stem,
)
def test_a_packaged_recipe_trains_to_the_same_bits(
    path: Path, tmp_path: Path, recorded: list[int], batches_recorded: list[int]
) -> None:
    """Two epochs of four steps of eight images and a smaller one, the widest networks with fewer channels."""
    extra = (
        "data.batch_size=8",
        "train.log_every=1",
        "train.epochs=2",
        *SHORT.get(path.stem, ()),
        *FEW_CHANNELS.get(path.stem, ()),
    )
    recipe = read_recipe_file(path, overrides=extra)
    recipe = feeding(recipe, Few(100 if recipe.data.source == "cifar100" else 10).load(tmp_path))
    plain = trained(with_mode(recipe, "off"), tmp_path / "off")
    found = trained(with_mode(recipe, "auto"), tmp_path / "auto", stop_at=6)
    assert recorded and batches_recorded and not notes(found)
    assert_alike(found, plain)


class Few(Noise):
    """Thirty-six images of noise."""

    IMAGES = 36


def test_it_is_what_a_recipe_has_that_says_nothing(digits_recipe: str) -> None:
    assert read_recipe(digits_recipe.replace('compile = "off"\n', "")).train.compile == "auto"


@pytest.mark.parametrize("at", ["first", "later"])
def test_memory_that_is_too_small_for_a_recording(
    make_small: Make, standin: ModuleType, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """The run goes on as written, says so, and ends at the same bits."""
    changes = ("train.log_every=1", "train.epochs=1.6", "techniques.freeze_layers.start=0.5")
    plain = make_small(*changes, device="cuda")
    expected = run(plain)
    record, times = Recorder.record, {"first": 1, "later": 2}[at]
    calls: list[int] = []

    def full(recorder: Recorder, function: Any) -> Any:
        calls.append(1)
        if len(calls) < times:
            return record(recorder, function)
        torch.cuda.empty_cache()
        with standin.memory(standin.used(0) >> 20, 0):
            return record(recorder, lambda: function() + torch.empty(2**28, device="cuda:0").sum())

    monkeypatch.setattr(Recorder, "record", full)
    found = make_small(*changes, "train.compile=auto", device="cuda")
    events = run(found, state=(state := TrainState.of(found)))
    assert len(calls) == times
    assert figures(events) == figures(expected)
    assert same(weights(found), weights(plain))
    (note,) = [event.message for event in events if isinstance(event, Noted)]
    assert note.startswith('train.compile = "auto": this step cannot be recorded') and "out of memory" in note
    assert state.execution.mode == "off" and "out of memory" in str(state.execution)


@pytest.mark.parametrize("where", ["evaluation", "a step that is looked into"])
def test_recordings_give_their_memory_up_where_the_rest_lacks_it(
    make: Make, standin: ModuleType, recorded: list[int], where: str
) -> None:
    """The device gets full once steps are recorded; what would have trained without them goes on."""
    changes = (
        "train.log_every=1", "train.epochs=1", "train.eval_every=0.6", "data.eval_batch_size=64",
        "model.widths=[32,64]", "techniques.dropout.rate=0.2", "techniques.mixed_precision.dtype=fp16",
    )  # fmt: skip

    observers = [LooksAt(12)] if where == "a step that is looked into" else []
    plain = make(*changes, device="cuda")
    expected = run(plain, observers=observers)
    found = make(*changes, "train.compile=auto", device="cuda")
    with ExitStack() as stack:

        def fill(event: Event) -> None:
            if isinstance(event, Trained) and event.step == 10:
                assert recorded
                torch.cuda.empty_cache()
                stack.enter_context(standin.memory(standin.used(0) >> 20, 0))

        events = run(found, on_event=fill, observers=observers)
    notes = [event.message for event in events if isinstance(event, Noted)]
    assert notes == [
        'train.compile = "auto": recordings left too little memory for the rest; steps run without a graph'
    ]
    assert figures(events) == figures(expected)
    assert same(weights(found), weights(plain))


class OfSomebodysOwn(torch.optim.AdamW):
    """What a plugin may bring: neither fused nor told anything of recording."""


@pytest.mark.parametrize("memory", ["enough", "too little to record"])
@pytest.mark.parametrize("foreach", [True, None])
def test_an_optimizer_of_a_plugins_own_trains_recorded_or_not(
    make_small: Make, standin: ModuleType, monkeypatch: pytest.MonkeyPatch, foreach: bool | None, memory: str
) -> None:
    """Its rate is a number or a tensor, where it wants it, from a first step that is looked into."""

    def planted(*more: str) -> Build:
        built = make_small("train.epochs=1", "train.log_every=1", *more, device="cuda")
        optimizer = OfSomebodysOwn(built.model.parameters(), lr=0.01, foreach=foreach)
        return built.with_(optimizer=optimizer, base_rates=(0.01,))

    def refused(*arguments: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    expected = run(planted("train.compile=off"), observers=[LooksAt(0)])
    if memory != "enough":
        monkeypatch.setattr(Recorder, "record", refused)
    found = planted("train.compile=auto")
    events = run(found, observers=[LooksAt(0)], state=(state := TrainState.of(found)))
    assert state.execution.mode == ("graph" if memory == "enough" else "off")
    losses = [[event.loss for event in each if isinstance(event, Trained)] for each in (expected, events)]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)  # bias correction in 32 bits where it is recorded
    if memory != "enough":
        assert not any(isinstance(group["lr"], torch.Tensor) for group in found.optimizer.param_groups)
        assert {state["step"].device.type for state in found.optimizer.state.values()} == {"cpu"}


def test_an_update_that_broke_off_is_not_done_again(
    make_small: Make, monkeypatch: pytest.MonkeyPatch, recorded: list[int]
) -> None:
    """Muon has its momenta by then; what is kept of the run is its last checkpoint."""
    from workbench.optimizers import muon

    changes = ("techniques.sgd.enabled=false", "techniques.muon=on", "train.epochs=1", "train.compile=auto")
    built = make_small(*changes, device="cuda")
    state = TrainState.of(built)
    orthogonalise, calls = muon.orthogonalise, []

    def full(*arguments: Any, **more: Any) -> Any:
        if state.step == 12:
            calls.append(1)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return orthogonalise(*arguments, **more)

    monkeypatch.setattr(muon, "orthogonalise", full)
    with pytest.raises(torch.OutOfMemoryError):
        run(built, observers=[LooksAt(12)], state=state)
    assert recorded and len(calls) == 1


def test_a_build_whose_steps_were_recorded_goes_with_its_last_reference(tmp_path: Path, recorded: list[int]) -> None:
    """Its images and weights lie on the GPU, whose memory nobody would look for cycles to get."""
    recipe = feeding(trial("dropout", extra=("train.compile=auto", "train.epochs=1")), small_digits())
    built = build(recipe, "cuda", tmp_path)
    run(built)
    built.close()
    known = weakref.ref(built)
    gc.disable()
    try:
        del built
        assert recorded and known() is None
    finally:
        gc.enable()


def figures(events: list[Event]) -> list[object]:
    return [figure(event) for event in events if isinstance(event, Trained | Evaluated)]


def with_mode(recipe: Recipe, mode: str) -> Recipe:
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"compile": mode})})


def trained(recipe: Recipe, folder: Path, stop_at: int | None = None) -> tuple[Build, list[Event], dict[str, Any]]:
    """The build at its end, all events, the last checkpoint; perhaps stopped after a step, and resumed by another."""
    folder.mkdir()
    checkpoints, events = Checkpoints(folder), []
    if stop_at is not None:
        control = Control()

        def stop(event: Event) -> None:
            if isinstance(event, Trained) and event.step == stop_at:
                control.stop()

        first = build(recipe, "cuda", folder)
        events += run(first, control, checkpoints, on_event=stop)
        first.close()
        assert isinstance(events[-1], Stopped)
    built = build(recipe, "cuda", folder)
    events += run(built, Control(), checkpoints, checkpoints.load() if stop_at else None)
    built.close()
    state = checkpoints.load()
    assert state is not None
    return built, events, state


def notes(found: tuple[Build, list[Event], dict[str, Any]]) -> list[str]:
    return [event.message for event in found[1] if isinstance(event, Noted)]


def figure(event: Event) -> tuple[object, ...]:
    assert isinstance(event, Trained | Evaluated)
    return type(event).__name__, event.step, repr(event.loss), repr(event.accuracy)


def assert_alike(
    found: tuple[Build, list[Event], dict[str, Any]], plain: tuple[Build, list[Event], dict[str, Any]]
) -> None:
    assert figures(found[1]) == figures(plain[1])
    assert same(weights(found[0]), weights(plain[0]))
    assert alike(found[2], plain[2])


def test_a_recorded_run_goes_on_on_a_cpu(make_small: Make, tmp_path: Path, recorded: list[int]) -> None:
    """With an optimizer of torch's that counts on the device only where it is recorded."""

    def planted(device: str) -> Build:
        build = make_small("train.log_every=1", "train.epochs=1", "train.compile=auto", device=device)
        return build.with_(optimizer=torch.optim.NAdam(build.model.parameters(), lr=0.002), base_rates=(0.002,))

    whole = run(planted("cpu"))
    control, checkpoints = Control(), Checkpoints(tmp_path)

    def stop(event: Event) -> None:
        if isinstance(event, Trained) and event.step == 7:
            control.stop()

    run(planted("cuda"), control, checkpoints, on_event=stop)
    assert recorded
    rest = run(planted("cpu"), Control(), checkpoints, checkpoints.load())
    wanted = {event.step: event.loss for event in whole if isinstance(event, Trained)}
    found = {event.step: event.loss for event in rest if isinstance(event, Trained)}
    assert len(found) > 10 and found == pytest.approx({step: wanted[step] for step in found}, rel=1e-3)


@pytest.mark.parametrize("recordable", [True, False])
def test_a_run_says_what_it_became_and_why(
    digits_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recordable: bool
) -> None:
    """In its first event, its recipe, and a note where it turned out otherwise; resumed, it is the same recipe."""
    if not recordable:

        def refuse(recorder: Recorder, function: Any) -> Any:
            raise RuntimeError("operation not permitted when stream is capturing")

        monkeypatch.setattr(Recorder, "record", refuse)
    recipe = read_recipe(digits_recipe.replace('compile = "off"\n', ""), overrides=("train.epochs=0.5",))
    made = create_run(tmp_path, recipe)
    events: list[Event] = []
    assert execute(made, device="cuda:0", data_root=tmp_path, on_event=events.append) == "finished"
    (started,) = [event for event in events if isinstance(event, RunStarted)]
    planned = "recorded as a CUDA graph (auto: a GPU; an epoch's last, of 30 images, as written)"
    assert started.execution == planned
    line = next(line for line in made.recipe_file.read_text().splitlines() if line.startswith("compile"))
    if recordable:
        assert line == f'compile = "auto" # here: {planned}'
    else:
        assert line.startswith('compile = "auto" # here: as written (auto: ') and "stream is capturing" in line
    said = [event.message for event in events if isinstance(event, Noted)]
    assert any("cannot be recorded" in each for each in said) == (not recordable)
    assert made.recipe() == recipe.model_copy(update={"train": made.recipe().train})
    assert execute(made, device="cpu", data_root=tmp_path, resume=True) == "finished"
    assert 'compile = "auto" # here: as written (auto: a CPU' in made.recipe_file.read_text()
