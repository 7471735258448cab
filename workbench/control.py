"""What may be asked of a running training from outside its thread. The loop looks at it between two steps."""

from __future__ import annotations

import threading
import time


class Control:
    """Requests to one training. Every method may be called from any thread; asking twice is asking once."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._paused = threading.Event()
        self._checkpoint = threading.Event()
        self._wake = threading.Event()
        self._measuring: dict[str, float] = {}
        self._guard = threading.Lock()

    def stop(self) -> None:
        """Finish the step, save a checkpoint and leave; the run can be resumed."""
        self._stop.set()
        self._wake.set()

    def pause(self) -> None:
        """Wait before the next step."""
        self._paused.set()
        self._wake.set()

    def go_on(self) -> None:
        """End a pause."""
        self._paused.clear()
        self._wake.set()

    def checkpoint(self) -> None:
        """Save a checkpoint after the present step."""
        self._checkpoint.set()
        self._wake.set()

    def measure(self, instrument: str, seconds: float = 0.0) -> None:
        """Begin to measure after the present step: ``"phases"``, ``"stacks"`` or ``"trace"``.

        seconds: how long to begin anew whenever a window is over; 0 measures one window. Asking again while it is on
        only moves that moment on.
        """
        with self._guard:
            self._measuring[instrument] = max(time.monotonic() + seconds, self._measuring.get(instrument, 0.0))

    @property
    def stop_requested(self) -> bool:
        """Whether the run was asked to stop."""
        return self._stop.is_set()

    @property
    def pause_requested(self) -> bool:
        """Whether the run should be waiting."""
        return self._paused.is_set()

    def take_checkpoint_request(self) -> bool:
        """Whether a checkpoint was asked for; asking this takes the request back."""
        if not self._checkpoint.is_set():
            return False
        self._checkpoint.clear()
        return True

    @property
    def measuring_requested(self) -> bool:
        """Whether measuring was asked for."""
        return bool(self._measuring)

    def take_measuring_requests(self) -> dict[str, float]:
        """The instruments asked for, each with the ``time.monotonic`` until which it shall measure; takes them back."""
        with self._guard:
            requests, self._measuring = self._measuring, {}
        return requests

    def wait(self, seconds: float) -> None:
        """Sleep until a request arrives or the time is over."""
        self._wake.wait(seconds)
        self._wake.clear()
