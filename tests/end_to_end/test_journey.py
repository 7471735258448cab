"""A working day over a shaky connection: compose, run, lose the terminal, watch, compare, load, save."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.test_queue import WORKBENCH
from tests.end_to_end.test_terminal import NEEDS_TMUX, Terminal, losses, terminals, wait_until  # noqa: F401
from tests.waiting import GIVE_UP
from workbench.recipe import read_recipe_file
from workbench.runs.find.listing import list_runs
from workbench.runs.store.status import read_status

pytestmark = [pytest.mark.terminal, NEEDS_TMUX]


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(80, 24)])
def test_from_composing_to_saving_with_a_lost_terminal_between(
    tmp_path: Path,
    terminals: list[Terminal],  # noqa: F811
    width: int,
    height: int,
) -> None:
    environment = {**os.environ, "HOME": str(tmp_path)}
    earlier = [*WORKBENCH.split(), "run", "digits", "--epochs", "2", "--seed", "7", "--device", "cpu", "--quiet"]
    subprocess.run(earlier, check=True, cwd=tmp_path, env=environment, capture_output=True, timeout=GIVE_UP)

    # compose and run: another technique is the only difference between the two
    first = Terminal(f"{WORKBENCH} --device cpu", tmp_path, width, height)
    terminals.append(first)
    first.wait_for("[x] batch_norm")
    first.keys("/")
    first.type("label_sm")
    first.keys("Enter", "Space")
    first.wait_for("[x] label_smoothing", "unsaved")
    first.keys("r")
    first.wait_for("loading torch")
    first.keys("p")  # before its first step, so that it is still at work when the next terminal is there
    first.wait_for("paused", seconds=120)
    (run,) = [found.run for found in list_runs(tmp_path / "runs") if found.state == "paused"]
    status = read_status(run)
    assert status is not None

    # the terminal is lost, with everything in it but the training
    first.close()
    wait_until(lambda: not first.alive)
    assert psutil.pid_exists(status.pid)

    # another terminal has the whole history and full control
    second = Terminal(f"{WORKBENCH} watch", tmp_path, width, height)
    terminals.append(second)
    second.wait_for(run.name if width > 80 else run.name[:24], "paused")
    second.keys("p")
    second.wait_for("running", "epoch")
    second.keys("p")
    second.wait_for("paused")
    second.keys("p")
    second.wait_for("finished", "100 %")
    wait_until(lambda: not psutil.pid_exists(status.pid))
    assert [step for step, _ in losses(run.path)] == sorted({step for step, _ in losses(run.path)})

    # compare it with the earlier run
    second.keys("4")
    second.wait_for("2 runs", "digits")
    second.keys("Space", "Down", "Space")
    second.wait_for("2 selected")
    second.wait_for("Recipe", "el_smoothing", "test accuracy")  # with little room the end of a name is shown

    # load its recipe; the changes that the lost terminal left unsaved are still there, and are asked about
    second.keys("Up", "l")
    second.wait_for("Unsaved changes", "Load the run's recipe without saving")
    second.keys("Down", "Enter")
    second.wait_for("1 Compose", "[x] label_smoothing" if height > 24 else "digits")
    second.keys("S")
    second.wait_for("Save as")
    second.keys("C-u")
    second.type("smooth")
    second.keys("Enter")
    wait_until(lambda: (tmp_path / "recipes" / "smooth.toml").exists())
    saved, trained = read_recipe_file(tmp_path / "recipes" / "smooth.toml"), run.recipe()
    assert saved.techniques == trained.techniques
    assert saved.on("label_smoothing")
    second.keys("q")
    wait_until(lambda: not second.alive)

    # the next session begins where this one ended
    third = Terminal(f"{WORKBENCH} --device cpu", tmp_path, width, height)
    terminals.append(third)
    third.wait_for("smooth", "[x] label_smoothing")
    third.keys("q")
    wait_until(lambda: not third.alive)
