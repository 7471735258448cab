"""The shared memory through which loader workers hand batches over: how much there is and what to do where it is small.

Containers have 64 MB of it unless told otherwise (pytorch#5040).
"""

from __future__ import annotations

import os
from pathlib import Path

from workbench.recipe.schema import Data

PLACE = Path("/dev/shm")


def room() -> tuple[int, int] | None:
    """Bytes that are free and bytes in all; None where batches do not lie in such a place."""
    try:
        found = os.statvfs(PLACE)
    except (OSError, AttributeError):
        return None
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def wanted(data: Data, batch_bytes: int) -> int:
    """Bytes of all batches that may lie there at once: those kept ready, and the one that is being used."""
    return batch_bytes * (data.workers * data.prefetch + 1)


def remedy(data: Data, batch_bytes: int, free: int) -> str:
    """What to do where there is too little, the cheapest that is enough first."""
    size = 64
    while size * 2**20 < 2 * wanted(data, batch_bytes):
        size *= 2
    text = f"start the container with --shm-size={size}m"
    fits = free // max(1, batch_bytes) - 1
    if fits >= data.workers:
        text += f", set data.prefetch = {fits // data.workers}"
    elif fits >= 1:
        text += f", set data.workers = {fits} and data.prefetch = 1"
    else:
        text += ", set data.workers = 0"
    return text + ', or set data.pipeline = "device"'


def megabytes(count: float) -> str:
    """Bytes as a person reads them."""
    return f"{count / 2**20:,.1f} MB" if count < 100 * 2**20 else f"{count / 2**20:,.0f} MB"
