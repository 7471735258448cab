"""A recipe, the events of a run on it, run directories, a training without a network. No pytest here, and no torch."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tests.runs.helpers import lasting
from workbench.control import Control
from workbench.events import (
    CheckFinished,
    CheckpointSaved,
    Continued,
    Evaluated,
    Event,
    Finished,
    Paused,
    PhasesMeasured,
    RunStarted,
    Stopped,
    Trained,
    to_json,
)
from workbench.profiling.operators import table_of, write_operators
from workbench.profiling.stack_tree import Frame, StackWindow, write_stacks
from workbench.recipe import Recipe, save_recipe
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import write_status
from workbench.runs.training.writer import RunWriter

HERE = Path(__file__).resolve().parent
FAKE_PREVIEW = [sys.executable, str(HERE / "fake_preview.py")]
FAKE_PROFILE = [sys.executable, str(HERE / "fake_profile.py")]
NOW = 1_800_000_000.0

RECIPE = """
name = "small"
about = "a small recipe for tests"
seed = 3

[data]
source = "digits"
batch_size = 64

[model]
name = "cnn"
widths = [16, 32, 64]
hidden = [128]

[train]
epochs = 10

[techniques.he_init]

[techniques.batch_norm]

[techniques.sgd]
learning_rate = 0.05
nesterov = true

[techniques.cosine]
warmup_epochs = 1
every = "step"
"""


def started(steps: int = 230) -> RunStarted:
    return RunStarted(
        time=NOW - 100, recipe="small", seed=3, device="cpu", steps=steps, steps_per_epoch=23, batch_size=64,
        training_images=1437, validation_images=0, test_images=360, classes=tuple("0123456789"), parameters=156_554,
        parameters_by_part={"block1": 480, "output": 1290},
        learning_rates=tuple((step, 0.05 * (1 - step / steps)) for step in range(0, steps, max(1, steps // 230))),
    )  # fmt: skip


def trained(step: int, loss: float | None = None, accuracy: float | None = None) -> Trained:
    return Trained(
        time=NOW - 100 + step / 5,
        step=step,
        epoch=step / 23,
        loss=2.3 * math.exp(-step / 40) + 0.1 * math.sin(step) ** 2 if loss is None else loss,
        accuracy=1 - 0.9 * math.exp(-step / 40) if accuracy is None else accuracy,
        learning_rate=0.05 * (1 - step / 230),
        images_per_second=512.0,
        seconds=step / 8,
    )


def evaluated(step: int) -> Evaluated:
    return Evaluated(
        time=NOW - 100 + step / 5, step=step, epoch=step / 23, split="test", loss=2.4 * math.exp(-step / 45) + 0.05,
        accuracy=0.98 - 0.88 * math.exp(-step / 45), seconds=step / 8,
    )  # fmt: skip


CHECKS = (
    CheckFinished(
        time=NOW - 100, name="input statistics", verdict="pass", expected="mean 0, std 1 per channel",
        found="mean 0.00, std 1.00", reason="normalised input lets one learning rate suit every channel and layer",
    ),
    CheckFinished(
        time=NOW - 100, name="initial loss", verdict="warn", expected="2.31", found="2.84",
        reason="ln 10 = 2.303 is the loss of a network that knows nothing; the images are off mean 0 and deviation 1",
    ),
)  # fmt: skip


def history(until: int = 150) -> list[Event]:
    """A run's events up to a step."""
    events: list[Event] = [started(), *CHECKS]
    for step in range(5, until + 1, 5):
        events.append(trained(step))
        if step % 25 == 0:
            events += [evaluated(step), CheckpointSaved(time=NOW - 100 + step / 5, step=step, file="last.pt")]
    return events


def written(path: Path, recipe: Recipe, events: Iterable[Event], state: str = "") -> RunDirectory:
    """A run directory with these events, as a writer that ended left it; ``state`` overrides what it says it is."""
    run = RunDirectory(path)
    save_recipe(recipe, run.recipe_file)
    run.events_file.write_text("".join(to_json(event) + "\n" for event in events))
    write_status(run, replace(lasting(state or "running"), started=NOW - 101))
    return run


class FakeTraining:
    """Stands in for ``execute``: writes a run as the engine would, as fast as its requests are looked at.

    steps: how long. hold: it stands still after the first point until this is set.
    """

    def __init__(self, steps: int = 230, hold: threading.Event | None = None, last: Event | None = None) -> None:
        self.steps = steps
        self.hold = hold
        self.last = last
        self.calls: list[dict[str, object]] = []

    def __call__(self, run: RunDirectory, *, device: str, data_root: Path, resume: bool, control: Control) -> str:
        self.calls.append({"run": run, "device": device, "data_root": data_root, "resume": resume})
        with RunWriter(run, control) as writer:
            for event in (started(self.steps), *CHECKS):
                writer.write(event)
            for step in range(10, self.steps + 1, 10):
                writer.write(trained(step))
                while self.hold is not None and not self.hold.is_set() and not control.stop_requested:
                    control.wait(0.02)
                    if control.pause_requested:
                        self._pause(writer, control, step)
                    if control.take_checkpoint_request():
                        writer.write(CheckpointSaved(step=step, file="last.pt"))
                if control.stop_requested:
                    writer.write(CheckpointSaved(step=step, file="last.pt"))
                    writer.write(Stopped(step=step))
                    return "stopped"
            last = self.last or Finished(step=self.steps, seconds=9.0, test_loss=0.05, test_accuracy=0.9861)
            writer.write(last)
        return last.kind

    def _pause(self, writer: RunWriter, control: Control, step: int) -> None:
        writer.write(Paused(step=step))
        while control.pause_requested and not control.stop_requested:
            control.wait(0.02)
        writer.write(Continued(step=step))


def phases(step: int) -> PhasesMeasured:
    """A step on a GPU that waits for its data."""
    return PhasesMeasured(
        time=NOW - 100 + step / 5, step=step, samples=12, every=16, step_seconds=0.2124,
        seconds={"data wait": 0.0451, "transfer": 0.0021, "augment": 0.0064, "forward": 0.0555, "backward": 0.0882,
                 "optimizer": 0.0079, "other": 0.0031},
        cost=0.003,
    )  # fmt: skip


def profiled(run: RunDirectory) -> RunDirectory:
    """A run with stacks and operators of its steps."""

    def frame(
        name: str, seconds: float, *children: Frame, file: str = "torch/nn/modules.py", user: bool = False
    ) -> Frame:
        return Frame(name, file, 79, seconds, seconds / 5.0, user, children)

    def own(name: str, seconds: float, *children: Frame, file: str) -> Frame:
        return frame(name, seconds, *children, file=f"workbench/{file}.py", user=True)

    def module(name: str, seconds: float) -> Frame:
        return frame("_call_impl", seconds, frame(f"{name}.forward", seconds))

    network = frame("Net._call_impl", 1.9, frame("Net.forward", 1.9, module("Conv2d", 1.2), module("MaxPool2d", 0.5)))
    compute = own(
        "compute", 3.4, own("Build.forward", 1.9, network, file="engine/build"),
        frame("Tensor.backward", 1.4, file="torch/_tensor.py"), file="engine/train",
    )  # fmt: skip
    crop = own("random_crop", 0.31, file="techniques/random_crop")
    batches = own("batches", 0.9, own("DevicePipeline.epoch", 0.85, crop, file="data/device"), file="engine/train")
    tree = own("train", 5.0, compute, batches, own("masked_step", 0.4, file="engine/guard"), file="engine/train")
    run.profile.mkdir(parents=True)
    write_stacks(run.profile / "stacks.json", StackWindow(150, 24, 5.0, 0.002, 2490, tree))
    measured = [("aten::convolution_backward", 45, 0.31, 0.0), ("aten::mkldnn_convolution", 45, 0.18, 0.0),
                ("aten::native_batch_norm", 40, 0.07, 0.0), ("aten::max_pool2d_with_indices", 15, 0.05, 0.0),
                ("aten::copy_", 210, 0.011, 0.0)]  # fmt: skip
    write_operators(run.profile / "operators.json", table_of(150, 5, measured))
    return run
