"""What the checks cost: seconds before a run, and the share of the training thread's time that they take during it.

    python -m tests.benchmarks.check_cost RECIPE [--data-root FOLDER] [--set …] [--steps 200]

The checks before a run are made three times on one build. Then the recipe trains ``--steps`` steps while every call of
a check (looks in the step, hooks, judgements at the points of the curves) is timed by itself with the thread's
processor time: other processes do not count in it, and pairs of whole runs cannot tell a hundredth on a busy machine.
CPU only: on a GPU a call returns before its work is done.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from workbench.checks.base import Check, Result
from workbench.checks.dead_units import _DeadObserver
from workbench.checks.preflight import preflight
from workbench.checks.run_checks import RunChecks
from workbench.checks.watching import Watching
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import build
from workbench.engine.train import train
from workbench.events import Trained
from workbench.paths import data_root
from workbench.recipe import read_recipe_file
from workbench.runs.find.resolve import resolve_recipe
from workbench.step import StepContext

spent: Counter[str] = Counter()


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its processor time added to what ``name`` has spent."""

    def call(*arguments: Any) -> Any:
        begun = time.thread_time()
        try:
            return function(*arguments)
        finally:
            spent[name] += time.thread_time() - begun

    return call


def time_every_call() -> None:
    """Put a clock around everything that checks do in a training."""
    changed, see = Watching._changed, _DeadObserver._see

    def observe(self: Watching, context: StepContext) -> None:
        for spec, watch in self._watches:
            if watch.due(context):
                timed(spec.name, watch.observe)(context)

    def judged(self: Watching, spec: Check, ask: Callable[[], Result | None]) -> Any:
        return changed(self, spec, timed(spec.name, ask))  # type: ignore[arg-type]

    Watching.observe = observe  # type: ignore[method-assign]
    Watching._changed = judged  # type: ignore[method-assign]
    _DeadObserver._see = lambda self, name: timed("dead_units", see(self, name))  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    path = resolve_recipe(options.recipe, Path("runs"))
    recipe = read_recipe_file(path, ["train.eval_every=1000", *options.changes])
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {torch.get_num_threads()} threads")
    with backend(recipe):
        made = build(recipe, "cpu", data_root(options.data_root))
        seconds, busy = [], []
        for _ in range(3):
            start, begun = time.perf_counter(), time.thread_time()
            found = list(preflight(made))
            seconds.append(time.perf_counter() - start)
            busy.append(time.thread_time() - begun)
        print(
            f"before: {len(found)} checks in {statistics.median(seconds):.2f} s, {statistics.median(busy):.2f} s of it "
            f"processor time (the first time {seconds[0]:.2f} s, {busy[0]:.2f} s)"
        )
        time_every_call()
        made = made.with_(steps=options.steps)
        first = 0.0
        for event in train(made, Control(), observers=[RunChecks(made)]):
            if isinstance(event, Trained):
                if not first:  # what is imported and allocated in the first steps is left out
                    first, begun = event.step, time.thread_time()
                    spent.clear()
                if event.step == made.steps:
                    break
        whole = time.thread_time() - begun
    print(f"during: {sum(spent.values()) / whole:.2%} of the training thread's processor time")
    for name, cost in spent.most_common():
        print(f"  {name:16} {cost / whole:.3%}")


if __name__ == "__main__":
    main()
