"""The whole main job in a real terminal: compose, check, train, watch, save, and the same numbers headless."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import GIVE_UP
from tests.waiting import wait_for as wait_until

NEEDS_TMUX = pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
pytestmark = [pytest.mark.terminal, NEEDS_TMUX]


class Terminal:
    """A tmux session of its own with one program in it."""

    def __init__(self, command: str, folder: Path, width: int, height: int) -> None:
        self.socket = f"workbench-{uuid.uuid4().hex[:8]}"
        environment = {**os.environ, "HOME": str(folder), "XDG_CACHE_HOME": str(folder), "TERM": "xterm-256color"}
        size = ["-x", str(width), "-y", str(height)]
        subprocess.run(
            ["tmux", "-L", self.socket, "-f", "/dev/null", "new-session", "-d", *size, command],
            check=True, cwd=folder, env=environment,
        )  # fmt: skip

    def tmux(self, *arguments: str) -> str:
        return subprocess.run(["tmux", "-L", self.socket, *arguments], capture_output=True, text=True).stdout

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.tmux("send-keys", key)
            time.sleep(0.25)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)
        time.sleep(0.4)

    def wait_for(self, *texts: str, seconds: float = GIVE_UP) -> str:
        """Wait until all texts are on the screen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            screen = self.screen()
            if all(text in screen for text in texts):
                return screen
            time.sleep(0.2)
        raise AssertionError(f"not on the screen after {seconds} s: {texts}\n{self.screen()}")

    @property
    def alive(self) -> bool:
        return bool(self.tmux("list-sessions"))

    def close(self) -> None:
        self.tmux("kill-server")


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


@pytest.fixture(scope="module")
def headless(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[tuple[int, float]]]:
    """The losses of a recipe's text when it is run without a screen; each text once."""

    @functools.cache
    def run(text: str) -> list[tuple[int, float]]:
        folder = tmp_path_factory.mktemp("headless")
        (folder / "saved.toml").write_text(text)
        command = [sys.executable, "-m", "workbench", "run", "saved.toml", "--device", "cpu"]
        subprocess.run(command, check=True, capture_output=True, timeout=GIVE_UP, cwd=folder)
        (done,) = (folder / "runs").iterdir()
        return losses(done)

    return run


def losses(run: Path) -> list[tuple[int, float]]:
    events = map(json.loads, (run / "events.jsonl").read_text().splitlines())
    return [(e["step"], e["loss"]) for e in events if e["kind"] == "trained"]


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(160, 48)])
def test_the_whole_main_job(
    tmp_path: Path,
    terminals: list[Terminal],
    headless: Callable[[str], list[tuple[int, float]]],
    width: int,
    height: int,
) -> None:
    terminal = Terminal(f"{sys.executable} -m workbench --device cpu", tmp_path, width, height)
    terminals.append(terminal)

    # the embedded data set, ready to run, with its checks
    terminal.wait_for("Compose", "he_init", "[x] batch_norm")
    terminal.wait_for("156,554", "expected 2.669")

    # switch a technique on by its name, and edit the training's length with one slip on the way
    terminal.keys("/")
    terminal.type("label")
    terminal.keys("Enter", "Space")
    terminal.wait_for("[x] label_smoothing", "unsaved")
    terminal.keys("Escape")
    terminal.wait_for("he_init")  # a key that came right after the escape would be one with Alt
    terminal.keys("Home", "Down", "Down", "Down", "Enter")
    terminal.wait_for("log_every", "Cancel")
    terminal.keys("BSpace", "BSpace")
    terminal.type("x")
    terminal.wait_for("found 'x'")
    terminal.keys("BSpace")
    terminal.type("6")
    terminal.keys("Enter")
    terminal.wait_for("6 epochs", "138 steps" if width == 80 else "138")

    # save, then train what was saved
    terminal.keys("s")
    terminal.wait_for("recipes/digits.toml")
    terminal.keys("Enter")
    saved = tmp_path / "recipes" / "digits.toml"
    wait_until(saved.exists)
    terminal.keys("r")
    terminal.wait_for("running", "of 138")

    # pause, go on, and toggle in Compose while it trains: the preview works beside the training
    terminal.keys("p")
    terminal.wait_for("⏸")
    terminal.keys("p")
    terminal.wait_for("▶")
    terminal.keys("1", "/")
    terminal.type("flip")
    terminal.keys("Enter", "Space")
    terminal.wait_for("[x] horizontal_flip", "unsaved")
    terminal.keys("Space")
    terminal.wait_for("[ ] horizontal_flip")
    terminal.keys("u", "u")
    terminal.keys("2")
    screen = terminal.wait_for("finished", "100 %", "input statistics")
    assert "Loss" in screen
    assert "Accuracy" in screen

    terminal.keys("q")
    wait_until(lambda: not terminal.alive)

    # the same recipe headless, bit for bit
    (run,) = (tmp_path / "runs").iterdir()
    assert len(losses(run)) == 14
    assert losses(run) == headless(saved.read_text())
