"""The layers of a network as checks name them: modules with weights of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def layer_weights(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """The weights that training changes (matrices and kernels, no biases, no norms), with their layers' names."""
    return [
        (name, weight)
        for name, module in model.named_modules()
        for weight in module.parameters(recurse=False)
        if weight.requires_grad and weight.ndim >= 2
    ]
