"""Whether an error says that memory was too small, in whichever of a GPU's libraries it ran out. Torch-free."""

from __future__ import annotations

import re

_SIGNS = re.compile(r"out of memory|can't allocate memory|_ALLOC(?:ATION)?_FAILED|MemoryAllocation", re.IGNORECASE)
"""torch's allocators, CUDA itself, and the status codes of cuBLAS, cuDNN, cuSOLVER, cuSPARSE and cuFFT."""


def out_of_memory(error: BaseException | None) -> bool:
    """Whether the error itself, or one that it was raised from or after, was for want of memory."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _SIGNS.search(str(error))):
            return True
        seen.add(id(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False
