"""Fixtures of tests that need what only the stand-in has: its log, its limits, its faults."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.cuda import runtime
from tests.engine.conftest import make as make


@pytest.fixture
def standin() -> ModuleType:
    """``tests.cuda.runtime``; skips where the device is no stand-in."""
    if not runtime.present():
        pytest.skip("asks the stand-in for a CUDA device: `python -m tests.cuda` runs it")
    return runtime
