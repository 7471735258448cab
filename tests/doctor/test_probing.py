"""What probes see of a machine that is made up, and of this one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from workbench.doctor import compiling, disks, host


def groups(folder: Path, files: dict[str, str]) -> tuple[str, str]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return str(folder / "groups"), str(folder / "own")


@pytest.mark.parametrize(
    ("files", "quota", "limit"),
    [
        ({"own": "0::/\n"}, None, None),
        ({"own": "0::/\n", "groups/cpu.max": "max 100000\n", "groups/memory.max": "max\n"}, None, None),
        (
            {"own": "0::/job/step\n", "groups/job/cpu.max": "250000 100000\n",
             "groups/job/step/cpu.max": "max 100000\n",
             "groups/job/memory.max": "1073741824\n", "groups/job/memory.current": "1000\n"},
            2.5, 2**30,
        ),
        (
            {"own": "3:cpu,cpuacct:/docker/ab\n5:memory:/docker/ab\n", "groups/cpu/cpu.cfs_quota_us": "400000\n",
             "groups/cpu/cpu.cfs_period_us": "100000\n", "groups/memory/memory.limit_in_bytes": "536870912\n",
             "groups/memory/memory.usage_in_bytes": "0\n"},
            4.0, 2**29,
        ),
        ({"own": "4:memory:/\n", "groups/memory/memory.limit_in_bytes": "9223372036854771712\n"}, None, None),
    ],
)  # fmt: skip
def test_shares_of_a_container_or_job(
    tmp_path: Path, files: dict[str, str], quota: float | None, limit: int | None
) -> None:
    found = host.look(*groups(tmp_path, files))
    assert (found.quota, found.limit) == (quota, limit)
    assert 0 <= found.available <= (limit or found.memory)


def test_a_disk_is_measured_and_left_as_it_was(tmp_path: Path) -> None:
    found = disks.measure(str(tmp_path / "runs" / "deep"), seconds=0.1)
    assert (found.where, found.exists, found.error) == (str(tmp_path), False, "")
    assert 0 < found.free <= found.total and found.write > 0 and found.read > 0 and found.sync > 0
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_nothing_can_be_written() -> None:
    found = disks.measure("/proc/runs")
    assert found.error and found.kind == "proc"


def test_the_compiler_is_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "gcc"
    broken.write_text(f"#!{sys.executable}\nimport sys; sys.exit('cannot find crti.o')\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    assert compiling.compiler().error == "cannot find crti.o"
    monkeypatch.delenv("CC")
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert compiling.compiler().path == ""
