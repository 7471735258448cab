"""How many CPU threads a training is fastest with: measured on its own network, and remembered for this machine."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import platform
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from workbench.engine.backend import threads_limited
from workbench.engine.build import Build
from workbench.recipe.schema import to_tables
from workbench.storage.atomic import write_bytes
from workbench.storage.regular import MIDDLING, read_bytes
from workbench.storage.user_cache import user_cache

IMAGES = 256
"""The most images of a pass that is timed."""
FEWEST = 2
"""The fewest: a batch norm may refuse one alone, and a check says so where the recipe sends one alone."""
PASS_SECONDS = 0.15
"""Aimed at for a pass with all threads; the images are made fewer for it."""
ROUNDS = 5
HOPELESS = 1.5
"""A count that takes so many times as long as the best one is timed no more, nor are those below it."""
WORTH = 1.05
"""Of the counts that take at most so many times as long as the fastest, the smallest is chosen."""


@dataclass(frozen=True)
class ThreadChoice:
    """seconds: of a pass, forward and backward, by number of threads; empty where nothing was to be measured.

    remembered: the file from which they come; None if they were measured now.
    """

    count: int
    seconds: dict[int, float]
    remembered: Path | None = None

    def __str__(self) -> str:
        measured = ", ".join(f"{count}: {1000 * seconds:.1f} ms" for count, seconds in sorted(self.seconds.items()))
        when = f"from {self.remembered}, measured anew once that is deleted" if self.remembered else "measured now"
        return f"CPU threads: {self.count} (a pass with {measured}; {when})"


def use_threads(build: Build) -> ThreadChoice:
    """Have torch compute with the recipe's own number of threads, or with the one chosen for it; which that is."""
    choice = choose_threads(build, user_cache("threads.json"))
    torch.set_num_threads(choice.count)
    return choice


def choose_threads(build: Build, memory: Path) -> ThreadChoice:
    """The recipe's own number, else torch's where the device is a GPU or OMP_NUM_THREADS is set, else the fastest.

    memory: a JSON file in which choices are remembered for each machine, version of torch, network and batch size, so
    that a recipe has the same number, and with it the same bits, each time. Nothing of the build changes.
    """
    recipe, most = build.recipe, torch.get_num_threads()
    if recipe.train.threads is not None or build.device.type != "cpu" or "OMP_NUM_THREADS" in os.environ or most == 1:
        return ThreadChoice(recipe.train.threads or most, {})
    known = _read(memory)
    key = _key(build, most)
    with suppress(KeyError, AttributeError, TypeError, ValueError):
        seconds = {int(count): float(value) for count, value in known[key].items()}
        if all(1 <= count <= most for count in seconds):
            return ThreadChoice(fastest(seconds), seconds, memory)
    seconds = measure(build, most)
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(memory, json.dumps(known | {key: seconds}).encode())
    return ThreadChoice(fastest(seconds), seconds)


def fastest(seconds: dict[int, float]) -> int:
    """The smallest count that takes hardly longer than the best one. Raises ValueError if there is none."""
    best = min(seconds.values())
    return min(count for count, value in seconds.items() if value <= WORTH * best)


def measure(build: Build, most: int) -> dict[int, float]:
    """Median seconds of a forward and backward pass of a copy of the network by threads: ``most``, then powers of two.

    The rounds take turns, so that what else the machine does meets every count.
    """
    model = copy.deepcopy(build.model).train()
    count = max(FEWEST, min(IMAGES, build.recipe.data.batch_size))
    weights = [p for p in model.parameters() if p.requires_grad]

    def one(threads: int) -> float:
        with threads_limited(threads):
            began = time.perf_counter()
            torch.autograd.grad(build.forward(images, model).float().sum(), weights, allow_unused=True)
            return time.perf_counter() - began

    with torch.random.fork_rng(devices=[]):
        images = build.plain(torch.randint(0, 256, (count, *build.dataset.shape), dtype=torch.uint8))
        one(most)  # the first pass chooses algorithms
        images = images[: max(FEWEST, min(count, int(count * PASS_SECONDS / one(most))))]
        counts = sorted({most, *(2**i for i in range(most.bit_length()) if 2**i < most)}, reverse=True)
        found: dict[int, list[float]] = {}
        for threads in counts:
            one(threads)
            found[threads] = [one(threads)]
            if found[threads][0] > HOPELESS * min(times[0] for times in found.values()):
                break
        for _ in range(ROUNDS - 1):
            for threads, times in found.items():
                times.append(one(threads))
    return {threads: median(times) for threads, times in found.items()}


def _read(memory: Path) -> dict[str, dict[str, float]]:
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(read_bytes(memory, MIDDLING))
        return found if isinstance(found, dict) else {}
    return {}


def _key(build: Build, most: int) -> str:
    tables = to_tables(build.recipe, first_names=True)  # what was measured before stays known
    shape = [build.recipe.data.batch_size, build.dataset.shape, tables["model"], tables.get("techniques")]
    digest = hashlib.sha256(json.dumps(shape, sort_keys=True, default=str).encode()).hexdigest()[:16]
    return f"{platform.node()}, {most} threads, torch {torch.__version__}, {digest}"
