"""kill -9 in the middle of an epoch, resume, and end with the same bits as a run that was left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import run
from workbench.engine.build import build
from workbench.engine.state import Checkpoints
from workbench.events import Trained
from workbench.recipe import read_recipe

RECIPE = """
format = 1
name = "killed"
seed = 5

[data]
source = "digits"
batch_size = 64
pipeline = "loader"
workers = 2

[model]
name = "cnn"
widths = [8, 16]
depth = 1
hidden = [32]

[train]
epochs = 4
threads = 1
log_every = 3
checkpoint_every = 0.4

[techniques.batch_norm]
[techniques.residual]
[techniques.dropout]
[techniques.sgd]
learning_rate = 0.05
[techniques.cosine]
every = "step"
"""

REPRESENTATIVES = {
    "device pipeline": (
        'data.pipeline="device"',
        "techniques.random_crop.padding=2",
        "techniques.color_jitter.hue=0.1",
    ),
    "image policies": ("techniques.autoaugment.enabled=true", "techniques.random_erasing.enabled=true"),
    "averages": ("techniques.ema.enabled=true", "techniques.lookahead.enabled=true"),
    "scaled and mixed": (
        'techniques.mixed_precision.dtype="fp16"',
        "model.widths=[4, 8]",
        "techniques.cutmix.enabled=true",
        "techniques.stochastic_depth.enabled=true",
    ),
    "muon and sam": (
        "techniques.sgd.enabled=false",
        "techniques.muon.enabled=true",
        "techniques.sam.enabled=true",
        "techniques.freeze_layers.enabled=true",
    ),
}
"""What has state, draws numbers or changes the course of a step; all but the first with loader workers."""


def command(folder: Path, *arguments: str) -> list[str]:
    whole = [sys.executable, "-m", "workbench", "run", *arguments]
    return [*whole, "--runs", str(folder / "runs"), "--device", "cpu", "--json"]


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


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Everything in a checkpoint by its path."""
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in leaves(inner, f"{path}/{key}").items()}
    if isinstance(value, list | tuple):
        return {k: v for i, inner in enumerate(value) for k, v in leaves(inner, f"{path}/{i}").items()}
    return {path: value}


@pytest.mark.parametrize("overrides", REPRESENTATIVES.values(), ids=REPRESENTATIVES.keys())
def test_a_killed_run_resumes_bit_identical(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    (tmp_path / "killed.toml").write_text(RECIPE)
    settings = [argument for override in overrides for argument in ("--set", override)]
    started = command(tmp_path, str(tmp_path / "killed.toml"), *settings)
    process = subprocess.Popen(started, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    saved = 0
    for line in process.stdout:
        event = json.loads(line)
        if event["kind"] == "checkpoint_saved":
            saved = event["step"]
        if saved and event["kind"] == "trained" and event["step"] > saved + 3 and event["step"] > 60:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    (killed,) = (tmp_path / "runs").iterdir()
    assert saved % 23 != 0  # in the middle of an epoch
    with (killed / "events.jsonl").open("a") as file:
        file.write('{"kind":"trained","st')  # and the last line was torn

    # meanwhile, the same recipe left alone in this process
    alone, checkpoints = (
        build(read_recipe(RECIPE, overrides=overrides), "cpu", tmp_path),
        Checkpoints(tmp_path / "alone"),
    )
    expected = [(e.step, e.loss) for e in run(alone, checkpoints=checkpoints) if isinstance(e, Trained)]
    alone.close()

    resumed = subprocess.run(
        command(tmp_path, "--resume", killed.name), check=True, capture_output=True, text=True, timeout=120
    )
    assert json.loads(resumed.stdout.splitlines()[-1])["kind"] == "finished"
    assert losses(killed) == expected
    left, found = leaves(checkpoints.load()), leaves(Checkpoints(killed / "checkpoints").load())
    times = {"/seconds", "/meter/since"}
    assert left.keys() == found.keys()
    differing = [
        path
        for path, value in left.items()
        if path not in times
        and not (torch.equal(value, found[path]) if isinstance(value, torch.Tensor) else value == found[path])
    ]
    assert not differing
