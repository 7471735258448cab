"""A run's present state: one small file that is replaced in one step, what events make of it, whether to believe it."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from workbench.events import (
    Continued,
    Diverged,
    Evaluated,
    Event,
    Failed,
    Finished,
    Paused,
    RunStarted,
    Stopped,
    Trained,
)
from workbench.filesystem import NOT_THERE, dangling, why
from workbench.runs.errors import CannotWrite, replace_text
from workbench.runs.store.directory import RunDirectory
from workbench.storage.json_text import dumps
from workbench.storage.regular import read_bytes
from workbench.storage.values import Amount, Count, Finite, Timestamp

STALE_AFTER = 15.0
"""Seconds without a heartbeat after which a living process counts as stalled."""

SHORT = 1000
"""Characters of a message that are kept where there is no room for a longer one."""

ACTIVE = frozenset({"queued", "running", "paused", "stalled"})
"""States in which a process will read requests."""

ENDED = frozenset({"finished", "stopped", "diverged", "failed", "lost"})
"""States in which nothing more will happen."""


@dataclass(frozen=True)
class Stage:
    """A part of what a run does before its first loss, and when it began, in seconds since 1970."""

    name: str
    began: Timestamp


PROCESS, TORCH, CHECKPOINT, DATA, NETWORK, THREADS, CHECKS, STEPS = STAGES = (
    "process", "torch", "checkpoint", "data", "network", "threads", "checks", "steps",
)  # fmt: skip
"""The names of those parts, in their order."""


@dataclass(frozen=True)
class Status:
    """What a run last said about itself. Times are seconds since 1970; a figure is None until it is known.

    accuracy, loss: of the latest training steps. test_accuracy, test_loss: of the latest evaluation. best: highest
    validation accuracy. seconds: training time so far, pauses and evaluations left out. started: when this process took
    the run up. process_started and namespace: with pid, boot_id and host they name one process. message: the error or
    reason of an end. stages: what it has done since then, the newest last; none once there is a loss.
    """

    state: str
    pid: Count = 0
    host: str = ""
    boot_id: str = ""
    namespace: str = ""
    process_started: Amount | None = None
    heartbeat: Timestamp = 0.0
    step: Count = 0
    steps: Count = 0
    epoch: Amount = 0.0
    loss: Finite | None = None
    accuracy: Finite | None = None
    images_per_second: Finite | None = None
    test_accuracy: Finite | None = None
    best: Finite | None = None
    device: str = ""
    started: Timestamp = 0.0
    message: str = ""
    seed: Count | None = None
    seconds: Amount | None = None
    test_loss: Finite | None = None
    stages: tuple[Stage, ...] = ()


_ADAPTER = TypeAdapter(Status)


def new_status(state: str, pid: int | None = None) -> Status:
    """A status that names a process of this machine, this one if no other is given."""
    pid = os.getpid() if pid is None else pid
    now = time.time()
    return Status(
        state=state,
        pid=pid,
        host=socket.gethostname(),
        boot_id=boot_id(),
        namespace=_namespace(),
        process_started=process_started(pid),
        heartbeat=now,
        started=now,
    )


def going_on(run: RunDirectory, status: Status) -> Status:
    """A process's claim on a run, with what an earlier part of the run had reached."""
    before = read_status(run)
    if before is None:
        return status
    if before.state == "queued" and before.pid == status.pid and before.started:  # whoever launched it wrote that
        status = dataclasses.replace(status, stages=(Stage(PROCESS, before.started),))
    kept = ("step", "steps", "epoch", "loss", "accuracy", "test_accuracy", "best", "seed", "seconds", "test_loss")
    return dataclasses.replace(status, **{name: getattr(before, name) for name in kept})


def write_status(run: RunDirectory, status: Status) -> None:
    """Replace a run's status, on a full disk too. Raises CannotWrite."""
    try:
        replace_text(run.status_file, dumps(status) + "\n", last_resort=True)
    except CannotWrite:
        if len(status.message) <= SHORT:
            raise
        short = dataclasses.replace(status, message=f"{status.message[:SHORT]}…")
        replace_text(run.status_file, dumps(short) + "\n", last_resort=True)


def read_status(run: RunDirectory) -> Status | None:
    """A run's last status; None if it never had one, or a torn one. One that may not be read says so: it is unknown."""
    try:
        return _ADAPTER.validate_json(read_bytes(run.status_file), strict=True)
    except ValueError:
        return None
    except OSError as error:
        if error.errno in NOT_THERE and not dangling(run.status_file):
            return None
        return Status("unknown", message=f"{run.status_file.name} cannot be read: {why(error, run.status_file)}")


def effective_state(status: Status | None) -> str:
    """What to believe of a status: queued, running, paused, finished, stopped, diverged, failed, stalled, lost or
    unknown.

    Only claims of being alive are doubted; an end is an end.

    Another host's process cannot be looked at: unknown. A process that is gone, was replaced by another of the same
    number, or belongs to an earlier boot: lost. One that lives but has not been heard of for 15 s: stalled.
    """
    if status is None:
        return "queued"
    if status.state not in ("queued", "running", "paused") or not status.pid:
        return status.state
    if status.host != socket.gethostname():
        return "unknown"
    if status.boot_id and boot_id() and status.boot_id != boot_id():
        return "lost"
    if status.namespace != _namespace():
        return "unknown"
    started = process_started(status.pid)
    if started is None or (status.process_started is not None and abs(started - status.process_started) > 1.0):
        return "lost"
    if status.state != "queued" and time.time() - status.heartbeat > STALE_AFTER:
        return "stalled"
    return status.state


def fresh(status: Status | None) -> bool:
    """Whether a heartbeat is recent; the one thing that can be said about a process on another host."""
    return status is not None and time.time() - status.heartbeat <= STALE_AFTER


@functools.cache
def boot_id() -> str:
    """What tells this boot of the machine from every other; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


@functools.cache
def _namespace() -> str:
    """Which numbering pids belong to: containers on one machine may share its name and a folder, but not their pids."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def process_started(pid: int) -> float | None:
    """When a living process started, in seconds on a clock of its own; None if it is gone or a zombie.

    On Linux seconds since boot, which no change of the clock moves; elsewhere psutil's seconds since 1970.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZXx" else int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        if Path("/proc/self/stat").exists():
            return None
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


STATES: dict[type[Event], str] = {
    Paused: "paused",
    Continued: "running",
    Finished: "finished",
    Stopped: "stopped",
    Diverged: "diverged",
    Failed: "failed",
}
"""Events that change a run's state; those that end it are flushed to the disk."""

ENDS = (Finished, Stopped, Diverged, Failed)


def after(status: Status, event: Event) -> Status:
    """The status that an event leads to."""
    change = dataclasses.replace
    if type(event) in STATES:
        status = change(status, state=STATES[type(event)])
    if isinstance(event, RunStarted):
        status = change(status, steps=event.steps, device=event.device, seed=event.seed)
    elif isinstance(event, Trained):
        status = change(
            status,
            epoch=event.epoch,
            loss=_finite(event.loss),
            accuracy=_finite(event.accuracy),
            images_per_second=_finite(event.images_per_second),
            stages=(),
        )
    elif isinstance(event, Evaluated) and event.split == "test":
        status = change(status, test_accuracy=_finite(event.accuracy), test_loss=_finite(event.loss))
    elif isinstance(event, Evaluated):
        status = change(status, best=max(status.best or 0.0, event.accuracy))
    elif isinstance(event, Failed):
        status = change(status, message=event.error)
    elif isinstance(event, Diverged):
        status = change(status, message=event.reason)
    seconds = event.seconds if isinstance(event, Trained | Evaluated | Finished) else status.seconds
    return change(status, step=getattr(event, "step", status.step), seconds=_finite(seconds))


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


@dataclass(frozen=True)
class RunSummary:
    """One line of a list of runs. ``status``: None if nobody has started it; ``created``: seconds since 1970."""

    run: RunDirectory
    state: str
    recipe: str
    created: float
    status: Status | None

    @property
    def live(self) -> bool:
        """Whether a process is at work on it, as far as anyone can tell from here."""
        if self.state == "queued":  # without a process it waits in the queue
            return self.status is not None and self.status.pid > 0
        return (self.state in ACTIVE and self.status is not None) or (self.state == "unknown" and fresh(self.status))


def summary(run: RunDirectory) -> RunSummary:
    """One run's line."""
    status = read_status(run)
    return RunSummary(run, effective_state(status), run.recipe_name, run.created, status)
