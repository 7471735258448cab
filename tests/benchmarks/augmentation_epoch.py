"""One epoch of augmentation without a network: the device pipeline beside torch's DataLoader with torchvision.

    python tests/benchmarks/augmentation_epoch.py --data-root FOLDER [--turns 5] [--threads 2] [--workers 4]

50,000 CIFAR-10 images in batches of 512: random crop from 4 pixels of padding, flip with probability 0.5, a square of 8
pixels covered, normalised. Ours: the batches of a built recipe as training gets them. Theirs: the same per image by
torchvision in worker processes, which were started in an epoch that does not count. In turns; prints a table.

Where other processes use the cores too, set OMP_WAIT_POLICY=PASSIVE: a thread that spins at a barrier while another one
waits for its core makes an operation as long as the scheduler's time slices, and an epoch has a thousand barriers.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from workbench.engine.build import Build, build
from workbench.recipe import read_recipe

IMAGES, BATCH_SIZE, SIZE = 50_000, 512, 8
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
RECIPE = f"""
format = 1
name = "augmentation-epoch"

[data]
source = "cifar10"
batch_size = {BATCH_SIZE}
mean = {list(MEAN)}
std = {list(STD)}

[model]
name = "cnn"
widths = [8]
hidden = [8]

[techniques.sgd]

[techniques.random_crop]
padding = 4

[techniques.horizontal_flip]

[techniques.cutout]
size = {SIZE}
placement = "inside"
"""


def ours(built: Build) -> Callable[[int], Iterable[Tensor]]:
    """The images of an epoch, from a built recipe."""
    context = built.context(0)
    return lambda epoch: (built.training_inputs(batch, context)[0] for batch in built.pipeline.epoch(epoch))


def theirs(data_root: str, workers: int) -> Callable[[int], Iterable[Tensor]]:
    """The images of an epoch, from a DataLoader."""
    covered = SIZE**2 / 32**2
    transform = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
            transforms.RandomErasing(p=1, scale=(covered, covered), ratio=(1, 1)),  # cutout, whole squares
        ]
    )
    loader = DataLoader(
        datasets.CIFAR10(data_root, train=True, transform=transform),
        batch_size=BATCH_SIZE,
        shuffle=True,
        num_workers=workers,
        persistent_workers=True,
    )
    return lambda epoch: (images for images, _ in loader)


def seconds(images: Iterable[Tensor]) -> float:
    """How long it takes to go through them."""
    start = time.perf_counter()
    count = sum(len(batch) for batch in images)
    if count != IMAGES:
        raise SystemExit(f"{count} images instead of {IMAGES}")
    return time.perf_counter() - start


def main() -> None:
    """Measure in turns, print the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--data-root", required=True)
    arguments.add_argument("--turns", type=int, default=5)
    arguments.add_argument("--epochs", type=int, default=5, help="epochs of ours in a turn, which are short")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--workers", type=int, default=4)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)

    built = build(read_recipe(RECIPE), "cpu", Path(given.data_root))
    sides = {
        f"device pipeline, {given.threads} threads": (ours(built), given.epochs),
        f"DataLoader and torchvision, {given.workers} workers": (theirs(given.data_root, given.workers), 1),
    }
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for images, _ in sides.values():
        seconds(images(0))
    for turn in range(given.turns):
        for name in list(sides)[:: 1 if turn % 2 == 0 else -1]:
            images, epochs = sides[name]
            measured[name] += [seconds(images(1 + turn * epochs + epoch)) for epoch in range(epochs)]
            print(name, [round(one, 3) for one in measured[name][-epochs:]], file=sys.stderr, flush=True)

    print("| who | s an epoch, median (min to max) | images/s, median | epochs |\n|---|---|---|---|")
    for name, times in measured.items():
        middle = statistics.median(times)
        span = f"{middle:.3f} ({min(times):.3f} to {max(times):.3f})"
        print(f"| {name} | {span} | {IMAGES / middle:,.0f} | {len(times)} |")


if __name__ == "__main__":
    main()
