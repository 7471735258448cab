"""After the screens have closed: what is said, and what goes on in the background."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.runs.helpers import lasting
from tests.tui.fakes import history, written
from workbench.recipe import Recipe
from workbench.runs.errors import RunError
from workbench.runs.queue import jobs
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import new_status, write_status
from workbench.tui.app import lifecycle
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.services import Settings


class Left:
    """As much of an app and its training as is looked at when the screens are closed."""

    def __init__(self, run: RunDirectory | None, state: str = "stopped") -> None:
        self.training = self if run is not None else None
        self.run = run
        self.state = state
        self.queue_hold = None
        self.device = "cpu"


def goodbye(left: Left, outcome: str) -> None:
    settings = Settings(Path("runs").resolve(), Path("data"), "cpu")
    app: Workbench = left  # type: ignore[assignment]
    lifecycle._say_goodbye(app, settings, outcome)


@pytest.fixture
def run(recipe: Recipe) -> RunDirectory:
    return written(Path("runs/mine").resolve(), recipe, history(20), "stopped")


def test_it_leaves_at_the_first_heartbeat_of_the_new_process(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def detach(run: RunDirectory, *arguments: object, resume: bool, plugins: object) -> int:
        assert resume
        write_status(run, lasting("running"))
        return os.getpid()

    monkeypatch.setattr(lifecycle, "detach", detach)
    goodbye(Left(run), "background")
    assert capsys.readouterr().out == f"mine goes on in the background (pid {os.getpid()}): workbench watch mine\n"


def test_a_process_that_does_not_begin_is_an_error(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def detach(run: RunDirectory, *arguments: object, **more: object) -> int:
        run.log_file.write_text("no space left\n")
        write_status(run, new_status("queued", 2**22 - 1))
        return 2**22 - 1

    monkeypatch.setattr(lifecycle, "detach", detach)
    with pytest.raises(RunError, match=r"did not begin: no space left; the run stands at its checkpoint: .* mine"):
        goodbye(Left(run), "background")


def test_ctrl_c_while_waiting_leaves_the_process_alone(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lifecycle, "detach", lambda *arguments, **more: os.getpid())
    monkeypatch.setattr(lifecycle, "await_heartbeat", interrupted)
    goodbye(Left(run), "background")
    assert "not waited for" in capsys.readouterr().out


def test_waiting_runs_are_mentioned(run: RunDirectory, recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    goodbye(Left(None), "")
    assert capsys.readouterr().out == ""
    for name in ("a", "b"):
        later = written(Path("runs").resolve() / name, recipe, [])
        later.status_file.unlink()
        jobs.add(later)
    goodbye(Left(run), "stop")
    assert capsys.readouterr().out.splitlines() == [
        "mine stopped at a checkpoint; go on with: workbench run --resume mine",
        "2 queued runs wait for a free device: workbench queue",
    ]
