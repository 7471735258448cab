"""What measuring phases costs a training: steps per second with it on, divided by those with it off.

    python tests/benchmarks/phase_cost.py [--pairs 10] [--seconds 4.0] [--device cpu] [--data-root FOLDER] [--threads N]

One training each of a network so small that launching its operations is all its work ("tiny", batches of 16 digits) and
of a ResNet-20 in batches of 64 ("real": CIFAR-10 where --data-root has it, else digits). Windows in turns, off and on,
in the same training, so that a pair differs in nothing else; on is as a screen asks for it. Everything between two
steps counts, also what the measuring writes. Two ratios: by the wall clock, and by the CPU time of the training thread,
which on the CPU is what measuring costs even while others use the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.training_overhead import REAL, TINY
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import build
from workbench.engine.train import train
from workbench.events import Event, PhasesMeasured, Trained
from workbench.profiling.instruments import Instruments
from workbench.profiling.phases import WINDOW_SECONDS
from workbench.recipe import read_recipe


@dataclass(frozen=True)
class Pace:
    """Steps per second of the wall clock and of the thread's CPU time, and the costs that the measuring itself says."""

    wall: float
    cpu: float
    costs: list[float]


def pairs(events: Iterator[Event], control: Control, seconds: float) -> Iterator[tuple[Pace, Pace]]:
    """A training in windows, in turns off and on."""
    while True:
        off = window(events, seconds)
        control.measure("phases", seconds)
        yield off, window(events, seconds)
        window(events, WINDOW_SECONDS + 1)  # what began to measure before the time was over goes on to its end


def window(events: Iterator[Event], seconds: float) -> Pace:
    """The pace between the first and the last report of a few seconds."""
    points: list[tuple[float, float, int]] = []
    costs = []
    while not points or points[-1][0] - points[0][0] < seconds:
        event = next(events)
        if isinstance(event, Trained):
            points.append((time.perf_counter(), time.thread_time(), event.step))
        elif isinstance(event, PhasesMeasured):
            costs.append(event.cost)
    (began, cpu, first), (ended, cpu_ended, last) = points[0], points[-1]
    return Pace((last - first) / (ended - began), (last - first) / (cpu_ended - cpu), costs)


def main() -> None:
    """Print the ratios of both trainings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", choices=["tiny", "real"])
    options = parser.parse_args()
    threads = f"threads = {options.threads}" if options.threads else ""
    recipes = {
        "tiny": TINY.format(epochs=100_000, threads=threads),
        "real": REAL.format(epochs=10_000, threads=threads, source="cifar10" if options.data_root else "digits"),
    }
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, threads {options.threads or 'default'}")
    for name, text in recipes.items():
        if options.only not in (None, name):
            continue
        recipe, control = read_recipe(text), Control()
        with tempfile.TemporaryDirectory() as place, backend(recipe):
            built = build(recipe, options.device, options.data_root or Path(place))
            events = train(built, control, observers=[Instruments(Path(place))])
            measured = pairs(events, control, options.seconds)
            next(measured)
            walls, cpus, costs = [], [], []
            for _ in range(options.pairs):
                off, on = next(measured)
                walls.append(on.wall / off.wall)
                cpus.append(on.cpu / off.cpu)
                costs += on.costs
                print(f"  {name}: {off.wall:8.1f} → {on.wall:8.1f} steps/s; of CPU time {cpus[-1]:.4f}")
            built.close()
        say(f"{name}, wall clock", walls)
        say(f"{name}, CPU time", cpus)
        print(f"{name}, its own reckoning: {100 * statistics.median(costs):.2f} % of the time" if costs else "")


def say(name: str, ratios: list[float]) -> None:
    """The median of some ratios, on ÷ off, and their quartiles."""
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"{name}: median ratio {middle:.4f} (quartiles {low:.4f} to {high:.4f})")


if __name__ == "__main__":
    main()
