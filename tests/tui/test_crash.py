"""Whatever ends the screens: the terminal is put back, a training stops at a checkpoint, one line says what failed."""

from __future__ import annotations

import re
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.tui.broken import AT_KEY
from tests.tui.test_terminal import Terminal, terminals  # noqa: F401
from workbench.tui.app import descriptors

pytestmark = pytest.mark.terminal

ON_THE_WAY_OUT = "\x1b[?1049l"


def at_the_end(terminal: Terminal) -> tuple[int, str]:
    """Wait for the end; the exit code, and what stands on the ordinary screen then."""
    end = time.monotonic() + 30
    while terminal.process.poll() is None and time.monotonic() < end:
        terminal.read(0.1)
    terminal.read(0.2)
    assert terminal.process.returncode is not None, "it never ended"
    return terminal.process.returncode, terminal.seen.rpartition(ON_THE_WAY_OUT)[2].replace("\r", "")


def is_put_back(terminal: Terminal) -> bool:
    """Whether the terminal echoes again, and shows its ordinary screen, its cursor and no mouse."""
    echoes = termios.tcgetattr(terminal.master)[3] & termios.ECHO
    switched = dict(re.findall(r"\x1b\[\?(1049|25|1000|1003|2004)([hl])", terminal.seen))  # the last of each counts
    return bool(echoes) and switched == {"1049": "l", "25": "h", "1000": "l", "1003": "l", "2004": "l"}


def the_log(folder: Path) -> Path:
    (log,) = folder.rglob("terminal.log")
    return log


@pytest.mark.parametrize("where", ["start", "compose"])
def test_an_exception_before_the_first_paint(where: str, tmp_path: Path, terminals: list[Terminal]) -> None:  # noqa: F811
    terminal = Terminal(tmp_path, 5, where)
    terminals.append(terminal)
    code, text = at_the_end(terminal)
    assert code == 1
    log = the_log(tmp_path)
    line = f"the screens broke: ZeroDivisionError: planted in {where}"
    assert line in text and f"the whole traceback is in {log}" in text
    assert text.count("\n") == 1
    assert f"ZeroDivisionError: planted in {where}" in log.read_text() and "Traceback (most recent" in log.read_text()


@pytest.mark.parametrize("where", ["mount", "timer", "key", "unmount", "input", "exit", "panic"])
def test_an_exception_while_a_run_is_trained(where: str, tmp_path: Path, terminals: list[Terminal]) -> None:  # noqa: F811
    terminal = Terminal(tmp_path, 1000, where)
    terminals.append(terminal)
    terminal.wait_for("batch_norm")
    terminal.press("r")
    if where not in ("mount", "timer"):
        terminal.wait_for("Accuracy")
        terminal.press("q" if where == "unmount" else AT_KEY)
    if where == "unmount":
        terminal.wait_for("Stop at a checkpoint")
        terminal.read(0.3)  # an answer that is older than the question does not count
        terminal.press("\x1b[A\r")
    code, text = at_the_end(terminal)
    assert code == 1
    assert is_put_back(terminal)
    assert terminal.events()[-1]["kind"] == "stopped"
    *_, stopped, line = text.splitlines()
    assert re.search(r"\S+-digits-\S+ stopped at a checkpoint; go on with: workbench run --resume \S+", stopped)
    if where == "panic":
        assert line.startswith("the screens ended by themselves; the last lines of ")
    elif where == "exit":
        assert "the screens broke: SystemExit: 0 (broken.py:" in line
    else:
        assert f"the screens broke: ZeroDivisionError: planted in {where} (broken.py:" in line
        assert f"ZeroDivisionError: planted in {where}" in the_log(tmp_path).read_text()


def test_a_thread_that_breaks_leaves_the_rest_alone(tmp_path: Path, terminals: list[Terminal]) -> None:  # noqa: F811
    terminal = Terminal(tmp_path, 10, "thread")
    terminals.append(terminal)
    terminal.wait_for("batch_norm")
    terminal.press("r")
    terminal.wait_for("Accuracy")
    terminal.press(AT_KEY)
    terminal.wait_for("Something broke")
    terminal.wait_for("finished")
    terminal.press("q")
    code, text = at_the_end(terminal)
    assert code == 0 and "finished" in text
    assert "ZeroDivisionError: planted in thread" in the_log(tmp_path).read_text()


def test_a_preview_that_dies_at_once_is_said_and_training_works(
    tmp_path: Path,
    terminals: list[Terminal],  # noqa: F811
) -> None:
    terminal = Terminal(tmp_path, 5, "preview")
    terminals.append(terminal)
    terminal.press("v")  # to the preview, where there is room
    terminal.wait_for("training works without it")
    assert "planted in preview" in terminal.seen
    terminal.press("r")
    terminal.wait_for("finished")
    terminal.press("q")
    assert at_the_end(terminal)[0] == 0


def test_without_a_log_the_traceback_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    log = tmp_path / "file" / "terminal.log"  # below a file: cannot be written
    try:
        raise LookupError("a\nb" + "x" * 1000)
    except LookupError as error:
        assert not descriptors.keep_traceback(error, log)
        line = str(descriptors.screens_broke(error, log))
    assert "Traceback (most recent call last)" in capsys.readouterr().err
    assert line.startswith("the screens broke: LookupError: a bxxx") and re.search(r"x… \(test_crash.py:\d+\)$", line)
    assert len(line) < 400


def test_a_process_that_ends_while_it_trains_stops_at_a_checkpoint_first(tmp_path: Path) -> None:
    """Not through run_app: an app that is left, and an interpreter that ends with a thread inside torch."""
    code = """
import asyncio
from pathlib import Path
from workbench.tui.common.editor import Editor
from workbench.tui.common.services import Settings
from workbench.tui.app.workbench import Workbench, first_editor

async def main():
    settings = Settings(Path("runs"), Path("data"), "cpu")
    app = Workbench(settings, first_editor(), preview_command=["sleep", "60"])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("r")
        while app.tracked is None or not app.tracked.view.trained:
            await pilot.pause(0.05)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "runs").iterdir()
    assert '"kind":"stopped"' in (run / "events.jsonl").read_text().splitlines()[-1]
