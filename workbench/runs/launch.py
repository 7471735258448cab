"""Starting a run in a process of its own, which outlives the terminal that started it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunError
from workbench.runs.files import cannot_write
from workbench.runs.status import new_status, write_status

PACKAGE_PARENT = Path(__file__).resolve().parents[2]

_children: list[subprocess.Popen[bytes]] = []


def detach(
    run: RunDirectory,
    device: str = "auto",
    data_root: Path | None = None,
    resume: bool = False,
    plugins: Sequence[Path] = (),
) -> int:
    """Train a run in a new session, its output in the run's log; returns the process's id at once. Raises RunError.

    resume: go on from the last checkpoint; without it the run must be a new one. plugins: files to load.
    """
    if not resume and run.started():
        raise RunError(f"run '{run.name}' was started before; go on with it: workbench run --resume {run.name}")
    _children[:] = [child for child in _children if child.poll() is None]  # reaps those that ended
    run.control_file.unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "workbench", "run", "--resume", str(run.path), "--device", device, "--quiet"]
    if data_root is not None:
        command += ["--data-root", str(data_root.resolve())]
    for plugin in plugins:
        command += ["--plugin", str(plugin.resolve())]
    try:
        with run.log_file.open("ab") as log:
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=_environment()
            )
    except OSError as error:
        if error.filename == sys.executable:
            raise RunError(f"{sys.executable}: cannot be started: {error.strerror}") from error
        raise cannot_write(run.path, error) from error
    _children.append(child)
    write_status(run, new_status("queued", child.pid))
    return child.pid


def _environment() -> dict[str, str]:
    """This process's environment, in which the child finds the same workbench even where it is not installed."""
    environment = dict(os.environ)
    if PACKAGE_PARENT.name not in ("site-packages", "dist-packages"):
        paths = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
        environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*paths, str(PACKAGE_PARENT)]))
    return environment
