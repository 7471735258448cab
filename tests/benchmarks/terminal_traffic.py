"""What the Run and Profile screens cost: bytes a second to the terminal and share of a core, following a run and idle.

``python tests/benchmarks/terminal_traffic.py`` opens the real app in a pseudo-terminal of 160×48 cells, watching a run
that this process writes: six charts, ten points a second, near step 100 and near step 20,000 of 64,000; the phases of
its steps every two seconds; and a run that has finished. CPU is the app's own user and system time, so a busy machine
does not change it much.
"""

from __future__ import annotations

import fcntl
import math
import os
import pty
import random
import select
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.tui.fakes import CHECKS, FAKE_PREVIEW, RECIPE, phases, started
from workbench.events import Evaluated, Event, Finished, PhasesMeasured, RunStarted, Trained, to_json
from workbench.recipe import read_recipe, save_recipe
from workbench.runs.store.directory import RunDirectory
from workbench.runs.training.writer import RunWriter

WIDTH, HEIGHT, SECONDS, SETTLE = 160, 48, 30.0, 8.0
TOTAL, EPOCH = 64_000, 390


def point(step: int, at: float) -> Trained:
    """A noisy point of a training."""
    loss = 2.3 * math.exp(-step / 9000) * random.uniform(0.8, 1.2) + 0.05
    return Trained(
        time=at, step=step, epoch=step / EPOCH, loss=loss, accuracy=min(0.99, 1 - loss / 2.6),
        learning_rate=0.1 * (1 + math.cos(math.pi * step / TOTAL)) / 2,
        images_per_second=random.uniform(4900, 5100), seconds=step / 10,
    )  # fmt: skip


def evaluation(step: int, at: float) -> Evaluated:
    """One after an epoch."""
    accuracy = 0.9 - 0.8 * math.exp(-step / 8000)
    return Evaluated(
        time=at, step=step, epoch=step / EPOCH, split="test", loss=0.4, accuracy=accuracy, seconds=step / 10
    )


def measured(step: int) -> PhasesMeasured:
    """Noisy phases."""
    seconds = {name: value * random.uniform(0.95, 1.05) for name, value in phases(step).seconds.items()}
    return replace(phases(step), time=time.time(), seconds=seconds, step_seconds=1.02 * sum(seconds.values()))


def history(until: int) -> list[Event]:
    """Everything up to a step, ten steps a second."""
    begun = time.time() - until / 10
    first = started(TOTAL)
    events: list[Event] = [
        RunStarted(**{**vars(first), "time": begun, "steps_per_epoch": EPOCH}),
        *(type(check)(**{**vars(check), "time": begun}) for check in CHECKS),
    ]
    for step in range(1, until + 1):
        events.append(point(step, begun + step / 10))
        if step % EPOCH == 0:
            events.append(evaluation(step, begun + step / 10))
    return events


def make_run(folder: Path, until: int) -> RunDirectory:
    """A run directory with that history."""
    run = RunDirectory(folder / "runs" / f"at-{until}")
    run.path.mkdir(parents=True)
    save_recipe(read_recipe(RECIPE), run.recipe_file)
    run.events_file.write_text("".join(to_json(event) + "\n" for event in history(until)))
    return run


def write_on(writer: RunWriter, step: int, over: threading.Event) -> None:
    """Ten points a second; phases every two seconds."""
    while not over.wait(0.1):
        step += 1
        writer.write(point(step, time.time()))
        if step % 20 == 0:
            writer.write(measured(step))
        if step % EPOCH == 0:
            writer.write(evaluation(step, time.time()))


def watched(run: RunDirectory, keys: bytes = b"") -> tuple[float, float]:
    """Bytes a second and share of a core of the app that watches a run after some keys, once it has settled."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    process = subprocess.Popen(
        [sys.executable, __file__, "--watch", str(run.path)],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=run.path.parent.parent,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
        env={**os.environ, "HOME": str(run.path.parent), "TERM": "xterm-256color", "COLORTERM": "truecolor"},
    )  # fmt: skip
    os.close(slave)
    try:
        took(master, SETTLE / 2)
        os.write(master, keys)
        took(master, SETTLE / 2)
        own = psutil.Process(process.pid)
        before, at = own.cpu_times(), time.monotonic()
        count = took(master, SECONDS)
        after, seconds = own.cpu_times(), time.monotonic() - at
        return count / seconds, (after.user + after.system - before.user - before.system) / seconds
    finally:
        process.kill()
        process.wait()
        os.close(master)


def took(master: int, seconds: float) -> int:
    """Bytes that came in some time."""
    count, end = 0, time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        if select.select([master], [], [], rest)[0]:
            count += len(os.read(master, 65536))
    return count


def watch(path: Path) -> None:
    """The app as a user gets it, with a preview that needs no torch."""
    from workbench.tui.app import lifecycle
    from workbench.tui.app.workbench import Workbench

    Workbench.__init__.__kwdefaults__["preview_command"] = FAKE_PREVIEW
    lifecycle.run_app(watch=RunDirectory(path), runs=path.parent, data_root=path.parent, device="cpu")


def main() -> None:
    """Measure and print."""
    random.seed(0)
    print(f"At {WIDTH}×{HEIGHT}, {SECONDS:.0f} s each")
    with tempfile.TemporaryDirectory() as folder:
        for screen, keys, step in (("Run", b"2", 100), ("Run", b"2", 20_000), ("Profile", b"3", 1000)):
            run, over = make_run(Path(folder), step), threading.Event()
            with RunWriter(run) as writer:
                writer.write(history(0)[0])
                thread = threading.Thread(target=write_on, args=(writer, step, over))
                thread.start()
                rate, share = watched(run, keys)
                over.set()
                thread.join()
                writer.write(Finished(step=step + 1, seconds=1.0, test_loss=0.1, test_accuracy=0.9))
            said = f"{screen} screen, following at step {step:,}"
            print(f"{said:<45}{rate:7,.0f} bytes/s  {share:.1%} of a core", flush=True)
        for screen, keys in (("Run", b"2"), ("Profile", b"3")):
            rate, share = watched(run, keys)
            print(f"{f'{screen} screen, a finished run':<45}{rate:7,.0f} bytes/s  {share:.1%} of a core", flush=True)


if __name__ == "__main__":
    watch(Path(sys.argv[2])) if sys.argv[1:2] == ["--watch"] else main()
