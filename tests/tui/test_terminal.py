"""A real terminal: the first paint, descriptors, and what happens when the terminal goes away."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.waiting import GIVE_UP, wait_for

pytestmark = pytest.mark.terminal

SESSION = Path(__file__).with_name("session.py")


class Terminal:
    """A pseudo-terminal with a session in it that it controls, so that closing it hangs up."""

    def __init__(self, folder: Path, steps: int, *broken: str, errors: Path | None = None) -> None:
        self.folder = folder
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        stderr = slave if errors is None else os.open(errors, os.O_CREAT | os.O_WRONLY)
        self.process = subprocess.Popen(
            [sys.executable, str(SESSION), str(steps), *broken],
            stdin=slave, stdout=slave, stderr=stderr, cwd=folder, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
            env={**os.environ, "HOME": str(folder), "XDG_STATE_HOME": str(folder), "TERM": "xterm-256color"},
        )  # fmt: skip
        for descriptor in {slave, stderr}:
            os.close(descriptor)
        self.seen = ""

    def read(self, seconds: float) -> None:
        """Take what the program writes, for a while."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            if select.select([self.master], [], [], rest)[0]:
                try:
                    self.seen += os.read(self.master, 65536).decode(errors="replace")
                except OSError:
                    return

    def wait_for(self, text: str, seconds: float = GIVE_UP) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            self.read(0.1)
            if text in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.seen):
                return
        raise AssertionError(f"{text!r} never came; the last that came: {self.seen[-2000:]!r}")

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def hang_up(self) -> None:
        os.close(self.master)
        self.master = -1

    def events(self) -> list[dict[str, object]]:
        (run,) = (self.folder / "runs").iterdir()
        return [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.master >= 0:
            os.close(self.master)


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def test_the_first_paint_comes_before_torch(tmp_path: Path) -> None:
    code = f"""
import asyncio, sys
sys.path[:0] = [{str(SESSION.parents[2])!r}]
from pathlib import Path
import workbench.tui.app.lifecycle
from workbench.tui.app.workbench import Workbench, first_editor
from workbench.tui.common.editor import Editor
from workbench.tui.common.services import Settings

async def main():
    command = [sys.executable, {str(SESSION.with_name("fake_preview.py"))!r}]
    app = Workbench(Settings(Path("runs"), Path("data"), "auto"), first_editor(), preview_command=command)
    async with app.run_test(size=(80, 24)) as pilot:
        for keys in ("jjj", "v", "v", "2", "1"):
            await pilot.press(*keys)
        while app.preview.picture.checks is None:
            await pilot.pause(0.05)
        assert not {{"torch", "torchvision", "sklearn"}} & set(sys.modules)

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=GIVE_UP, cwd=tmp_path)


@pytest.mark.parametrize("apart", [False, True], ids=["on the terminal", "standard error in a file"])
def test_a_session_from_the_first_paint_to_the_shell(tmp_path: Path, terminals: list[Terminal], apart: bool) -> None:
    errors = tmp_path / "errors.txt"
    terminal = Terminal(tmp_path, steps=5, errors=errors if apart else None)
    terminals.append(terminal)
    terminal.wait_for("batch_norm")
    terminal.press("r")
    terminal.wait_for("finished")
    terminal.press("q")
    terminal.read(0.3)
    assert terminal.process.wait(GIVE_UP) == 0
    terminal.read(0.2)
    assert "finished" in terminal.seen.rpartition("\x1b[?1049l")[2]  # said on the ordinary screen
    # What libraries wrote landed in the run's log and never on the screen.
    assert "a library's warning\n" not in terminal.seen.replace("\r", "")
    (run,) = (tmp_path / "runs").iterdir()
    log = (run / "log.txt").read_text()
    assert log.count("a library's warning") == 5 and log.count("a print") == 5
    assert not apart or errors.read_text() == ""


@pytest.mark.skipif(not Path("/proc/self/syscall").exists(), reason="looks at a thread through /proc")
def test_a_lost_terminal_leaves_the_training_alone(tmp_path: Path, terminals: list[Terminal]) -> None:
    """Two sessions side by side: one whose terminal was read to the end, one whose terminal nobody reads any more."""
    for name in ("read", "unread"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "hold").touch()  # so that it trains when its terminal goes away, however busy the machine is
        terminals.append(Terminal(tmp_path / name, steps=40))
    read, unread = terminals
    for terminal in terminals:
        terminal.wait_for("batch_norm")
        terminal.press("r")
    for terminal in terminals:
        terminal.wait_for("Accuracy")
    # The writer waits for room, its queue of 30 fills, and then the UI thread waits too.
    keys = itertools.cycle("jjjjjkkkkk")
    unread.press("1")

    def stuck() -> bool:
        """Whether the UI thread waits for room, and not for the next key: not in epoll_wait, time and again."""
        for key in itertools.islice(keys, 5):
            unread.press(key)
            read.read(0.025)
        looks = []
        for _ in range(5):
            looks.append(Path(f"/proc/{unread.process.pid}/syscall").read_text().split()[0])
            read.read(0.05)
        return not {"232", "running"} & set(looks)

    wait_for(stuck)
    for terminal in terminals:
        terminal.hang_up()

    def at_rest() -> bool:
        """Whether both hardly use a processor, once they have left their screens; what spins does so for ever."""
        before = [sum(process.cpu_times()[:2]) for process in processes]
        time.sleep(0.8)
        return all(sum(p.cpu_times()[:2]) - b < 0.3 for p, b in zip(processes, before, strict=True))

    processes = [psutil.Process(terminal.process.pid) for terminal in terminals]
    assert any(at_rest() for _ in range(10)), "something spins"
    for name in ("read", "unread"):
        (tmp_path / name / "hold").unlink()
    for terminal in terminals:
        assert terminal.process.wait(GIVE_UP) == 0
        events = terminal.events()
        assert events[-1]["kind"] == "finished"
        assert sum(event["kind"] == "trained" for event in events) == 40


def test_sigterm_stops_at_a_checkpoint(tmp_path: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal(tmp_path, steps=1000)
    terminals.append(terminal)
    terminal.wait_for("batch_norm")
    terminal.press("r")
    terminal.wait_for("Accuracy")
    terminal.process.send_signal(signal.SIGTERM)
    end = time.monotonic() + GIVE_UP
    while terminal.process.poll() is None and time.monotonic() < end:
        terminal.read(0.1)
    assert terminal.process.returncode == 0
    assert terminal.events()[-1]["kind"] == "stopped"
