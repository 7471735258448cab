"""What the checks cost: seconds before a run, and the processor time of a step with them on over that with them off.

    python tests/benchmarks/check_cost.py RECIPE [--data-root FOLDER] [--set …] [--steps 200] [--pairs 5]

Processor time, because other processes do not count in it; on a GPU (--device cuda:0) it is wall time. The same build's
checks before a run are timed three times, the median counts. Then builds of the recipe train in turns, one with the
checks during a run and one without, ``--steps`` steps each time; what is before, after and an evaluation is left out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from itertools import islice
from pathlib import Path

import torch

from workbench.checks.preflight import preflight
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import Build, build
from workbench.engine.train import train
from workbench.events import Trained
from workbench.places import data_root, resolve_recipe
from workbench.recipe import read_recipe_file


def step_seconds(made: Build, checks: bool) -> float:
    """Seconds of a step between the second point of the curves and the last."""
    clock = time.process_time if made.device.type == "cpu" else time.perf_counter
    seen = [(event.step, clock()) for event in train(made, Control(), checks=checks) if isinstance(event, Trained)]
    (first, begun), (last, ended) = seen[1], seen[-1]
    return (ended - begun) / (last - first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    recipe = read_recipe_file(resolve_recipe(options.recipe, Path("runs")), ["train.eval_every=1000", *options.changes])
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {torch.get_num_threads()} threads, {options.device}")
    root = data_root(options.data_root)
    with backend(recipe):
        made = build(recipe, options.device, root)
        seconds = []
        for _ in range(3):
            start = time.perf_counter()
            found = list(islice(preflight(made), 100))
            seconds.append(time.perf_counter() - start)
        print(f"before: {len(found)} checks in {statistics.median(seconds):.2f} s (the first time {seconds[0]:.2f} s)")
        ratios = []
        for _ in range(options.pairs):
            speeds = {}
            for checks in (True, False):
                made = build(recipe, options.device, root)
                made.steps = options.steps
                speeds[checks] = 1000 * step_seconds(made, checks)
            ratios.append(speeds[True] / speeds[False])
            print(f"  with {speeds[True]:.2f}, without {speeds[False]:.2f} ms a step, ratio {ratios[-1]:.4f}")
        print(f"median ratio {statistics.median(ratios):.4f} ({min(ratios):.4f}–{max(ratios):.4f})")


if __name__ == "__main__":
    main()
