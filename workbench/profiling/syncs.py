"""Where a step waits for the GPU: the lines of Python that call for a value, or for all to be done."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from workbench.engine.lines import PACKAGE, STEP, is_library

ON_PURPOSE = tuple(str(PACKAGE / place) for place in ("engine/progress.py", "engine/meter.py", "profiling"))
"""What waits between the steps, whatever it calls for that."""


@contextmanager
def found_syncs(device: torch.device) -> Iterator[Counter[str]]:
    """Count the waits of the steps in the block by place (``file.py:line``); nothing on the CPU. For copies alone.

    A place is the innermost line that is neither torch's nor another library's. torch reports its own waits
    (``.item()``, ``nonzero``, a copy to the host); explicit ones are seen by a stand-in.
    """
    places: Counter[str] = Counter()
    if device.type != "cuda":
        yield places
        return
    synchronize = torch.cuda.synchronize

    def seen(*arguments: Any, **options: Any) -> None:
        _count(places, sys._getframe(1))
        synchronize(*arguments, **options)

    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: (
            _count(places, sys._getframe(1)) if "synchroniz" in str(message) else None
        )
        torch.cuda.synchronize = seen
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield places
        finally:
            torch.cuda.set_sync_debug_mode(mode)
            torch.cuda.synchronize = synchronize


def _count(places: Counter[str], frame: FrameType | None) -> None:
    """Count a wait by its place, from the line that waits outwards to the loop of the steps."""
    place = ""
    while frame is not None:
        file = str(Path(frame.f_code.co_filename).resolve())
        if file == STEP and place:
            break
        if file.startswith(ON_PURPOSE):
            return
        if not place and not is_library(file):
            place = f"{Path(file).name}:{frame.f_lineno}"
        frame = frame.f_back
    places[place or "the backward pass"] += 1  # whose own threads run no Python
