"""Runs that wait for their turn: a folder of jobs beside the runs, which outlives whoever wrote them.

The folder is ``.queue`` in the folder of runs. Each job is a file that names a run, whose directory exists already
with its recipe resolved, and says how to start it. The order of the file names is the order of the queue. Who starts
the runs is :mod:`workbench.runs.queue.worker`.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from workbench.filesystem import NOT_THERE, dangling, owner, why
from workbench.runs.errors import RunError, cannot_write, replace_text
from workbench.runs.queue.held_devices import ANY, free_device, holders
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.environment import VARIABLES
from workbench.runs.store.status import RunSummary, Status, new_status, read_status, summary, write_status
from workbench.storage.json_text import dumps
from workbench.storage.locks import Claim, locked
from workbench.storage.regular import read_bytes
from workbench.storage.values import Timestamp

FILE = re.compile(r"^(\d{10})-(.+)\.json$")
MIDDLE = 5_000_000_000
"""The number of the first job: there is room before it."""

ACCESS = os.R_OK | os.W_OK | os.X_OK

FROM_THE_SHELL = (*VARIABLES, "PYTHONPATH")
"""Environment variables that a queued run takes along: numbers and devices depend on them."""


@dataclass(frozen=True)
class Job:
    """What stands in a job's file: how to start a run.

    device: as ``--device`` has it. folder: where the run was asked for, and will be started. variables: those
    environment variables of FROM_THE_SHELL that were set there. host: whose turn it is. before: the run's state when it
    was queued, which it has again if it is taken out.
    """

    run: str
    device: str = "auto"
    data_root: str = ""
    plugins: tuple[str, ...] = ()
    folder: str = ""
    variables: dict[str, str] | None = None
    host: str = ""
    queued: Timestamp = 0.0
    checks: bool = True
    before: str = "queued"


@dataclass(frozen=True)
class QueuedRun:
    """A job in its place: its file and its run. ``place`` counts from 1."""

    file: Path
    run: RunDirectory
    job: Job
    place: int

    @property
    def here(self) -> bool:
        """Whether this host starts it."""
        return self.job.host in ("", socket.gethostname())

    @property
    def mine(self) -> bool:
        """Whether it is this host and this user who starts it: another's run can be seen, but not trained."""
        return self.here and not (os.path.lexists(self.run.path) and not os.access(self.run.path, ACCESS))

    @property
    def visible(self) -> str | None:
        """The CUDA_VISIBLE_DEVICES that the run will have."""
        return (self.job.variables or {}).get("CUDA_VISIBLE_DEVICES")


_ADAPTER = TypeAdapter(Job)


def folder_of(root: Path) -> Path:
    """The folder of jobs of a folder of runs; it need not exist."""
    return root / ".queue"


def entries(root: Path) -> list[QueuedRun]:
    """The jobs in their order. Files that cannot be read as one are left out: see :func:`unreadable`."""
    found: list[QueuedRun] = []
    for path in _files(root):
        job = _read(path)
        if isinstance(job, Job):
            found.append(QueuedRun(path, RunDirectory(root / job.run), job, len(found) + 1))
    return found


def unreadable(root: Path) -> list[tuple[Path, str]]:
    """The files in the queue's folder that are no jobs, each with the reason; they are left where they are.

    Of a folder that cannot be read, that alone.
    """
    folder = folder_of(root)
    try:
        os.listdir(folder)
    except OSError as error:
        if error.errno not in NOT_THERE or dangling(folder) or folder.exists():
            return [(folder, f"cannot be read: {why(error, folder)}")]
        return []
    return [(path, reason) for path in _files(root) if isinstance(reason := _read(path), str)]


def add(
    run: RunDirectory,
    device: str = "auto",
    data_root: Path | None = None,
    plugins: Sequence[Path] = (),
    *,
    checks: bool = True,
    variables: Mapping[str, str] = os.environ,
) -> int:
    """Queue a run, new or to be gone on with; returns its place, the last. Raises RunError.

    A run that is queued already keeps its place, and is started as asked for last. See also
    :func:`workbench.runs.queue.worker.ensure_worker`.
    """
    found, root = summary(run), run.path.parent
    if found.live:
        raise RunError(f"run '{run.name}' is at work already; follow it with: workbench watch {run.name}")
    if found.state == "finished":
        raise RunError(f"run '{run.name}' is finished; train on with: workbench run --resume {run.name} --epochs …")
    job = Job(
        run=run.name,
        device=device,
        data_root=str(data_root.resolve()) if data_root is not None else "",
        plugins=tuple(str(plugin.resolve()) for plugin in plugins),
        folder=os.getcwd(),
        variables={name: variables[name] for name in FROM_THE_SHELL if name in variables},
        host=socket.gethostname(),
        queued=time.time(),
        checks=checks,
        before=found.state,
    )
    with changing(root):
        present = entries(root)
        earlier = next((entry for entry in present if entry.run.name == run.name), None)
        if earlier is not None:
            file, place = earlier.file, earlier.place
            job = replace(job, before=earlier.job.before)
        else:
            file = _file(root, _number(present[-1].file) + 1 if present else MIDDLE, run)
            place = len(present) + 1
        replace_text(file, dumps(asdict(job)) + "\n")
        write_status(run, _waiting(run))
    return place


def remove(run: RunDirectory) -> bool:
    """Take a run out of the queue; False if it was not in it. A new run is then stopped, another what it was before.

    Raises RunError if it cannot be written.
    """
    root = run.path.parent
    if not folder_of(root).is_dir():
        return False
    with changing(root):
        found = [entry for entry in entries(root) if entry.run.name == run.name]
        for entry in found:
            drop(entry)
            if run.path.is_dir() and not summary(run).live:
                before = entry.job.before
                new = before == "queued"
                status = read_status(run) or new_status("stopped", 0)
                message = "taken out of the queue before it began" if new else ""
                write_status(run, replace(status, state="stopped" if new else before, message=message))
    return bool(found)


def move_to_front(run: RunDirectory) -> bool:
    """Move a run to the front of the queue; False if it is not in it. Raises RunError if it cannot be written."""
    root = run.path.parent
    if not folder_of(root).is_dir():
        return False
    with changing(root):
        present = entries(root)
        entry = next((entry for entry in present if entry.run.name == run.name), None)
        if entry is not None and entry.place > 1:
            try:
                entry.file.rename(_file(root, _number(present[0].file) - 1, run))
            except OSError as error:
                raise cannot_write(entry.file, error) from error
    return entry is not None


def position(run: RunDirectory) -> int | None:
    """A run's place in the queue, from 1; None if it is not in it."""
    return next((entry.place for entry in entries(run.path.parent) if entry.run.name == run.name), None)


def waits_for(entry: QueuedRun, live: Sequence[RunSummary], ahead: Sequence[QueuedRun] = ()) -> str:
    """In a few words, what an entry waits for. live: the live runs of the folder; ahead: the entries before it."""
    if not entry.here:
        return f"{entry.job.host}, where it was queued"
    if not entry.mine:
        return f"{owner(entry.run.path) or 'its owner'}, who alone may start it"
    same = [other for other in ahead if other.mine and other.job.device == entry.job.device]
    if same:
        return f"{same[-1].run.name}, which is queued before it"
    held = holders(live)
    if free_device(entry.job.device, held, entry.visible) is not None:
        return "its start"
    holder = held.get(entry.job.device) or held.get(ANY) or next(iter(held.values()))
    state = f", which is {holder.state}" if holder.state in ("paused", "stalled") else ""
    return f"{holder.run.name}{state}"


def hold(root: Path) -> Claim:
    """Keep the worker from starting anything until this is given back, or this process ends. Raises RunError.

    For who stops a run to start it again in another process: its device is not free in between.
    """
    with changing(root):
        claim = Claim(hold_file(root))
        claim.take(wait=True)
        return claim


def hold_file(root: Path) -> Path:
    """Locked while nothing may be started, or while something is."""
    return folder_of(root) / ".start.lock"


@contextlib.contextmanager
def changing(root: Path) -> Iterator[None]:
    """Keep other processes from changing the queue for a moment; makes its folder. Raises RunError."""
    folder = folder_of(root)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".lock"):
            yield
    except OSError as error:
        raise cannot_write(folder, error) from error


def drop(entry: QueuedRun) -> None:
    """Remove an entry's file, if it is still there."""
    with contextlib.suppress(FileNotFoundError):
        entry.file.unlink()


def _waiting(run: RunDirectory) -> Status:
    """A run's status while it waits: no process has it. What it reached before stays."""
    before = read_status(run) or new_status("queued", 0)
    return replace(before, state="queued", pid=0, process_started=None, message="", device="")


def _read(path: Path) -> Job | str:
    """A job, or why there is none."""
    try:
        job = _ADAPTER.validate_json(read_bytes(path), strict=True)
    except OSError as error:
        return f"cannot be read: {why(error, path)}"
    except ValidationError as error:
        return f"is no request: {error.errors()[0]['msg']}"
    if not job.run or Path(job.run).name != job.run or job.run in (".", ".."):
        return f"'{job.run}' is no run's name"
    match = FILE.match(path.name)
    return job if match and match[2] == job.run else "its name is not that of its run"


def _files(root: Path) -> list[Path]:
    try:
        return sorted(path for path in folder_of(root).iterdir() if path.suffix == ".json" and path.name[0] != ".")
    except OSError:
        return []


def _file(root: Path, number: int, run: RunDirectory) -> Path:
    return folder_of(root) / f"{number:010d}-{run.name}.json"


def _number(file: Path) -> int:
    match = FILE.match(file.name)
    return int(match[1]) if match else MIDDLE
