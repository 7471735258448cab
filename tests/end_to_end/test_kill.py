"""kill -9 in the middle of an epoch, resume, and end with the same bits as a run that was left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

RECIPE = """
format = 1
name = "killed"
seed = 5

[data]
source = "digits"
batch_size = 64
pipeline = "PIPELINE"
workers = 2

[model]
name = "cnn"
widths = [16, 32]
depth = 1
hidden = [32]

[train]
epochs = 6
log_every = 3
checkpoint_every = 0.4

[techniques.batch_norm]
[techniques.residual]
[techniques.sgd]
learning_rate = 0.05
nesterov = true
[techniques.cosine]
every = "step"
[techniques.random_crop]
padding = 2
[techniques.color_jitter]
"""


def command(folder: Path, *arguments: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "workbench",
        "run",
        *arguments,
        "--runs",
        str(folder / "runs"),
        "--device",
        "cpu",
        "--json",
    ]


def weights(run: Path) -> dict[str, torch.Tensor]:
    state = torch.load(run / "checkpoints" / "last.pt", weights_only=True)
    return {**state["model"], **{f"momentum{k}": v["momentum_buffer"] for k, v in state["optimizer"]["state"].items()}}


def losses(run: Path) -> list[tuple[int, float]]:
    """The run's loss curve, without what a resumption withdrew."""
    curve: list[tuple[int, float]] = []
    for line in (run / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["kind"] == "resumed":
            curve = [(step, loss) for step, loss in curve if step <= event["step"]]
        elif event["kind"] == "trained":
            curve.append((event["step"], event["loss"]))
    return curve


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was left alone; both pipelines give its bits."""
    folder = tmp_path_factory.mktemp("whole")
    recipe = folder / "killed.toml"
    recipe.write_text(RECIPE.replace("PIPELINE", "device"))
    subprocess.run(command(folder, str(recipe)), check=True, capture_output=True, timeout=120)
    (run,) = (folder / "runs").iterdir()
    return run


@pytest.mark.parametrize("pipeline", ["device", "loader"])
def test_a_killed_run_resumes_bit_identical(tmp_path: Path, whole: Path, pipeline: str) -> None:
    recipe = tmp_path / "killed.toml"
    recipe.write_text(RECIPE.replace("PIPELINE", pipeline))

    process = subprocess.Popen(command(tmp_path / "killed", str(recipe)), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    saved = 0
    for line in process.stdout:
        event = json.loads(line)
        if event["kind"] == "checkpoint_saved":
            saved = event["step"]
        if saved and event["kind"] == "trained" and event["step"] > saved + 3 and event["step"] > 50:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (killed,) = (tmp_path / "killed" / "runs").iterdir()
    assert saved % 23 != 0  # in the middle of an epoch
    with (killed / "events.jsonl").open("a") as file:
        file.write('{"kind":"trained","st')  # and the last line was torn

    resumed = subprocess.run(
        command(tmp_path / "killed", "--resume", killed.name), check=True, capture_output=True, text=True, timeout=120
    )
    assert json.loads(resumed.stdout.splitlines()[-1])["kind"] == "finished"
    expected, found = weights(whole), weights(killed)
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert losses(killed) == losses(whole)
