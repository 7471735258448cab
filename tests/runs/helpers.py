"""What the tests of runs and of the command line share."""

from __future__ import annotations

import dataclasses
import os
import pickle
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.waiting import wait_for as wait_for
from workbench.cli import main
from workbench.recipe import Recipe, read_recipe, recipe_digest
from workbench.runs.queue import jobs
from workbench.runs.queue.worker import _lock_file
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import Status, effective_state, new_status, read_status
from workbench.storage.locks import Claim

REPOSITORY = Path(__file__).resolve().parents[2]
FAKE_ENGINE = Path(__file__).parent / "fake_engine.py"

SMALL = """
format = 1
name = "small"
seed = 3
[data]
source = "digits"
batch_size = 64
[model]
name = "cnn"
widths = [8]
hidden = [16]
[train]
epochs = 1
[techniques.sgd]
learning_rate = 0.05
"""


def small_recipe() -> Recipe:
    """A recipe that can be read without torch."""
    return read_recipe(SMALL)


def bare_run(root: Path, name: str = "20261120-142501-small-3f9c") -> RunDirectory:
    """A run directory with nothing but a recipe."""
    run = RunDirectory(root / name)
    run.path.mkdir(parents=True)
    run.recipe_file.write_text(SMALL)
    return run


def lasting(state: str = "running") -> Status:
    """The status of a run that this process has at work, which nobody renews and no slow test finds stalled."""
    status = new_status(state)
    return dataclasses.replace(status, heartbeat=status.heartbeat + 3600)


def state_of(run: RunDirectory) -> str:
    """What to believe of a run's state now."""
    return effective_state(read_status(run))


def worker_lives(root: Path) -> bool:
    """Whether a worker of this host is at work on the queue of a folder of runs."""
    if not jobs.folder_of(root).is_dir():
        return False
    with jobs.changing(root):
        claim = Claim(_lock_file(root))
        try:
            return not claim.take()
        finally:
            claim.give_back()


def outline_checkpoint(run: RunDirectory, step: int, name: str = "last") -> None:
    """A checkpoint as far as it can be read without torch: no tensors."""
    digest = recipe_digest(run.recipe())
    run.checkpoints.mkdir(exist_ok=True)
    with zipfile.ZipFile(run.checkpoints / f"{name}.pt", "w") as archive:
        archive.writestr("last/data.pkl", pickle.dumps({"format": 1, "step": step, "recipe": digest}))


@dataclass
class Result:
    """How a command line ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Result]


def invoke(capsys: pytest.CaptureFixture[str], *arguments: str) -> Result:
    """Run a command line in this process."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    captured = capsys.readouterr()
    return Result(int(left.value.code or 0), captured.out, captured.err)


def environment(**more: str) -> dict[str, str]:
    """An environment for a child process that finds this checkout."""
    return (
        {k: v for k, v in os.environ.items() if not k.startswith("WORKBENCH_")} | {"PYTHONPATH": str(REPOSITORY)} | more
    )


def start(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start a command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "workbench", *arguments],
        cwd=folder,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background jobs ignore Ctrl-C, and what they start inherits that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
