"""Run directories as they look after weeks of work: several recipes, states, seeds, curves. No pytest here."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.tui.fakes import RECIPE
from workbench.events import Diverged, Evaluated, Event, Finished, RunStarted, Stopped, Trained, to_json
from workbench.recipe import Recipe, read_recipe, save_recipe
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import write_note, write_tags
from workbench.runs.store.status import Status, write_status

STEPS_PER_EPOCH = 23
VARIANTS = (
    ("small", ""),
    ("small", "[techniques.cutout]\nsize = 2\n"),
    ("small", "[techniques.label_smoothing]\n[techniques.gradient_clipping]\n"),
    ("wide", ""),
    ("slow", ""),
)


def variant(name: str, techniques: str, seed: int) -> Recipe:
    """One of a few recipes."""
    text = RECIPE.replace('"small"', f'"{name}"').replace("seed = 3", f"seed = {seed}")
    if name == "wide":
        text = text.replace("[16, 32, 64]", "[32, 64, 128]")
    if name == "slow":
        text = text.replace("learning_rate = 0.05", "learning_rate = 0.01").replace("epochs = 10", "epochs = 20")
    return read_recipe(text + techniques)


def events(recipe: Recipe, draws: random.Random, until: float, begun: float, top: float) -> Iterator[Event]:
    """The curves of a run up to a share of its epochs: noise on an exponential approach to ``top``."""
    epochs = int(recipe.train.epochs)
    steps = epochs * STEPS_PER_EPOCH
    yield RunStarted(
        time=begun, recipe=recipe.name, seed=recipe.seed, device="cpu", steps=steps, steps_per_epoch=STEPS_PER_EPOCH,
        batch_size=64, training_images=1437, validation_images=0, test_images=360, classes=tuple("0123456789"),
        parameters=156_554, parameters_by_part={"block1": 480, "output": 1290},
    )  # fmt: skip
    rate, slowness = draws.uniform(0.5, 1.0), draws.uniform(5, 12)
    for step in range(5, int(steps * until) + 1, 5):
        seconds, left = step / 8 / rate, 0.9 ** (step / slowness)
        yield Trained(
            time=begun + seconds, step=step, epoch=step / STEPS_PER_EPOCH, loss=2.2 * left + 0.05 + draws.random() / 20,
            accuracy=1 - 0.9 * left, learning_rate=0.05, images_per_second=512 * rate, seconds=seconds,
        )  # fmt: skip
        if step // STEPS_PER_EPOCH != (step - 5) // STEPS_PER_EPOCH:
            yield Evaluated(
                time=begun + seconds, step=step, epoch=step / STEPS_PER_EPOCH, split="test", loss=2.2 * left + 1 - top,
                accuracy=top * (1 - left) - draws.random() / 200, seconds=seconds,
            )  # fmt: skip


def many_runs(root: Path, count: int, now: float, seed: int = 0) -> list[RunDirectory]:
    """Make runs that were begun in the hours before ``now``, the newest last; the same for the same arguments."""
    draws = random.Random(seed)
    made = []
    for number in range(count):
        name, techniques = VARIANTS[number % len(VARIANTS)]
        recipe = variant(name, techniques, number // len(VARIANTS))
        begun = now - (count - number) * 3600 * draws.uniform(0.9, 1.0)
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(begun))
        run = RunDirectory(root / f"{stamp}-{name}-{number:04x}")
        made.append(run)
        save_recipe(recipe, run.recipe_file)
        state = "finished" if number % 7 else draws.choice(["diverged", "stopped", "failed"])
        top = 0.95 + number % 5 / 100 + draws.random() / 200
        found = list(events(recipe, draws, 1.0 if state == "finished" else 0.4, begun, top))
        last_step = found[-1].step  # type: ignore[attr-defined]
        tests = [event for event in found if isinstance(event, Evaluated)]
        trained = [event for event in found if isinstance(event, Trained)][-1]
        if state == "finished":
            found.append(Finished(time=trained.time, step=last_step, seconds=trained.seconds,
                                  test_loss=tests[-1].loss, test_accuracy=tests[-1].accuracy))  # fmt: skip
        elif state == "diverged":
            found.append(Diverged(time=trained.time, step=last_step, what="loss", layer="block3", indices=(1,),
                                  reason="the loss is not finite; lower the learning rate"))  # fmt: skip
        elif state == "stopped":
            found.append(Stopped(time=trained.time, step=last_step))
        run.events_file.write_text("".join(to_json(event) + "\n" for event in found))
        steps = int(recipe.train.epochs) * STEPS_PER_EPOCH
        status = Status(
            state, pid=1, host="box", heartbeat=trained.time, step=last_step, steps=steps, epoch=trained.epoch,
            loss=trained.loss, accuracy=trained.accuracy, images_per_second=trained.images_per_second,
            test_accuracy=tests[-1].accuracy, test_loss=tests[-1].loss, device="cpu", started=begun, seed=recipe.seed,
            seconds=trained.seconds,
        )  # fmt: skip
        message = {"failed": "out of memory", "diverged": "the loss is not finite; lower the learning rate"}
        write_status(run, replace(status, message=message.get(state, "")))
        if number % 6 == 1:
            write_tags(run, ["paper"])
        if number % 10 == 1:
            write_note(run, "with cutout, for the table")
    return made
