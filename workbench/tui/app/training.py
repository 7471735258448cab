"""The run that this process trains: one plain thread, which the UI never waits for and which never waits for the UI."""

from __future__ import annotations

import atexit
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from workbench.control import Control
from workbench.runs.errors import RunError
from workbench.runs.store.directory import RunDirectory
from workbench.tui.app.descriptors import Descriptors

Execute = Callable[..., str]


class Training:
    """A run that is made or taken up, and trained in a thread of its own.

    Not a Textual worker: leaving would wait for it, and processes forked from one end with 1. What the run has to say
    stands in its directory. ``state`` is what execute() returned, None while it works; ``error`` is set where it could
    not even begin, or broke.
    """

    def __init__(
        self,
        create: Callable[[], RunDirectory],
        hear: Callable[[Training], object],
        *,
        device: str,
        data_root: Path,
        resume: bool = False,
        descriptors: Descriptors | None = None,
        execute: Execute | None = None,
    ) -> None:
        self.run: RunDirectory | None = None
        self.control = Control()
        self.state: str | None = None
        self.error = ""
        self._create = create
        self._hear = hear
        self.device = device
        self._data_root = data_root
        self._resume = resume
        self._descriptors = descriptors
        self._execute = execute
        self._begun = 0.0
        self._thread = threading.Thread(target=self._work, daemon=True, name="training")

    def start(self) -> None:
        """Begin. ``hear`` is called in the thread when the run's directory exists and once more at the end.

        However this process comes to its end, it waits for a checkpoint first: a thread that is inside torch when the
        interpreter goes away aborts the process.
        """
        atexit.register(self.stop_and_join)
        self._begun = time.monotonic()
        self._thread.start()

    def stop_and_join(self) -> None:
        """Ask for an end at a checkpoint and wait for it."""
        self.control.stop()
        self.join()

    @property
    def seconds(self) -> float:
        """How long ago it began."""
        return time.monotonic() - self._begun

    @property
    def alive(self) -> bool:
        """Whether the thread is still at work."""
        return self._thread.is_alive()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end."""
        self._thread.join(timeout)

    def _work(self) -> None:
        try:
            self.run = self._create()
            self._hear(self)
            if self._descriptors is not None:
                self._descriptors.point_at(self.run.log_file)
            execute = self._execute or _execute()
            self.state = execute(
                self.run, device=self.device, data_root=self._data_root, resume=self._resume, control=self.control
            )
        except RunError as error:
            self.error, self.state = str(error), "failed"
        except BaseException as error:  # nobody above would hear it
            self.error, self.state = f"{type(error).__name__}: {error}", "failed"
            traceback.print_exc()
        finally:
            if self._descriptors is not None:
                self._descriptors.point_back()
            self._hear(self)
            atexit.unregister(self.stop_and_join)


def _execute() -> Execute:
    """The engine's own, which imports torch: in this thread, and not before."""
    from workbench.runs.training.execute import execute

    return execute
