"""Starting a run in a process of its own, which outlives the terminal that started it; and hearing that it lives."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from workbench.runs.errors import RunError, cannot_write
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import going_on, new_status, process_started, read_status, write_status
from workbench.storage.regular import open_appending, open_regular

PACKAGE_PARENT = Path(__file__).resolve().parents[2]

_children: list[subprocess.Popen[bytes]] = []


def detach(
    run: RunDirectory,
    device: str = "auto",
    data_root: Path | None = None,
    resume: bool = False,
    plugins: Sequence[Path] = (),
    *,
    checks: bool = True,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> int:
    """Train a run in a new session, its output in the run's log; returns the process's id at once. Raises RunError.

    resume: go on from the last checkpoint; without it the run must be a new one. plugins: files to load. checks:
    whether to make them. folder: where
    the process works, here if left out. variables: its environment, this process's own if left out.
    """
    if not resume and run.started():
        raise RunError(f"run '{run.name}' was started before; go on with it: workbench run --resume {run.name}")
    _children[:] = [child for child in _children if child.poll() is None]  # reaps those that ended
    run.control_file.unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "workbench", "run", "--resume", str(run.path), "--device", device, "--quiet"]
    if data_root is not None:
        command += ["--data-root", str(data_root.resolve())]
    if not checks:
        command.append("--no-checks")
    for plugin in plugins:
        command += ["--plugin", str(plugin.resolve())]
    try:
        with os.fdopen(open_appending(run.log_file), "ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=str(folder) if folder is not None else None,
                env=child_environment(variables),
            )
    except OSError as error:
        if folder is not None and error.filename == str(folder):
            raise RunError(f"{folder}: the run was asked for in this folder, which is gone") from error
        if error.filename == sys.executable:
            raise RunError(f"{sys.executable}: cannot be started: {error.strerror}") from error
        raise cannot_write(run.path, error) from error
    _children.append(child)
    write_status(run, going_on(run, new_status("queued", child.pid)))
    return child.pid


def child_environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment, this process's own, in which a child finds the same workbench even where it is not installed."""
    environment = dict(os.environ if variables is None else variables)
    if PACKAGE_PARENT.name not in ("site-packages", "dist-packages"):
        paths = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
        environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*paths, str(PACKAGE_PARENT)]))
    return environment


def await_heartbeat(
    run: RunDirectory, pid: int, seconds: float = 60.0, waited: Callable[[float], object] = lambda seconds: None
) -> None:
    """Wait until a process has taken a run up and says so in its status; ``waited`` hears the seconds so far.

    Raises RunError, with the last line of the run's log, if the process ends before that, or is silent for too long.
    """
    begun = time.monotonic()
    while not took_up(run, pid):
        passed = time.monotonic() - begun
        if process_started(pid) is None and not took_up(run, pid):
            raise RunError(f"run '{run.name}' did not begin: {last_words(run)}")
        if passed > seconds:
            raise RunError(
                f"run '{run.name}': no sign of life from process {pid} within {seconds:.0f} s; see {run.log_file}"
            )
        waited(passed)
        time.sleep(0.1)


def took_up(run: RunDirectory, pid: int) -> bool:
    """Whether a process has written a status of its own for a run, at work or ended."""
    status = read_status(run)
    return status is not None and status.pid == pid and status.state != "queued"


def last_words(run: RunDirectory) -> str:
    """The last line of a run's log; where it says nothing, that."""
    try:
        descriptor = open_regular(run.log_file)
        try:
            tail = os.pread(descriptor, 4096, max(0, os.fstat(descriptor).st_size - 4096))
        finally:
            os.close(descriptor)
        lines = [line for line in tail.decode(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    return lines[-1].strip() if lines else "its process ended without a word"
