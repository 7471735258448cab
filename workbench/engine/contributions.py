"""What the techniques of a recipe put in the slots, and the network that they and the model make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from workbench.data.base import DataSet
from workbench.engine.slots import Filler, SlotError, Slots
from workbench.models.base import ModelOptions
from workbench.recipe import Recipe


class Contributions:
    """What techniques see of a build: see :class:`workbench.engine.slots.Builder`."""

    def __init__(self, recipe: Recipe, device: torch.device, dataset: DataSet) -> None:
        self.recipe = recipe
        self.device = device
        self.classes = len(dataset.classes)
        self.image_shape = dataset.shape
        self.slots = Slots()
        self.kept: dict[str, Any] = {}
        self._owner = ""

    def of(self, technique: Any) -> None:
        """Collect one technique's contributions."""
        self._owner = technique.name
        technique.contribute(self)

    def add(self, slot: str, function: Callable[..., Any], rank: int = 0) -> None:
        self.slots.add(slot, Filler(rank, self._owner, function))

    def keep(self, name: str, state: Any) -> None:
        if name in self.kept:
            raise SlotError(f"'{self._owner}' keeps a state under the name '{name}', which is taken")
        self.kept[name] = state


def contributions(recipe: Recipe, device: torch.device, dataset: DataSet) -> Contributions:
    """Have every technique that is on fill its slots. Raises ValueError or SlotError."""
    found = Contributions(recipe, device, dataset)
    for technique in recipe.active():
        found.of(technique)
    return found


def network(found: Contributions) -> nn.Module:
    """The recipe's network with the weights that its layers draw when they are made. Raises ValueError."""
    options = ModelOptions()
    for choose in found.slots.functions("model options"):
        options = choose(options)
    model: nn.Module = found.recipe.model.build(found.image_shape, found.classes, options)  # type: ignore[attr-defined]
    for edit in found.slots.functions("model edits"):
        model = edit(model)
    return model
