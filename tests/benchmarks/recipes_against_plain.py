"""Recipes beside plain scripts of the same settings on CIFAR-10 and the CPU.

    python tests/benchmarks/recipes_against_plain.py accuracy --data-root FOLDER [--recipes v0 v1] [--seeds 42 43 44]
    python tests/benchmarks/recipes_against_plain.py loss --data-root FOLDER --recipes resnet18

accuracy: on the test set after the first part of each recipe (PARTS; schedules as long as the whole recipe's), ours and
the plain script at the same time, one thread and one core each, cores swapped from seed to seed. loss: for networks too
large for that, the mean training loss over the second half of the first STEPS steps. Every measurement is a process of
its own and a JSON line in ``--results``; what stands there is not measured again. Prints a table, and the lines for
recipes/measured.jsonl. Speed is ``speed_against_plain.py``'s.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WHO = ("ours", "plain")
PARTS = {
    **dict.fromkeys(("v0", "v1", "v2", "v3", "v4", "v5", "v6"), 2.0),
    **dict.fromkeys(("resnet20", "resnet32"), 1.0),
    "basic-cnn": 10.0,
    **dict.fromkeys(("deeper-cnn", "resnet18", "dreamfire", "dreamfire-sgd", "ninety-four"), 0.2),
}
"""Epochs of each recipe after which accuracy and speed are measured."""

STEPS = 24
"""Steps in whose second half the loss is measured."""

IN_FP32 = ("mixed_precision", "half_weights")
"""Switched off in both: this is about the recipe, and 16-bit arithmetic is slow on many CPUs."""


class Measurement:
    """One training in a process of its own, on one core with one thread."""

    def __init__(self, who: str, recipe: str, seed: int, epochs: float | None, core: int, data_root: str) -> None:
        self.who, self.loss = who, epochs is None
        self._folder = tempfile.TemporaryDirectory()
        if who == "plain":
            command = [sys.executable, str(HERE / "plain_recipes.py"), recipe, "--seed", str(seed)]
            command += ["--steps", str(STEPS)] if self.loss else ["--epochs", str(epochs)]
            command += ["--threads", "1"]
        else:
            command = [sys.executable, "-m", "workbench", "run", recipe, "--json", "--device", "cpu"]
            command += ["--runs", self._folder.name, "--seed", str(seed)]
            settings = [f"train.eval_every={epochs or 1000}", f"train.log_every={STEPS // 2 if self.loss else 10}"]
            settings += ["train.threads=1", "train.checkpoint_every=1000"]
            text = (HERE.parent.parent / "recipes" / f"{recipe}.toml").read_text()
            settings += [f"techniques.{name}.enabled=false" for name in IN_FP32 if f"[techniques.{name}]" in text]
            for setting in settings:
                command += ["--set", setting]
        self._process = subprocess.Popen(
            [*command, "--data-root", data_root],
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE.parent.parent,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )

    def result(self) -> dict[str, Any]:
        """Wait for it: test_accuracy or loss, images_per_second, seconds."""
        assert self._process.stdout is not None
        found: dict[str, Any] = {}
        for line in self._process.stdout:
            event = json.loads(line)
            if self.who == "plain":
                found = event
            elif event["kind"] == "run_started":
                batch_size, images = event["batch_size"], event["training_images"]
                per_epoch = event["steps_per_epoch"]
            elif self.loss and event["kind"] == "trained" and event["step"] == STEPS:
                rate = STEPS * batch_size / event["seconds"]
                found = {"loss": event["loss"], "images_per_second": rate, "seconds": event["seconds"]}
                self._process.send_signal(signal.SIGKILL)
            elif event["kind"] == "evaluated" and event["split"] == "test" and not found:
                epochs, rest = divmod(event["step"], per_epoch)
                trained_on = epochs * min(images, per_epoch * batch_size) + rest * batch_size
                found = {
                    "test_accuracy": event["accuracy"],
                    "images_per_second": trained_on / event["seconds"],
                    "seconds": event["seconds"],
                }
                self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()
        if not found:
            raise SystemExit(f"{self.who} failed")
        return found


def main() -> None:
    """Measure what is missing, print the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("what", choices=["accuracy", "loss"])
    arguments.add_argument("--data-root", required=True)
    arguments.add_argument("--recipes", nargs="+", choices=PARTS, default=["v0", "v1", "v2"])
    arguments.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    arguments.add_argument("--results", type=Path)
    given = arguments.parse_args()
    results: Path = given.results or Path(f"recipes_{given.what}.jsonl")

    lines = results.read_text().splitlines() if results.exists() else []
    done = {(r["recipe"], r["seed"], r["who"]): r for r in map(json.loads, lines)}
    cores = sorted(os.sched_getaffinity(0))[:2]
    for turn, seed in enumerate(given.seeds):
        for recipe in given.recipes:
            pair = WHO if turn % 2 == 0 else WHO[::-1]
            epochs = PARTS[recipe] if given.what == "accuracy" else None
            running = [
                Measurement(who, recipe, seed, epochs, core, given.data_root)
                for who, core in zip(pair, cores, strict=True)
                if (recipe, seed, who) not in done
            ]
            for one in running:
                who, result = one.who, one.result()
                done[recipe, seed, who] = {"recipe": recipe, "seed": seed, "who": who, **result}
                with results.open("a") as file:
                    file.write(json.dumps(done[recipe, seed, who]) + "\n")
                print(json.dumps(done[recipe, seed, who]), file=sys.stderr, flush=True)
    table(list(done.values()), given.what)
    for recipe in dict.fromkeys(recipe for recipe, _, _ in done):
        rows = [r for r in done.values() if r["recipe"] == recipe]
        print(json.dumps(published(recipe, rows, loss=given.what == "loss")))


def table(done: list[dict[str, Any]], what: str) -> None:
    """Means and deviations of the accuracy or the loss."""
    print(f"| recipe | who | {what}, mean ± std | seeds |\n|---|---|---|---|")
    for recipe in dict.fromkeys(r["recipe"] for r in done):
        for who in WHO:
            rows = [r for r in done if (r["recipe"], r["who"]) == (recipe, who)]
            found = summary(rows, loss=what == "loss")
            print(f"| {recipe} | {who} | {found['mean']:.4f} ± {found['std']:.4f} | {len(rows)} |")


def summary(rows: list[dict[str, Any]], *, loss: bool) -> dict[str, Any]:
    """Mean and standard deviation (0 for a single seed) of the test accuracy or the training loss."""
    values = [r["loss" if loss else "test_accuracy"] for r in rows]
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    seeds = sorted(r["seed"] for r in rows)
    return {"mean": round(statistics.mean(values), 4), "std": round(deviation, 4), "seeds": seeds}


def published(recipe: str, rows: list[dict[str, Any]], *, loss: bool) -> dict[str, Any]:
    """A line of recipes/measured.jsonl."""
    from importlib.metadata import version

    ours, plain = (summary([r for r in rows if r["who"] == who], loss=loss) for who in WHO)
    versions = f"Python {platform.python_version()}, torch {version('torch')}, torchvision {version('torchvision')}"
    text = (HERE.parent.parent / "recipes" / f"{recipe}.toml").read_text()
    off = [name for name in IN_FP32 if f"[techniques.{name}]" in text]
    part = {"steps": STEPS} if loss else {"epochs": PARTS[recipe]}
    line = {"recipe": recipe, **part, "ours": ours, "plain": plain, "off": off}
    return line | {"versions": versions, "date": time.strftime("%Y-%m-%d")}


if __name__ == "__main__":
    main()
