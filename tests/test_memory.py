"""Freed memory stays with the process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CODE = """
import psutil, torch
from workbench.memory import keep_freed_memory
assert keep_freed_memory() if KEEP else True
def resident():
    return psutil.Process().memory_info().rss
torch.ones(1000).add_(1)
before = resident()
torch.ones(16_000_000).add_(1)  # 64 MB, more than what glibc keeps by itself; freed at once
print((resident() - before) // 2**20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
@pytest.mark.slow
def test_freed_tensors_stay_with_the_process() -> None:
    kept, given_back = (
        int(subprocess.run([sys.executable, "-c", f"KEEP = {keep}" + CODE], capture_output=True, text=True).stdout)
        for keep in (True, False)
    )
    assert kept > 50 and given_back < 10
