"""How long a person waits: for the first picture, for the answer to a key, and what a screen costs that nobody touches.

    python tests/benchmarks/terminal_latency.py [--turns 7] [--keys 60] [--training]

Runs the workbench in a pseudo-terminal. First picture: from starting the process until the frame (tabs and key bar) and
until all of Compose (the list of techniques) has arrived, beside a Textual app with one label on the same machine, in
turns. Keys: from writing `down` or `up` until the first byte of the answer. Idle: bytes and processor time of a screen
that nobody touches, the preview process included. --training: the keys again while a run of the digits trains here.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Self

import psutil

LABEL = """
from textual.app import App
from textual.widgets import Label
class One(App):
    def compose(self):
        yield Label("ready to go")
One().run()
"""


class Terminal:
    """A program in a pseudo-terminal, fed and read by this process."""

    def __init__(self, command: list[str], folder: Path, width: int, height: int) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        environment = {
            **os.environ, "HOME": str(folder), "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"
        }  # fmt: skip
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=environment, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
        )  # fmt: skip
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self.master)

    def read(self, seconds: float) -> bytes:
        """What arrives first, waiting at most so long; b"" if nothing does."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        return os.read(self.master, 65536) if ready else b""

    def drain(self, quiet: float = 0.3) -> int:
        """Read until nothing has come for a while; returns the bytes."""
        count = 0
        while found := self.read(quiet):
            count += len(found)
        return count

    def wait_for(self, *texts: str, seconds: float = 60) -> list[float]:
        """Seconds from the start of the process until each text had arrived."""
        seen, found = b"", dict.fromkeys(texts, 0.0)
        end = time.perf_counter() + seconds
        while not all(found.values()):
            if time.perf_counter() > end:
                raise SystemExit(f"not seen in {seconds} s: {[text for text, when in found.items() if not when]}")
            seen += self.read(0.5)
            for text, when in found.items():
                if not when and text.encode() in seen:
                    found[text] = time.perf_counter() - self.begun
        return list(found.values())

    def answer(self, key: bytes) -> float:
        """Milliseconds from a key to the first byte of its answer."""
        begun = time.perf_counter()
        os.write(self.master, key)
        if not self.read(5):
            raise SystemExit("a key was not answered within 5 s")
        return (time.perf_counter() - begun) * 1000

    def idle(self, seconds: float) -> tuple[int, float]:
        """Bytes that arrive in a while, and the share of a processor that the process and its children used."""
        before, begun = self._processor(), time.perf_counter()
        count, end = 0, begun + seconds
        while (rest := end - time.perf_counter()) > 0:
            count += len(self.read(rest))
        return count, (self._processor() - before) / (time.perf_counter() - begun)

    def _processor(self) -> float:
        process = psutil.Process(self.process.pid)
        times = [one.cpu_times() for one in [process, *process.children(recursive=True)]]
        return sum(t.user + t.system for t in times)


def keys(terminal: Terminal, count: int) -> list[float]:
    """Milliseconds for so many keys, one after the other, each after the screen has come to rest."""
    found = []
    for number in range(count):
        terminal.drain(0.05)
        found.append(terminal.answer(b"\x1b[B" if number % 20 < 10 else b"\x1b[A"))
    return found


def show(name: str, values: list[float], unit: str) -> None:
    values = sorted(values)
    middle, late = statistics.median(values), values[min(len(values) - 1, round(0.95 * len(values)))]
    print(f"{name:<44} median {middle:7.2f} {unit}   95 % below {late:7.2f} {unit}   lowest {values[0]:7.2f} {unit}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--keys", type=int, default=60)
    parser.add_argument("--width", type=int, default=80)
    parser.add_argument("--height", type=int, default=24)
    parser.add_argument("--idle", type=float, default=20.0, help="seconds")
    parser.add_argument("--training", action="store_true", help="measure the keys again while a run trains")
    options = parser.parse_args()
    size = options.width, options.height
    command = [sys.executable, "-m", "workbench"]
    print(
        f"{size[0]}x{size[1]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        label, frame, compose = [], [], []
        for _ in range(options.turns):
            with Terminal([sys.executable, "-c", LABEL], folder, *size) as terminal:
                label += terminal.wait_for("ready to go")
            with Terminal(command, folder, *size) as terminal:
                first, whole = terminal.wait_for("Compose", "batch_norm")
                frame.append(first)
                compose.append(whole)
        show("a Textual app with one label", label, "s")
        show("the frame", frame, "s")
        show("all of Compose", compose, "s")
        with Terminal(command, folder, *size) as terminal:
            terminal.wait_for("expected ")
            terminal.drain(3)
            show("key to first byte, idle", keys(terminal, options.keys), "ms")
            terminal.drain(3)
            count, share = terminal.idle(options.idle)
            print(f"{'Compose, untouched':<44} {count / options.idle:.0f} bytes/s, {share:.2%} of a processor")
            if options.training:
                os.write(terminal.master, b"/")
                terminal.drain()
                os.write(terminal.master, b"\x1b")
                terminal.drain()
                os.write(terminal.master, b"r")
                terminal.wait_for("running")
                time.sleep(8)
                os.write(terminal.master, b"1")
                time.sleep(1)
                show("key to first byte while a run trains here", keys(terminal, options.keys), "ms")


if __name__ == "__main__":
    main()
