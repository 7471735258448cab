"""Stacks and traces of a real training: asked for while it trains, and nothing of its numbers changes."""

from __future__ import annotations

from pathlib import Path

from tests.profiling.conftest import Read
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import build
from workbench.engine.train import train
from workbench.events import Event, Finished, Noted, Trained
from workbench.profiling.instruments import Instruments
from workbench.profiling.saved import SavedReader
from workbench.profiling.stack_tree import Frame
from workbench.recipe import Recipe


def trained(recipe: Recipe, folder: Path, *asked: str) -> list[Event]:
    control = Control()
    for name in asked:
        control.measure(name)
    with backend(recipe):
        built = build(recipe, "cpu", folder)
        try:
            return list(train(built, control, observers=[Instruments(folder / "profile")]))
        finally:
            built.close()


def names(frame: Frame) -> set[str]:
    return {frame.name}.union(*map(names, frame.children))


def test_stacks_and_a_trace_of_a_training(recipe: Read, tmp_path: Path) -> None:
    wanted = recipe("train.epochs=1", "train.log_every=5")
    watched, alone = trained(wanted, tmp_path, "stacks", "trace"), trained(wanted, tmp_path / "alone")
    said = [event.message for event in watched if isinstance(event, Noted)]
    assert any("trace of 5 steps is in profile/trace.json.gz" in message for message in said)
    assert any("are in profile/stacks.html" in message for message in said)
    saved = SavedReader(tmp_path / "profile").read_new()
    assert saved is not None and saved.stacks is not None and saved.operators is not None
    assert {"Build.forward", "Tensor.backward"} <= names(saved.stacks.tree)
    assert {"aten::mkldnn_convolution", "aten::convolution_backward"} & {o.name for o in saved.operators.operators}
    assert saved.operators.steps == 5 and saved.operators.step == 7  # one step warms up
    losses = [[e.loss for e in events if isinstance(e, Trained)] for events in (watched, alone)]
    assert losses[0] == losses[1]
    ends = [next(e for e in events if isinstance(e, Finished)) for events in (watched, alone)]
    assert ends[0].test_loss == ends[1].test_loss


def test_what_is_saved_is_read_once(recipe: Read, tmp_path: Path) -> None:
    reader = SavedReader(tmp_path / "profile")
    assert reader.read_new() is None
    trained(recipe("train.epochs=1"), tmp_path, "trace")
    first = reader.read_new()
    assert first is not None and first.operators is not None and first.stacks is None
    assert reader.read_new() is None
    (tmp_path / "profile" / "stacks.json").write_text('{"torn')
    assert reader.read_new() is None
