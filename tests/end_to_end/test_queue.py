"""In a real terminal: a second run queued, the first one let go on in the background, and Ctrl-Z in a shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.test_terminal import NEEDS_TMUX, Terminal, losses, terminals, wait_until  # noqa: F401
from tests.runs.helpers import worker_lives
from workbench.paths import packaged_recipes
from workbench.runs.find.listing import list_runs
from workbench.runs.store.status import RunSummary

pytestmark = [pytest.mark.terminal, NEEDS_TMUX]
WORKBENCH = f"{sys.executable} -m workbench"


def shell(folder: Path, width: int, height: int) -> Terminal:
    """A terminal with an interactive shell, which has job control."""
    (folder / "rc").write_text("PS1='> '\n")
    return Terminal(f"bash --noprofile --rcfile {folder}/rc -i", folder, width, height)


def states(runs: list[RunSummary]) -> list[str]:
    return [found.state for found in sorted(runs, key=lambda found: found.created)]


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(80, 24)])
def test_a_queued_run_and_one_that_goes_on_in_the_background(
    tmp_path: Path,
    terminals: list[Terminal],  # noqa: F811
    width: int,
    height: int,
) -> None:
    text = (packaged_recipes() / "digits.toml").read_text()
    (tmp_path / "short.toml").write_text(text.replace("epochs = 10", "epochs = 4"))
    root = tmp_path / "runs"
    terminal = shell(tmp_path, width, height)
    terminals.append(terminal)
    terminal.type(f"{WORKBENCH} --device cpu --recipe short.toml")
    terminal.keys("Enter")
    terminal.wait_for("[x] batch_norm")
    terminal.keys("r")
    terminal.wait_for("running", "of 92")
    terminal.keys("p")  # or it may be over before all keys are pressed
    terminal.wait_for("paused")

    terminal.keys("1", "r")
    terminal.wait_for("A run is being trained", "Queue it")
    terminal.keys("Enter")
    terminal.wait_for("is queued, place 1")
    assert states(list_runs(root)) == ["paused", "queued"]

    terminal.keys("q")
    terminal.wait_for("Go on in the background and quit")
    terminal.keys("Enter")
    screen = terminal.wait_for("goes on in the background (pid", "1 queued run waits")
    assert "Traceback" not in screen
    # It left when the new process had taken the run up, and the queue did not take the device in between.
    assert states(list_runs(root)) == ["running", "queued"]

    wait_until(lambda: states(list_runs(root)) == ["finished", "finished"])
    first, second = (found.run.path for found in sorted(list_runs(root), key=lambda found: found.created))
    assert '"kind":"resumed"' in (first / "events.jsonl").read_text()
    listed = subprocess.run(
        [sys.executable, "-m", "workbench", "queue", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(listed.stdout) == []
    wait_until(lambda: not worker_lives(root))
    assert losses(second)[-1] == losses(first)[-1]  # stopped and gone on with, or not: the same numbers


def test_suspending_and_coming_back(tmp_path: Path, terminals: list[Terminal]) -> None:  # noqa: F811
    terminal = shell(tmp_path, 80, 24)
    terminals.append(terminal)
    terminal.type(f"{WORKBENCH} --device cpu")
    terminal.keys("Enter")
    terminal.wait_for("[x] batch_norm", "156,554")
    before = terminal.screen()
    terminal.keys("C-z")
    assert "batch_norm" not in terminal.wait_for("Stopped")
    terminal.type("echo $((6 * 7)) of the shell")
    terminal.keys("Enter")
    terminal.wait_for("42 of the shell")
    terminal.type("fg")
    terminal.keys("Enter")
    terminal.wait_for("[x] batch_norm", "156,554")
    wait_until(lambda: terminal.screen() == before)
    terminal.keys("q")
    # what is typed before the shell is back would be the app's
    wait_until(lambda: "42 of the shell" in terminal.screen() and terminal.screen().rstrip().endswith(">"))
    terminal.type("echo $((7 * 7)) afterwards")
    terminal.keys("Enter")
    terminal.wait_for("49 afterwards")


@pytest.mark.slow
def test_suspending_while_training_asks(tmp_path: Path, terminals: list[Terminal]) -> None:  # noqa: F811
    terminal = shell(tmp_path, 80, 24)
    terminals.append(terminal)
    text = (packaged_recipes() / "digits.toml").read_text()
    (tmp_path / "long.toml").write_text(text.replace("epochs = 10", "epochs = 200"))
    terminal.type(f"{WORKBENCH} --device cpu --recipe long.toml")
    terminal.keys("Enter")
    terminal.wait_for("[x] batch_norm")
    terminal.keys("r")
    terminal.wait_for("running", "of 4,600")
    terminal.keys("C-z")
    terminal.wait_for("freezes the training too")
    terminal.keys("Up", "Enter")
    terminal.wait_for("Stopped")
    (run,) = (found.run for found in list_runs(tmp_path / "runs"))
    size = os.path.getsize(run.events_file)
    time.sleep(2)
    assert os.path.getsize(run.events_file) == size  # frozen
    terminal.type("fg")
    terminal.keys("Enter")
    terminal.wait_for("running", "of 4,600")
    wait_until(lambda: os.path.getsize(run.events_file) > size)
    terminal.keys("q")
    terminal.wait_for("Stop at a checkpoint and quit")
    terminal.keys("Up", "Enter")
    terminal.wait_for("stopped at a checkpoint; go on with")
