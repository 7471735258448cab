"""The selftest's trainings. Each function says in a few words what it found, or raises Wrong."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import torch

from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import Build, build
from workbench.engine.state import Checkpoints
from workbench.engine.train import train
from workbench.engine.train_state import TrainState
from workbench.events import Event, Finished, Noted, Trained
from workbench.format import percent
from workbench.out_of_memory import out_of_memory as is_out_of_memory
from workbench.precision import native_formats
from workbench.recipe import read_recipe

RECIPE = """
format = 1
name = "selftest"
seed = 5

[data]
source = "digits"
batch_size = 64
drop_last = true

[model]
name = "cnn"
widths = [16, 32]
hidden = [32]

[train]
epochs = 3
compile = "off"
threads = 1
log_every = 1
eval_every = 100
checkpoint_every = 100

[techniques.batch_norm]

[techniques.sgd]
learning_rate = 0.05

[techniques.cosine]
every = "step"

[techniques.random_crop]
padding = 1
"""

LEARNED = 0.8
"""Test accuracy that every precision reaches within these three epochs; guessing has 0.1."""

STILL = 1e-6
"""Losses of the same images in another order differ by less: sums are rounded otherwise."""

EXACT = ("train.deterministic=true", "train.tf32=false")


class Wrong(Exception):
    """Something is not as it must be; one line."""


def learns(device: str) -> str:
    """Both pipelines: the same batches, and a network that learns from them."""
    shares = {}
    with _built(device, "data.pipeline=device") as one, _built(device, "data.pipeline=loader", "data.workers=0") as two:
        for step in (0, 5):
            a, b = one.pipeline.batch(1, step), two.pipeline.batch(1, step)
            if not torch.equal(a.indices.cpu(), b.indices.cpu()) or not torch.equal(a.labels.cpu(), b.labels.cpu()):
                raise Wrong(f"the two pipelines feed different images in step {step}")
            if int((a.images.cpu().int() - b.images.cpu().int()).abs().max()) > 1:
                raise Wrong(f"the two pipelines augment the images of step {step} differently")
        for name, each in (("device", one), ("loader", two)):
            shares[name] = _learned(each, f"{name} pipeline")
    return ", ".join(f"{name} pipeline {percent(share, 1)}" for name, share in shares.items())


def precision(device: str) -> str:
    """Every number format that the device has learns."""
    formats = native_formats(torch.device(device))
    wanted = {"fp32": ("train.tf32=false",)}
    if device != "cpu":
        wanted["TF32"] = ("train.tf32=true",)
    wanted |= {name: (f"techniques.mixed_precision.dtype={name}",) for name in formats}
    if formats:
        wanted["half weights"] = (f"techniques.half_weights.dtype={formats[0]}",)
    shares = {}
    for name, changes in wanted.items():
        with _built(device, *changes) as each:
            shares[name] = _learned(each, name)
    text = ", ".join(f"{name} {percent(share, 1)}" for name, share in shares.items())
    return text if formats else f"{text}; the device has no 16-bit format of its own"


def resume(device: str) -> str:
    """Straight through, and stopped in the middle and resumed: the same bits."""
    with _built(device, *EXACT) as straight:
        _events(straight)
        expected = _weights(straight)
        middle = straight.steps_per_epoch + straight.steps_per_epoch // 2
    with tempfile.TemporaryDirectory() as folder:
        control, checkpoints = Control(), Checkpoints(Path(folder))

        def stop(event: Event) -> None:
            if isinstance(event, Trained) and event.step == middle:
                control.stop()

        with _built(device, *EXACT) as first:
            _events(first, control, checkpoints, hear=stop)
        with _built(device, *EXACT) as second:
            _events(second, Control(), checkpoints, checkpoints.load())
            found, steps = _weights(second), second.steps
    different = [name for name in expected if not torch.equal(expected[name], found[name])]
    if different:
        raise Wrong(f"resumed at step {middle}, {len(different)} of {len(expected)} tensors differ: {different[0]}, …")
    return f"resumed at step {middle} of {steps}: all bits agree"


def like_the_cpu(device: str) -> str:
    """The first losses in fp32 are those of the CPU."""
    found, expected = (_losses(each, *EXACT)[:10] for each in (device, "cpu"))
    away = _apart(found, expected)
    if away > 0.01:
        raise Wrong(f"its first ten losses are up to {100 * away:.2g} % from those of the CPU")
    return f"its first ten losses are within {100 * away:.2g} % of those of the CPU"


def recorded(device: str) -> str:
    """Graph mode gives the eager losses, while the learning rate changes at every step."""
    rates = []
    with _built(device, *EXACT, "train.compile=graph") as each:

        def hear(event: Event) -> None:
            if isinstance(event, Trained):
                rates.append((float(each.optimizer.param_groups[0]["lr"]), each.learning_rate(event.step - 1)))

        events = _events(each, hear=hear)
        weights = _weights(each)
    if notes := [event.message for event in events if isinstance(event, Noted)]:
        raise Wrong(notes[0])
    if wrong := [at for at, (is_, should) in enumerate(rates) if abs(is_ - should) > 1e-6 + 1e-4 * abs(should)]:
        raise Wrong(f"the learning rate of step {wrong[0] + 1} is not the schedule's")
    found = [event.loss for event in events if isinstance(event, Trained)]
    with _built(device, *EXACT) as plain:
        expected = [event.loss for event in _events(plain) if isinstance(event, Trained)]
        others = _weights(plain)
    away = _apart(found[:20], expected[:20])
    if away > 0.01:
        raise Wrong(f"losses of the first 20 steps are up to {100 * away:.2g} % from those of eager steps")
    same = all(torch.equal(weights[name], others[name]) for name in weights)
    bits = "the same weights bit for bit at the end" if same else "other last digits at the end"
    return f"{len(found)} steps, the first 20 within {100 * away:.2g} %, {bits}"


def draws(device: str) -> str:
    """With weights that stand still and one batch of all images, only dropout changes the loss from step to step."""
    with _built("cpu") as each:
        images = each.training_images
    still = (
        "train.compile=graph", "train.epochs=12", f"data.batch_size={images}", "techniques.sgd.learning_rate=1e-12",
        "techniques.random_crop.enabled=false", "techniques.cosine.enabled=false", "model.widths=[4, 8]",
    )  # fmt: skip
    losses = _losses(device, *still, "techniques.dropout.rate=0.5")[6:]  # those of repeated recordings
    apart = min(abs(a - b) for a, b in pairwise(losses))
    if apart < STILL:
        raise Wrong(f"two repeated steps have the same loss, {losses[0]:.5f}: the same units are dropped at each")
    return f"{len(losses)} repeated steps, their losses at least {apart:.1g} apart"


def waits(device: str) -> str:
    """With the alarm for waiting on, steps run as they are."""
    with _built(device, "train.log_every=1000") as each:
        state = TrainState.of(each)
        each.model.register_forward_pre_hook(lambda *_: _alarm(state))
        try:
            with backend(each.recipe, each.device):
                for _ in train(each, Control(), state=state):
                    torch.cuda.set_sync_debug_mode("default")
        except RuntimeError as error:
            if "synchroniz" not in str(error):
                raise
            raise Wrong(f"step {state.step} waits for the device: {str(error).splitlines()[0][:200]}") from error
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return f"{each.steps} steps, none waits but at an epoch's ends"


def _alarm(state: TrainState) -> None:
    epoch = state.build.steps_per_epoch
    torch.cuda.set_sync_debug_mode("error" if 1 < state.step % epoch < epoch - 1 else "default")


def out_of_memory(device: str) -> str:
    """Asking for more than there is raises the error that a run's advice hears of; the device works on."""
    total = torch.cuda.get_device_properties(device).total_memory
    try:
        torch.empty(2 * total, dtype=torch.uint8, device=device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    else:
        raise Wrong("twice its memory was handed out")
    if int((torch.ones(100, device=device) * 2).sum()) != 200:
        raise Wrong("after it, the device computes wrong numbers")
    return "recognised, and a sum after it is right"


@contextmanager
def _built(device: str, *changes: str) -> Iterator[Build]:
    # The embedded digits need no folder of data sets.
    made = build(read_recipe(RECIPE, overrides=changes), device, Path(tempfile.gettempdir()))
    try:
        yield made
    finally:
        made.close()


def _events(
    each: Build,
    control: Control | None = None,
    checkpoints: Checkpoints | None = None,
    resume: dict[str, object] | None = None,
    hear: Callable[[Event], object] = lambda event: None,
) -> list[Event]:
    found = []
    with backend(each.recipe, each.device):
        for event in train(each, control or Control(), checkpoints, resume):
            found.append(event)
            hear(event)
    return found


def _learned(each: Build, what: str) -> float:
    end = _events(each)[-1]
    if not isinstance(end, Finished):
        raise Wrong(f"{what}: the training ended with {type(end).__name__.lower()}")
    if end.test_accuracy < LEARNED:
        raise Wrong(f"{what}: {percent(end.test_accuracy, 1)} of the test images right after three epochs")
    return end.test_accuracy


def _losses(device: str, *changes: str) -> list[float]:
    with _built(device, *changes) as each:
        return [event.loss for event in _events(each) if isinstance(event, Trained)]


def _weights(each: Build) -> dict[str, torch.Tensor]:
    return {name: copy.deepcopy(value.detach()).cpu() for name, value in each.model.state_dict().items()}


def _apart(found: list[float], expected: list[float]) -> float:
    """The largest difference as a share of the expected loss."""
    if len(found) != len(expected) or not found:
        raise Wrong(f"{len(found)} losses in place of {len(expected)}")
    return max(abs(a - b) / max(abs(b), 1e-3) for a, b in zip(found, expected, strict=True))
