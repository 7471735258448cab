"""Where a step waits for the GPU: the lines of Python that call for a value, or for all to be done."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

OURS = tuple(
    str(Path(__file__).resolve().parent.parent / place)
    for place in ("engine/progress.py", "engine/meter.py", "profiling")
)
"""What waits between the steps, on purpose."""


@contextmanager
def found_syncs(device: torch.device) -> Iterator[Counter[str]]:
    """Count the waits of the block by their place (``file.py:line``); nothing on the CPU. For copies alone.

    torch reports its own (``.item()``, ``nonzero``, a copy to the host); explicit ones are seen by a stand-in.
    """
    places: Counter[str] = Counter()
    if device.type != "cuda":
        yield places
        return
    synchronize = torch.cuda.synchronize

    def seen(*arguments: Any, **options: Any) -> None:
        frame = sys._getframe(1)
        _count(places, frame.f_code.co_filename, frame.f_lineno)
        synchronize(*arguments, **options)

    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, category, filename, lineno, file=None, line=None: (
            _count(places, filename, lineno) if "synchroniz" in str(message) else None
        )
        torch.cuda.synchronize = seen
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield places
        finally:
            torch.cuda.set_sync_debug_mode(mode)
            torch.cuda.synchronize = synchronize


def _count(places: Counter[str], file: str, line: int) -> None:
    if not str(Path(file).resolve()).startswith(OURS):
        places[f"{Path(file).name}:{line}"] += 1
