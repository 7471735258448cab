"""Which parameters an optimizer decays."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from workbench import torch_compat

NORMS = (
    torch_compat.NORM,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
    nn.RMSNorm,
)


Spared = Literal["nothing", "biases", "norms_and_biases"]
"""What weight decay can spare."""


def parameter_groups(model: nn.Module, weight_decay: float, *, spare: Spared) -> list[dict[str, Any]]:
    """Optimizer groups with their weight decay: one, or two if some parameters are spared.

    What is a norm is told by the module's type, never by a parameter's name: names such as ``0.1.weight`` say nothing.
    Parameters that are frozen are left out.
    """
    decayed: list[nn.Parameter] = []
    spared: list[nn.Parameter] = []
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            if not weight.requires_grad:
                continue
            bias, norm = name.endswith("bias"), isinstance(module, NORMS)
            free = (bias and spare != "nothing") or (norm and spare == "norms_and_biases")
            (spared if free else decayed).append(weight)
    groups = [
        {"params": list(dict.fromkeys(decayed)), "weight_decay": weight_decay},
        {"params": list(dict.fromkeys(spared)), "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
