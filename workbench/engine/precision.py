"""The number format of forward and backward, and the loss scaling that fp16 needs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


class NoScaler:
    """A loss scaler that does nothing, where gradients cannot underflow. The same methods as torch.amp.GradScaler."""

    def scale(self, loss: Tensor) -> Tensor:
        """The loss itself."""
        return loss

    def unscale_(self, optimizer: torch.optim.Optimizer) -> None:
        """Gradients are not scaled."""

    def update(self) -> None:
        """There is no scale to adapt."""

    def get_scale(self) -> float:
        """Always 1."""
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        """Nothing to save."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to put back."""


@dataclass(frozen=True)
class Precision:
    """``autocast`` makes the context of a forward pass; ``scaler`` keeps small gradients from vanishing."""

    autocast: Callable[[], AbstractContextManager[object]] = nullcontext
    scaler: torch.amp.GradScaler | NoScaler = field(default_factory=NoScaler)

    @property
    def scaled(self) -> bool:
        """Whether the loss is scaled, so that single overflows are ordinary."""
        return not isinstance(self.scaler, NoScaler)
