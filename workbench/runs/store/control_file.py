"""Requests to a run from any process: a small file that the run's heartbeat thread looks at once a second."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import TypeAdapter

from workbench.runs.errors import RunError, cannot_write, replace_text
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import ACTIVE, Status, effective_state, fresh, read_status
from workbench.storage.json_text import dumps
from workbench.storage.locks import locked
from workbench.storage.regular import read_bytes
from workbench.storage.values import Amount, Count, Timestamp

Action = Literal["stop", "pause", "continue", "checkpoint", "profile", "stacks", "trace"]
ACTIONS: tuple[str, ...] = get_args(Action)


@dataclass(frozen=True)
class ControlRequest:
    """An action that was asked of one process. time: seconds since 1970, for people."""

    action: Action
    time: Timestamp
    pid: Count = 0
    process_started: Amount | None = None


_ENTRIES: TypeAdapter[list[Any]] = TypeAdapter(list[ControlRequest | Any])

PROFILE_SECONDS = 30.0
"""How long a run measures its phases when asked to ``"profile"``: who watches asks again before that is over."""


def ask(run: RunDirectory, action: Action) -> None:
    """Ask a live run for something; it answers within about a second. Raises RunError if nobody is there to hear it."""
    if action not in ACTIONS:
        raise RunError(f"a run cannot be asked to '{action}'; it can {', '.join(ACTIONS)}")
    status = read_status(run)
    state = effective_state(status)
    nobody = status is None or not status.pid
    if state == "queued" and nobody:
        raise RunError(
            f"run '{run.name}' has not begun: there is no process to {action}; "
            f"take it out of the queue with: workbench queue --remove {run.name}"
        )
    if not (state in ACTIVE or (state == "unknown" and fresh(status))):
        raise RunError(f"run '{run.name}' is {state}: there is no process to {action}")
    try:
        with locked(run.path / ".control.lock"):
            assert status is not None
            request = ControlRequest(action, time.time(), status.pid, status.process_started)
            replace_text(run.control_file, dumps([*_read(run), request]) + "\n")
    except OSError as error:
        raise cannot_write(run.control_file, error) from error


def take_requests(run: RunDirectory, own: Status | None = None) -> list[str]:
    """The actions asked for, oldest first; each request is handed out once and then forgotten.

    own: a status that names the process that takes them; requests that were meant for another one are left out. No
    clock decides that: it may be set back at any time.
    """
    if not run.control_file.exists():
        return []
    with locked(run.path / ".control.lock"):
        requests = _read(run)
        with contextlib.suppress(IsADirectoryError, FileNotFoundError):
            run.control_file.unlink()
    return [request.action for request in requests if own is None or _meant(request, own)]


def _meant(request: ControlRequest, own: Status) -> bool:
    if not request.pid:  # of an earlier version
        return True
    if request.process_started is None or own.process_started is None:
        return request.pid == own.pid
    return request.pid == own.pid and abs(request.process_started - own.process_started) <= 1.0


def _read(run: RunDirectory) -> list[ControlRequest]:
    try:
        found = _ENTRIES.validate_json(read_bytes(run.control_file), strict=True)
    except (OSError, ValueError):
        return []
    return [entry for entry in found if isinstance(entry, ControlRequest)]
