"""Freed memory stays with the process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CODE = """
import resource, torch
from workbench.memory import keep_freed_memory
from workbench.engine.backend import backend
assert keep_freed_memory() if KEEP else True
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(16_000_000).add_(1)  # 64 MB, more than what glibc keeps by itself
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_large_tensors_are_fresh_memory_only_once() -> None:
    found = [
        int(subprocess.run([sys.executable, "-c", f"KEEP = {keep}" + CODE], capture_output=True, text=True).stdout)
        for keep in (True, False)
    ]
    assert 10 * found[0] < found[1]
