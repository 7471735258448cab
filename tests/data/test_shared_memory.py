"""A small /dev/shm, as containers have it: said before, survived with the same bits, never waited for in silence."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from workbench.data import loader as loader_module
from workbench.data import shared_memory
from workbench.data.pipeline import make_pipeline
from workbench.data.shared_memory import remedy, wanted
from workbench.data.splits import ArraySplit
from workbench.recipe.schema import Data
from workbench.registered import Registered

SCRIPT = """
import sys, torch
from workbench.data.pipeline import make_pipeline
from workbench.data.splits import ArraySplit
from workbench.recipe.schema import Data

pixels = torch.arange(32 * 3 * 64 * 64 * 8).remainder(251).to(torch.uint8).view(256, 3, 64, 64)
split = ArraySplit(pixels, torch.arange(256) % 4)
def sums(workers):
    data = Data(pipeline="loader", batch_size=64, workers=workers)
    pipeline = make_pipeline(data, split, "cpu", 0, (), lambda said: print(said))
    try:
        batches = (batch for epoch in (0, 1) for batch in pipeline.epoch(epoch))
        return [int((batch.images.long() * torch.arange(64)).sum()) for batch in batches]
    finally:
        pipeline.close()
assert sums(2) == sums(0)
print("the same")
"""


def in_small(size: str) -> str:
    """What the script says where /dev/shm is a file system of that size, its own."""
    if sys.platform != "linux" or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system of its own")
    command = f'mount -t tmpfs -o size={size} tmpfs /dev/shm && exec "$@"'
    started = ["unshare", "-m", "bash", "-c", command, "small", sys.executable, "-c", SCRIPT]
    done = subprocess.run(started, capture_output=True, text=True, timeout=120)
    if "mount:" in done.stderr:
        pytest.skip("needs the right to mount a file system of its own")
    return done.stdout + done.stderr


def test_batches_that_find_no_room_come_another_way_and_that_is_said_once() -> None:
    said = in_small("512k")
    assert said.count("/dev/shm has no room for a batch of 0.8 MB") == 1 and "of 0.5 MB)" in said
    assert "--shm-size=64m" in said and 'data.pipeline = "device"' in said
    assert said.endswith("the same\n")


def test_where_not_even_a_lock_fits_the_reason_is_told() -> None:
    said = in_small("4k").splitlines()[-1]
    assert "cannot start 2 loader workers ([Errno 28]" in said and "/dev/shm is full" in said and "--shm-size" in said


def dawdle(images: Tensor, rng: object) -> Tensor:
    time.sleep(1.5)
    return images


def test_a_first_batch_that_does_not_come_is_said_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader_module, "FIRST_BATCH_SECONDS", 0.2)
    monkeypatch.setattr(loader_module, "_LOOK_SECONDS", 0.1)
    heard: list[str] = []
    split = ArraySplit(torch.zeros(24, 3, 4, 4, dtype=torch.uint8), torch.zeros(24, dtype=torch.int64))
    data = Data(pipeline="loader", workers=1, batch_size=8)
    pipeline = make_pipeline(data, split, "cpu", 0, (Registered(0, "dawdle", dawdle),), heard.append)
    assert len(list(pipeline.epoch(0))) == 3  # and it goes on
    pipeline.close()
    assert len(heard) == 1
    assert heard[0].startswith("no batch yet after 0 s: all 1 loader workers live") and "data.workers = 0" in heard[0]


@pytest.mark.parametrize(
    ("free", "advice"),
    [(64, "set data.prefetch = 4"), (12, "set data.workers = 5 and data.prefetch = 1"), (3, "set data.workers = 0")],
)
def test_the_remedy_fits_what_is_free(free: int, advice: str) -> None:
    data = Data(pipeline="loader", workers=7, prefetch=8)
    batch = 2 * 2**20
    assert wanted(data, batch) == 57 * batch
    text = remedy(data, batch, free * 2**20)
    assert text.startswith("start the container with --shm-size=256m, ") and advice in text
    if "prefetch" in advice:
        numbers = [int(word.strip(",")) for word in advice.split() if word.strip(",").isdigit()]
        changed = Data(pipeline="loader", workers=numbers[0] if len(numbers) == 2 else 7, prefetch=numbers[-1])
        assert wanted(changed, batch) <= free * 2**20


def test_a_place_that_is_not_there_is_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "PLACE", Path("/nowhere"))
    assert shared_memory.room() is None
