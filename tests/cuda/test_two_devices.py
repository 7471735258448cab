"""With two devices: whatever trains on cuda:1 leaves cuda:0 without a context and without memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.cuda import runtime
from tests.cuda.two_devices import COMMANDS, SLOW
from tests.runs.helpers import REPOSITORY

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("standin")]

CHECK_FAILED = 3


def told(folder: Path, *arguments: str) -> dict[str, Any]:
    """What the program says of each of its cases."""
    if not runtime.present():  # fixtures of a module are made before those of its tests
        pytest.skip("asks the stand-in for two devices: `python -m tests.cuda` runs it")
    done = subprocess.run(
        [sys.executable, "-m", "tests.cuda.two_devices", str(folder), *arguments],
        capture_output=True, text=True, cwd=folder, timeout=300,
        env={**os.environ, "STANDIN_DEVICES": "2", "STANDIN_COMPUTES": "1", "PYTHONPATH": _path()},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {found["name"]: found for found in map(json.loads, done.stdout.splitlines())}


def _path() -> str:
    return os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(REPOSITORY)]))


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The fast ones, in one process: a context would stay."""
    return told(tmp_path_factory.mktemp("two"))


def untouched(found: dict[str, Any]) -> None:
    assert found["code"] in (0, CHECK_FAILED), found["said"]
    assert not found["context"], found["places"]
    assert found["used"] == 0 < found["used on 1"]


@pytest.mark.parametrize("name", [*COMMANDS, "in the screens' thread", "goes on on cpu"])
def test_the_first_device_is_left_alone(name: str, cases: dict[str, Any]) -> None:
    untouched(cases[name])


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_a_run_goes_on_on_another_device_to_the_same_figures(device: str, cases: dict[str, Any]) -> None:
    found = cases[f"goes on on {device}"]
    moved, whole = json.loads(found["said"])
    assert found["code"] == 0 and moved == whole and len(whole) == 1


@pytest.mark.slow
def test_what_measures_leaves_the_first_device_alone_too(tmp_path: Path) -> None:
    found = told(tmp_path, "slow")
    assert found.keys() == {*SLOW, "selftest"}
    for each in found.values():
        untouched(each)


def test_the_standin_tells_contexts(standin: Any) -> None:
    torch.ones(1, device="cuda:0")
    assert standin.context(0) and not standin.context(1)
    assert torch._C._cuda_hasPrimaryContext(0)
