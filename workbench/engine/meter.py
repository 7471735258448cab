"""Training figures, gathered on the device and fetched in one transfer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


class Clock:
    """Training time: runs from :meth:`start` on, stands still while something else is being done."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._since: float | None = None

    def start(self) -> None:
        """Begin to count, or go on."""
        self._since = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Training time so far."""
        return self._seconds + (0.0 if self._since is None else time.perf_counter() - self._since)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Leave the time in this block out; a clock that stands still already does so after it, too."""
        goes = self._since is not None
        self._seconds, self._since = self.seconds, None
        try:
            yield
        finally:
            if goes:
                self.start()


def settle(device: torch.device) -> None:
    """Wait until a device has done all that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Meter:
    """Loss and accuracy of the steps since the last fetch; means over images."""

    def __init__(self, device: torch.device, *, counts_correct: bool) -> None:
        self._sums = torch.zeros(2, dtype=torch.float64, device=device)
        self._images = 0
        self._since = 0.0
        self._counts_correct = counts_correct

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add one step's loss and hits on the device; a recorded step does so at every replay. Nothing is fetched."""
        self._sums[0] += loss * len(labels)
        if self._counts_correct:
            self._sums[1] += (logits.argmax(dim=1) == labels).sum()

    def saw(self, images: int) -> None:
        """Count one step's images, on the host."""
        self._images += images

    def fetch(self, seconds: float) -> dict[str, Any]:
        """loss, accuracy and images_per_second since the last fetch, at this training time. Waits for the device."""
        loss, correct = self._sums.tolist()
        figures = {
            "loss": loss / max(self._images, 1),
            "accuracy": correct / max(self._images, 1) if self._counts_correct else float("nan"),
        }
        elapsed = seconds - self._since
        figures["images_per_second"] = self._images / elapsed if elapsed > 0 else float("nan")
        self._sums.zero_()
        self._images = 0
        self._since = seconds
        return figures

    def state_dict(self) -> dict[str, Any]:
        """The half-filled window."""
        return {"sums": self._sums.clone(), "images": self._images, "since": self._since}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Put a half-filled window back."""
        self._sums.copy_(state["sums"])
        self._images = int(state["images"])
        self._since = float(state["since"])
