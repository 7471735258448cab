"""Who starts queued runs: one process for each folder of runs and host, which leaves when nothing waits any more."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from workbench.devices import refusal
from workbench.runs.errors import RunError, cannot_write
from workbench.runs.launch import child_environment, detach, last_words, took_up
from workbench.runs.queue.held_devices import LiveRuns, free_device, holders
from workbench.runs.queue.jobs import FROM_THE_SHELL, QueuedRun, changing, drop, entries, folder_of, hold_file
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import new_status, process_started, read_status, summary, write_status
from workbench.storage.locks import Claim
from workbench.storage.regular import open_appending

POLL_SECONDS = 1.0

log = logging.getLogger(__name__)

_children: list[subprocess.Popen[bytes]] = []


def ensure_worker(root: Path) -> int | None:
    """See that a worker lives if something waits for one here; the new one's process id if one had to be started.

    Raises RunError if it cannot be started.
    """
    _children[:] = [child for child in _children if child.poll() is None]  # reaps those that ended
    root = root.resolve()
    if not any(entry.mine for entry in entries(root)):
        return None
    with changing(root):
        claim = Claim(_lock_file(root))
        try:
            if not claim.take():
                return None
            command = [sys.executable, "-P", "-m", "workbench.runs.queue.worker", str(root), str(claim.descriptor)]
            with os.fdopen(open_appending(folder_of(root) / "worker.log"), "ab") as output:
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    cwd=root,
                    env=child_environment(),
                    pass_fds=(claim.descriptor,),  # the right passes to it without a gap
                )
        except OSError as error:
            raise cannot_write(folder_of(root), error) from error
        finally:
            claim.give_back()
    _children.append(child)
    return child.pid


class Worker:
    """Starts the runs of one queue, each in a process of its own as soon as its device is free."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._live = LiveRuns(root)
        self._devices: dict[str, str] = {}
        self._starting: dict[str, int] = {}

    def work(self, leave: Callable[[], object]) -> None:
        """Until nothing waits and what was started lives; ``leave`` is called when no later job was overlooked."""
        while folder_of(self.root).is_dir():
            try:
                self.turn()
                with changing(self.root):
                    if not self._starting and not any(entry.mine for entry in entries(self.root)):
                        leave()
                        return
            except (OSError, RunError):  # a full disk may have room again, a lost one come back
                log.exception("this turn failed")
            time.sleep(POLL_SECONDS)

    def turn(self) -> None:
        """Look once: see what became of what was started, and start what can be started."""
        self._settle()
        claim = Claim(hold_file(self.root))
        try:
            if claim.take():
                self._start_what_can_be()
        finally:
            claim.give_back()

    def _start_what_can_be(self) -> None:
        held = holders(self._live.find(), self._devices)
        with changing(self.root):
            for entry in entries(self.root):
                if not entry.mine:
                    continue
                if not self._waits(entry.run):
                    drop(entry)
                    continue
                device = free_device(entry.job.device, held, entry.visible)
                if device is None:
                    continue
                if self._start(entry, device):
                    held[device] = summary(entry.run)
                drop(entry)

    def _waits(self, run: RunDirectory) -> bool:
        """Whether the run is still there and nobody else has taken it up."""
        found = summary(run)
        if run.exists() and found.state == "queued" and not found.live:
            return True
        log.warning("%s is %s: nothing to start", run.name, found.state if run.exists() else "gone")
        return False

    def _start(self, entry: QueuedRun, device: str) -> bool:
        job, run = entry.job, entry.run
        if reason := refusal(job.device, _environment(job.variables)):  # nobody meant the CPU
            _fail(run, reason)
            return False
        data_root = Path(job.data_root) if job.data_root else None
        plugins = [Path(plugin) for plugin in job.plugins]
        folder = Path(job.folder) if job.folder else None
        try:
            pid = detach(
                run, device, data_root, run.started(), plugins,
                checks=job.checks, folder=folder, variables=_environment(job.variables),
            )  # fmt: skip
        except (OSError, RunError) as error:
            _fail(run, str(error))
            return False
        self._devices[run.name] = device
        self._starting[run.name] = pid
        log.warning("%s begins on %s (pid %d)", run.name, device, pid)
        return True

    def _settle(self) -> None:
        for name, pid in list(self._starting.items()):
            run = RunDirectory(self.root / name)
            gone = process_started(pid) is None
            if took_up(run, pid):
                del self._starting[name]
            elif gone:
                del self._starting[name]
                if run.exists():
                    _fail(run, last_words(run))


def _fail(run: RunDirectory, reason: str) -> None:
    log.warning("%s cannot be started: %s", run.name, reason)
    status = read_status(run) or new_status("failed", 0)
    write_status(run, replace(status, state="failed", message=reason, heartbeat=time.time()))


def _environment(variables: dict[str, str] | None) -> dict[str, str]:
    """This process's environment with what the job brought from its shell instead of ours."""
    own = {name: value for name, value in os.environ.items() if name not in FROM_THE_SHELL}
    return own | (variables or {})


def _lock_file(root: Path) -> Path:
    return folder_of(root) / f".worker-{socket.gethostname()}.lock"


def main() -> None:
    """``python -m workbench.runs.queue.worker ROOT DESCRIPTOR``: work, with the claim that the descriptor holds."""
    logging.basicConfig(format="%(asctime)s %(message)s")
    descriptor = int(sys.argv[2])
    os.set_inheritable(descriptor, False)
    Worker(Path(sys.argv[1])).work(lambda: os.close(descriptor))


if __name__ == "__main__":
    main()
