"""Fixtures of tests that need what only the stand-in has: its log, its limits, its faults."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest
import torch

from tests.cuda import runtime
from tests.cuda.timing import Machine, planted
from tests.engine.conftest import make as make
from workbench.profiling import phases


@pytest.fixture(autouse=True)
def _same_stream() -> Iterator[None]:
    """A test that leaves another stream in the thread fails, and not one after it."""
    yield
    if torch.cuda.is_initialized():
        left = torch.cuda.current_stream()
        torch.cuda.set_stream(torch.cuda.default_stream())
        assert left == torch.cuda.default_stream()


@pytest.fixture
def standin() -> ModuleType:
    """``tests.cuda.runtime``; skips where the device is no stand-in."""
    if not runtime.present():
        pytest.skip("asks the stand-in for a CUDA device: `uv run python -m tests.cuda` runs it")
    return runtime


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine | None]:
    """One whose times are planted; None where there is a card."""
    if not runtime.present():
        yield None
        return
    monkeypatch.setattr(phases, "MEASURED_A_SECOND", 5000.0)  # its windows are short
    with planted(Machine()) as found:
        yield found
