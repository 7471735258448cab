"""The command as people and programs meet it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.doctor.finding import GROUPS, Finding


def doctor(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1]), **variables}
    command = [sys.executable, "-m", "workbench", "doctor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=folder, env=environment)


def test_a_machine_without_a_gpu_is_not_broken(tmp_path: Path) -> None:
    done = doctor("--json", folder=tmp_path, CUDA_VISIBLE_DEVICES="", WORKBENCH_DATA=str(tmp_path))
    report = json.loads(done.stdout)
    assert done.returncode == 0, [each for each in report["findings"] if each["level"] == "broken"]
    assert not report["broken"] and report["seconds"] < 60
    assert report["findings"][0]["group"] == GROUPS[0]
    assert set(report["findings"][0]) == set(Finding.__dataclass_fields__)
    by_name = {each["name"]: each for each in report["findings"]}
    assert by_name["terminal"]["found"] == "not a terminal"
    assert by_name["cpu products"]["level"] == "ok" and by_name["torch"]["level"] == "ok"
    assert report["facts"]["disks.runs"]["where"] == str(tmp_path) and not list(tmp_path.iterdir())


def test_what_is_broken_is_three_and_said_in_a_pipe_line_by_line(tmp_path: Path) -> None:
    done = doctor("--runs", "/proc/a\x1b[31mb", folder=tmp_path, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 3 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert "\x1b" not in done.stdout
    runs = next(line for line in lines if " runs " in line)
    assert runs.startswith("broken  disks") and r"/proc/a\x1b[31mb" in runs and "; to do: " in runs
    assert all(line.split(" ")[0] in ("ok", "note", "warn", "broken") for line in lines[:-1])
    assert "1 broken: runs" in lines[-1]


@pytest.mark.parametrize("arguments", [["--device", "gpu"], ["--fast"], ["all"]])
def test_bad_usage_is_two(tmp_path: Path, arguments: list[str]) -> None:
    done = doctor(*arguments, folder=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def test_a_gpu_that_is_asked_for_and_not_there_is_broken(tmp_path: Path) -> None:
    done = doctor("--device", "cuda:7", folder=tmp_path, CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 3 and "cuda:7" in done.stdout.splitlines()[-1]
