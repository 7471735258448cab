"""Which parameters an optimizer decays."""

from __future__ import annotations

from typing import Any

from torch import nn

NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
    nn.RMSNorm,
)


def parameter_groups(model: nn.Module, weight_decay: float, *, decay_norms_and_biases: bool) -> list[dict[str, Any]]:
    """Optimizer groups with their weight decay: one, or two if norms and biases are spared.

    What is a norm is told by the module's type, never by a parameter's name: names such as ``0.1.weight`` say nothing.
    Parameters that are frozen are left out.
    """
    decayed: list[nn.Parameter] = []
    spared: list[nn.Parameter] = []
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            if not weight.requires_grad:
                continue
            spare = isinstance(module, NORMS) or name.endswith("bias")
            (spared if spare and not decay_norms_and_biases else decayed).append(weight)
    groups = [
        {"params": list(dict.fromkeys(decayed)), "weight_decay": weight_decay},
        {"params": list(dict.fromkeys(spared)), "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
