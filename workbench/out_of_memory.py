"""Whether an error says that memory was too small, in whichever of a GPU's libraries it ran out. Torch-free."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNS = re.compile(r"out of memory|can't allocate memory|_ALLOC(?:ATION)?_FAILED|MemoryAllocation", re.IGNORECASE)
"""torch's allocators, CUDA itself, and the status codes of cuBLAS, cuDNN, cuSOLVER, cuSPARSE and cuFFT."""


def out_of_memory(error: BaseException | None) -> bool:
    """Whether the error itself, or one that it was raised from or after, was for want of memory."""
    return any(
        isinstance(each, MemoryError) or (isinstance(each, RuntimeError) and _SIGNS.search(str(each)))
        for each in with_causes(error)
    )


def with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it was raised from or after, the last one first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class TooLarge(MemoryError):
    """Memory was too small for something whose size a recipe sets.

    key: what sets it, such as ``"data.eval_batch_size"``, "" where nothing does; size: its value.
    """

    def __init__(self, key: str, size: int) -> None:
        super().__init__(f"out of memory at {key} = {size}" if key else "out of memory")
        self.key = key
        self.size = size


@contextmanager
def because_of(key: str, size: int) -> Iterator[None]:
    """An error in the block for want of memory becomes TooLarge, unless it is one already. key, size: as there."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, TooLarge) or not out_of_memory(error):
            raise
        raise TooLarge(key, size) from error
