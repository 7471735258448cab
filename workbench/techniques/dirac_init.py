"""Convolutions that begin by passing their input on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import nn

    from workbench.hooks import Builder


class DiracInit(Technique):
    """Make the first filters of each convolution identities, one for each channel that comes in; the rest stays random.

    What one layer sees then reaches all later ones from the first step on, much as with skip connections. Other
    initialisations are done before this one.
    """

    name = "dirac_init"
    group = "initialisation"
    source = "Jordan 2024, arXiv:2404.00498; Zagoruyko and Komodakis 2017, DiracNets, arXiv:1706.00388"
    tradeoff = "Helps short runs of plain networks; with skip connections there is little left to gain."

    def register(self, build: Builder) -> None:
        """Set the filters after all other initialisations."""
        build.hooks.initialisation.add(self._initialise, rank=50)

    def _initialise(self, model: nn.Module, sample: Any) -> None:
        dirac_init(model)


def dirac_init(model: nn.Module) -> None:
    """Set filter i of each 2-D convolution, i < min(channels in, channels out), to 1 at its centre in channel i.

    In place; the other filters and biases are left alone. Convolutions in groups, or with an even side and so without a
    centre, are left out.
    """
    import torch
    from torch import nn

    with torch.no_grad():
        for layer in model.modules():
            if not isinstance(layer, nn.Conv2d) or layer.groups != 1 or not all(s % 2 for s in layer.kernel_size):
                continue
            rows, columns = layer.kernel_size
            count = min(layer.in_channels, layer.out_channels)
            layer.weight[:count] = 0
            layer.weight[:count, :count, rows // 2, columns // 2] = torch.eye(count)
