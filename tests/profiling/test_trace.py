"""Traces of torch's own profiler: the file for Perfetto, the table of operators, one at a time, and quietly."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runs.helpers import environment
from workbench.events import Noted
from workbench.profiling.operators import read_operators, table_of
from workbench.profiling.trace import Trace


def work() -> None:
    import torch

    a = torch.ones(200, 200)
    for _ in range(3):
        a = a @ a / 200


def traced(folder: Path, trace: Trace) -> str:
    trace.start()
    step = 0
    while True:
        work()
        step += 1
        if trace.after_step(step):
            break
    (event,) = trace.finish(folder)
    assert isinstance(event, Noted)
    return event.message


def test_a_trace_has_the_operators_of_each_step(tmp_path: Path) -> None:
    assert "trace of 4 steps" in traced(tmp_path / "profile", Trace(steps=4))
    table = read_operators(tmp_path / "profile" / "operators.json")
    assert table is not None and (table.steps, table.step, table.device) == (4, 5, False)
    by_name = {operator.name: operator for operator in table.operators}
    assert by_name["aten::mm"].calls == 3
    assert by_name["aten::mm"].cpu > 0
    assert sum(operator.share for operator in table.operators) == pytest.approx(1, abs=0.01)
    assert [o.share for o in table.operators] == sorted((o.share for o in table.operators), reverse=True)
    with gzip.open(tmp_path / "profile" / "trace.json.gz") as file:
        events = json.load(file)["traceEvents"]
    assert sum(event["name"] == "aten::mm" for event in events) == 12


def test_a_second_tracer_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    first, second = Trace(steps=2), Trace(steps=2)
    first.start()
    assert "another tracer" in traced(tmp_path / "second", second)
    assert not (tmp_path / "second").exists()
    for step in range(1, 4):
        work()
        first.after_step(step)
    assert "trace of 2 steps" in "".join(e.message for e in first.finish(tmp_path) if isinstance(e, Noted))
    assert "trace of 2 steps" in traced(tmp_path / "third", Trace(steps=2))  # and then there is room again


def test_a_plugins_own_profiler_is_left_alone(tmp_path: Path) -> None:
    import torch

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        assert "another tracer" in traced(tmp_path, Trace(steps=2))
    assert "trace of 2 steps" in traced(tmp_path, Trace(steps=2))


def test_a_run_that_ends_too_early_says_so(tmp_path: Path) -> None:
    trace = Trace()
    trace.start()
    trace.after_step(1)
    (event,) = trace.finish(tmp_path / "profile")
    assert isinstance(event, Noted) and "ended before" in event.message
    assert not (tmp_path / "profile").exists()
    assert "trace of 2 steps" in traced(tmp_path, Trace(steps=2))


@pytest.mark.slow
@pytest.mark.parametrize("asked", [{}, {"KINETO_LOG_LEVEL": "0"}], ids=["quiet", "as asked for"])
def test_what_the_tracer_writes_itself_never_reaches_the_terminal(tmp_path: Path, asked: dict[str, str]) -> None:
    """The C++ of a trace writes to descriptor 2, which a run points at its log; there it says nothing unasked."""
    code = (
        "import sys, pathlib; from workbench.commands.streams import own_streams\n"
        "from tests.profiling.test_trace import Trace, traced\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "with own_streams(folder / 'log.txt'): traced(folder, Trace(steps=2))\n"
    )
    repository = Path(__file__).resolve().parents[2]
    variables = {name: value for name, value in environment(**asked).items() if asked or name != "KINETO_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=repository, env=variables,
        check=True,
    )  # fmt: skip
    assert done.stdout + done.stderr == ""
    said = (tmp_path / "log.txt").read_text()
    assert ("INFO:" in said or "Trace start time" in said) == bool(asked)
    if not asked:
        assert "ERROR" not in said


def test_the_gpu_decides_where_there_is_one() -> None:
    table = table_of(9, 2, [("copy", 4, 0.2, 0.0), ("gemm", 2, 0.1, 0.6), ("add", 2, 0.1, 0.2)])
    assert table.device
    assert [(o.name, round(o.share, 2)) for o in table.operators] == [("gemm", 0.75), ("add", 0.25), ("copy", 0.0)]
    assert table.operators[0].device == pytest.approx(0.3) and table.operators[0].calls == 1


@pytest.mark.cuda
@pytest.mark.real_gpu("its profiling interface, CUPTI, is asked")
def test_a_trace_sees_the_gpu(tmp_path: Path) -> None:
    import torch

    a = torch.ones(512, 512, device="cuda")
    trace = Trace(steps=2)
    trace.start()
    for step in range(1, 4):
        a = a @ a / 512
        trace.after_step(step)
    list(trace.finish(tmp_path))
    table = read_operators(tmp_path / "operators.json")
    assert table is not None and table.device
