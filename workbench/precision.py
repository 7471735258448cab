"""The number formats of weights, images, forward and backward, and the loss scaling that fp16 needs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from workbench import torch_compat


def native_formats(device: torch.device) -> tuple[str, ...]:
    """The 16-bit formats that a device computes in by itself, the faster first; others are emulated, far slower.

    CPU: "bf16" with AVX512-BF16 or AMX. CUDA: "fp16", and "bf16" from compute capability 8.0 on.
    """
    if device.type == "cpu":
        return ("bf16",) if torch_compat.cpu_computes_in_bf16() else ()
    if device.type == "cuda":
        return ("bf16", "fp16") if torch.cuda.get_device_capability(device) >= (8, 0) else ("fp16",)
    return ("bf16", "fp16")


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
    """``autocast`` makes the context of a forward pass; ``scaler`` keeps small gradients from vanishing.

    ``convert`` gives a network its weights' format, once, in place; ``images`` gives each batch the format to go with.
    """

    autocast: Callable[[], AbstractContextManager[object]] = nullcontext
    scaler: torch.amp.GradScaler | NoScaler = field(default_factory=NoScaler)
    convert: Callable[[nn.Module], nn.Module] = lambda model: model
    images: Callable[[Tensor], Tensor] = lambda images: images

    @property
    def scaled(self) -> bool:
        """Whether the loss is scaled, so that single overflows are ordinary."""
        return not isinstance(self.scaler, NoScaler)
