"""kill -9 in the middle of an epoch, resume, and end with the same bits as a run that was left alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import run
from tests.runs.helpers import invoke
from tests.waiting import GIVE_UP
from workbench.engine.build import build
from workbench.engine.device_fallback import resolve_for_device
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
epochs = 2
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
    "mixed": (
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


KILLED = """
import json, os, signal, sys
from workbench.entry import main
from workbench.events import CheckpointSaved, Trained
from workbench.runs.training import execute
from workbench.runs.training.writer import RunWriter
import workbench.checks.run_checks, workbench.engine.train

write, saved = RunWriter.write, 0

def and_die(writer, event):
    global saved
    write(writer, event)
    if isinstance(event, CheckpointSaved):
        saved = event.step
    if isinstance(event, Trained) and event.step > saved + 3 and event.step > 30:
        os.kill(os.getpid(), signal.SIGKILL)

RunWriter.write = and_die
for arguments in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        sys.argv[1:] = arguments
        main()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, arguments
"""
"""Runs that are killed some steps after a checkpoint: at the same step, however slowly who waits for them reads.

Each is a process of its own; all are forked from one, so that torch is loaded once.
"""


def arguments(folder: Path, *more: str) -> list[str]:
    return ["run", *more, "--runs", str(folder / "runs"), "--device", "cpu", "--json"]


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


@pytest.fixture(scope="module")
def killed_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder with a killed run of each representative."""
    folders = {name: tmp_path_factory.mktemp("killed") for name in REPRESENTATIVES}
    commands = []
    for name, folder in folders.items():
        (folder / "killed.toml").write_text(RECIPE)
        settings = [argument for override in REPRESENTATIVES[name] for argument in ("--set", override)]
        commands.append(arguments(folder, str(folder / "killed.toml"), *settings))
    command = [sys.executable, "-c", KILLED, json.dumps(commands)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=3 * GIVE_UP)
    return folders


@pytest.mark.slow
@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_a_killed_run_resumes_bit_identical(
    killed_runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The run that was killed had a process of its own; it goes on in this one, which trains it alone before."""
    folder, overrides = killed_runs[name], REPRESENTATIVES[name]
    (killed,) = (folder / "runs").iterdir()
    saved = Checkpoints(killed / "checkpoints").load()
    assert saved is not None
    assert 23 < saved["step"] < 46  # in the middle of the second epoch
    assert losses(killed)[-1][0] > saved["step"]  # and some steps of it are lost
    with (killed / "events.jsonl").open("a") as file:
        file.write('{"kind":"trained","st')  # and the last line was torn

    # the same recipe left alone
    recipe, _ = resolve_for_device(read_recipe(RECIPE, overrides=overrides), "cpu")
    alone, checkpoints = build(recipe, "cpu", tmp_path), Checkpoints(tmp_path / "alone")
    expected = [(e.step, e.loss) for e in run(alone, checkpoints=checkpoints) if isinstance(e, Trained)]
    alone.close()

    resumed = invoke(capsys, *arguments(folder, "--resume", killed.name))
    assert resumed.code == 0
    assert json.loads(resumed.out.splitlines()[-1])["kind"] == "finished"
    assert losses(killed) == expected
    left, found = (
        {path: value for path, value in leaves(state.load()).items() if not path.startswith("/checks/")}
        for state in (checkpoints, Checkpoints(killed / "checkpoints"))  # the one that was left alone made none
    )
    times = {"/seconds", "/meter/since"}
    assert left.keys() == found.keys()
    differing = [
        path
        for path, value in left.items()
        if path not in times
        and not (torch.equal(value, found[path]) if isinstance(value, torch.Tensor) else value == found[path])
    ]
    assert not differing
