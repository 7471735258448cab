"""What may be asked of a running training from outside its thread. The loop looks at it between two steps."""

from __future__ import annotations

import threading


class Control:
    """Requests to one training. Every method may be called from any thread; asking twice is asking once."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._paused = threading.Event()
        self._checkpoint = threading.Event()
        self._wake = threading.Event()

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

    def wait(self, seconds: float) -> None:
        """Sleep until a request arrives or the time is over."""
        self._wake.wait(seconds)
        self._wake.clear()
