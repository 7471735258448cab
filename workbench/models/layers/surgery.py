"""Finding and replacing parts of a network by what they are, so that techniques fit networks they do not know."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from torch import nn


def replace_modules(
    model: nn.Module, wanted: Callable[[nn.Module], bool], make: Callable[[nn.Module], nn.Module]
) -> int:
    """Put ``make(module)`` in the place of every module that is wanted, in place; return how many there were.

    What is inside a replaced module is left alone, and the model itself is not replaced. A module that stands in
    several places is made once.
    """
    made: dict[nn.Module, nn.Module] = {}

    def walk(parent: nn.Module) -> None:
        for name, child in list(parent.named_children()):
            if child in made:
                setattr(parent, name, made[child])
            elif wanted(child):
                made[child] = make(child)
                setattr(parent, name, made[child])
            else:
                walk(child)

    walk(model)
    return len(made)


def linear_layers(model: nn.Module) -> list[nn.Linear]:
    """The fully connected layers in their order; the last one is the output layer."""
    return [module for module in model.modules() if isinstance(module, nn.Linear)]


def put_before(model: nn.Module, layer: nn.Module, name: str, made: nn.Module) -> None:
    """Have ``made`` run before a layer of the model."""
    replace_modules(model, lambda m: m is layer, lambda m: nn.Sequential(OrderedDict([(name, made), ("layer", m)])))


def put_after(model: nn.Module, layer: nn.Module, name: str, made: nn.Module) -> None:
    """Have ``made`` run after a layer of the model."""
    replace_modules(model, lambda m: m is layer, lambda m: nn.Sequential(OrderedDict([("layer", m), (name, made)])))


def channels_out(part: nn.Module) -> int:
    """How many channels come out of a part that ends with a convolution, or with layers that keep the channels.

    Raises ValueError if it has no convolution.
    """
    convolutions = [module for module in part.modules() if isinstance(module, nn.Conv2d)]
    if not convolutions:
        raise ValueError(f"{type(part).__name__} has no convolution")
    return convolutions[-1].out_channels


def weighted_layers(model: nn.Module, *, output_layer: bool = True) -> list[nn.Module]:
    """Every convolution and fully connected layer in its order; the output layer is the last fully connected one."""
    layers: list[nn.Module] = [m for m in model.modules() if isinstance(m, nn.modules.conv._ConvNd | nn.Linear)]
    if output_layer:
        return layers
    outputs = linear_layers(model)[-1:]
    return [layer for layer in layers if layer not in outputs]
