"""A profile where memory is short: what it says of it, and that it goes on."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import torch

from tests.cuda import runtime
from tests.cuda.test_verdicts import SMALL, every_mode, found_to_be
from tests.cuda.timing import Machine
from tests.profiling import conftest
from tests.profiling.conftest import Read

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("standin")]

recipe = conftest.recipe


def left_behind() -> int:
    """MiB that other tests hold."""
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return runtime.used() // 2**20 + 1


@every_mode
def test_memory_that_is_short(recipe: Read, tmp_path: Path, machine: Machine, mode: str) -> None:
    """What others use of a card belongs to them."""
    others = left_behind()
    total = others + 4096
    with runtime.memory(total):
        hoard = 96 * total // 100 - others
        wanted = recipe(*SMALL, f"techniques.hoard.mebibytes={hoard}", f"train.compile={mode}")
        found = found_to_be("memory", wanted, tmp_path, machine)
    assert found.gpu is not None and found.gpu.total == total * 2**20
    assert hoard * 2**20 < found.gpu.peak < (hoard + 128) * 2**20
    assert found.gpu.peak < found.gpu.reserved <= found.gpu.total
    assert f"{100 * found.gpu.reserved / found.gpu.total:.0f} % of the GPU's is taken" in found.sentence


def test_twice_the_images_need_not_fit(recipe: Read, tmp_path: Path, machine: Machine) -> None:
    """That the measurement runs out of memory with them says nothing of the training."""
    work = ("techniques.device_work.microseconds=500", "techniques.device_work.mebibytes=32")
    with runtime.memory(left_behind() + 900):
        found = found_to_be("compute", recipe(*SMALL, *work, "train.compile=off"), tmp_path, machine)
    assert found.gpu is not None and found.gpu.peak > 512 * 2**20
    assert found.compute.windows > 1
