"""Requests to a run from any process: a small file that the run's heartbeat thread looks at once a second."""

from __future__ import annotations

import json
import time
from typing import Any, Literal, get_args

from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunError
from workbench.runs.files import cannot_write, locked, replace_text
from workbench.runs.json_text import dumps
from workbench.runs.status import ACTIVE, fresh, judge, read_status

Action = Literal["stop", "pause", "continue", "checkpoint", "profile", "stacks", "trace"]
ACTIONS: tuple[str, ...] = get_args(Action)

PROFILE_SECONDS = 30.0
"""How long a run measures its phases when asked to ``"profile"``: who watches asks again before that is over."""


def ask(run: RunDirectory, action: Action) -> None:
    """Ask a live run for something; it answers within about a second. Raises RunError if nobody is there to hear it."""
    if action not in ACTIONS:
        raise RunError(f"a run cannot be asked to '{action}'; it can {', '.join(ACTIONS)}")
    status = read_status(run)
    state = judge(status)
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
            requests = [*_read(run), {"action": action, "time": time.time()}]
            replace_text(run.control_file, dumps(requests) + "\n")
    except OSError as error:
        raise cannot_write(run.control_file, error) from error


def take_requests(run: RunDirectory, since: float = 0.0) -> list[str]:
    """The actions asked for since a moment, oldest first; each request is handed out once and then forgotten."""
    if not run.control_file.exists():
        return []
    with locked(run.path / ".control.lock"):
        requests = _read(run)
        run.control_file.unlink(missing_ok=True)
    return [request["action"] for request in requests if request["time"] >= since]


def _read(run: RunDirectory) -> list[dict[str, Any]]:
    try:
        requests = json.loads(run.control_file.read_bytes())
    except (OSError, ValueError):
        return []
    if not isinstance(requests, list):
        return []
    return [
        r
        for r in requests
        if isinstance(r, dict) and r.get("action") in ACTIONS and isinstance(r.get("time"), int | float)
    ]
