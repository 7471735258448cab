"""pytest's side of the stand-in: loaded by ``python -m tests.cuda``, it lets CUDA tensors compute while tests run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.cuda import runtime


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to begin where the stand-in is not loaded: every test would be skipped."""
    if not runtime.present():
        raise pytest.UsageError(
            "the stand-in for a CUDA device is not loaded: start the tests with python -m tests.cuda"
        )
    # whoever keeps a step's loss keeps its autograd graph, which spoils the next recording on a real device
    config.addinivalue_line("filterwarnings", "error:The AccumulateGrad")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test that runs on the device computes there, its fixtures too, and so do the processes that it starts."""
    from tests.cuda import convolutions, host, numbers, operations
    from tests.cuda.numbers import computing
    from workbench.engine import lines

    if item.get_closest_marker("cuda") is None or item.get_closest_marker("real_gpu") is not None:
        return (yield)
    import torch

    with computing(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("STANDIN_COMPUTES", "1")
        # what computes in a kernel's place is no line of the user's
        ours = (module.__file__ for module in (numbers, operations, host, convolutions))
        patch.setattr(lines, "LIBRARIES", (*lines.LIBRARIES, *ours))
        try:
            return (yield)
        finally:
            torch.cuda.empty_cache()  # each test has the device to itself


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How much ran here, and what a real GPU is still needed for."""
    stats = terminalreporter.stats
    ran = sum(len(stats.get(outcome, ())) for outcome in ("passed", "failed", "error"))
    reasons = Counter(r.longrepr[2].removeprefix("Skipped: ") for r in stats.get("skipped", ()))
    needed = {why: n for why, n in reasons.items() if why.startswith("needs a real GPU")}
    others = sum(reasons.values()) - sum(needed.values())
    tail = f", {others} skipped for other reasons" if others else ""
    terminalreporter.write_line(
        f"on a CUDA device made of host memory: {ran} tests ran, {sum(needed.values())} still need a real GPU{tail}"
    )
    for why, n in sorted(needed.items()):
        terminalreporter.write_line(f"  {n} {why}")
