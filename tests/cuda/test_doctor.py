"""``workbench doctor`` as a whole, on a device that computes and on one that does not.

Its trials are tested one by one in ``tests/doctor/test_trials.py``, without the limits of time that cards keep.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("standin")]


def doctor(folder: Path, *arguments: str, **variables: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the findings by their names."""
    command = [sys.executable, "-m", "workbench", "doctor", "--json", *arguments]
    environment = {**os.environ, "WORKBENCH_DATA": str(folder), **variables}
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, cwd=folder, env=environment)
    return done.returncode, {each["name"]: each for each in json.loads(done.stdout)["findings"]}


def test_a_device_that_computes_is_well(tmp_path: Path) -> None:
    code, found = doctor(tmp_path)
    assert code == 0, [each for each in found.values() if each["level"] == "broken"]
    assert found["torch"]["meaning"] == "it can use 1 GPU"
    assert {found[name]["level"] for name in ("cuda:0 products", "cuda:0 memory", "cuda:0 graph")} == {"ok"}


def test_a_device_that_does_not_compute_is_broken(tmp_path: Path) -> None:
    code, found = doctor(tmp_path, STANDIN_COMPUTES="0")
    assert code == 3
    assert found["cuda:0 numbers"]["level"] == "broken" and "wrong numbers" in found["cuda:0 numbers"]["found"]
    assert found["cuda:0 graph"]["level"] == "broken"
