"""What the techniques of a recipe register at the hooks, and the network that they and the model make."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from workbench.data.base import DataSet
from workbench.hooks import HookError, Hooks, Registering
from workbench.models.base import ModelOptions
from workbench.recipe import Recipe
from workbench.registered import TechniqueError, asked_for, is_ours


class Registration(Registering):
    """What techniques see of a build: see :class:`workbench.hooks.Builder`.

    in_checkpoints: what checkpoints hold of techniques, by name.
    """

    def __init__(self, recipe: Recipe, device: torch.device, dataset: DataSet) -> None:
        self.recipe = recipe
        self.device = device
        self.classes = len(dataset.classes)
        self.image_shape = dataset.shape
        self.hooks = Hooks()
        self.in_checkpoints: dict[str, Any] = {}

    def save_in_checkpoints(self, name: str, state: Any) -> None:
        if name in self.in_checkpoints:
            raise HookError(f"'{self.hooks.registering}' saves a state under the name '{name}', which is taken")
        self.in_checkpoints[name] = state


def registered(recipe: Recipe, device: torch.device, dataset: DataSet) -> Registration:
    """Have every technique that is on register. Raises ValueError or HookError."""
    found = Registration(recipe, device, dataset)
    for technique in recipe.active():
        found.of(technique)
    return found


def network(found: Registration) -> nn.Module:
    """The recipe's network with the weights that its layers draw when they are made. Raises ValueError."""
    options = ModelOptions()
    for choose in found.hooks.model_options:
        options = choose(options)
    kind = found.recipe.model
    expected = "build(self, image_shape, classes, options) -> nn.Module"
    build = kind.build  # type: ignore[attr-defined]
    model = asked_for(f"model.{kind.name}", expected, nn.Module, build, found.image_shape, found.classes, options)
    if not is_ours(type(kind)):
        _try(model, kind.name, found.image_shape, found.classes)
    for edit in found.hooks.model_edits:
        model = edit(model)
    return model


def _try(model: nn.Module, name: str, shape: tuple[int, int, int], classes: int) -> None:
    """Two images through a copy of a network of the user's own: its faults are told before anything is trained."""
    if any(parameter.is_meta for parameter in model.parameters()):
        return
    expected = f"forward(self, images [N, {', '.join(map(str, shape))}]) -> logits [N, {classes}]"
    with torch.no_grad():
        call = copy.deepcopy(model).eval().forward
        logits = asked_for(f"model.{name}", expected, torch.Tensor, call, torch.zeros(2, *shape), may_raise=None)
    if logits.shape != (2, classes):
        raise TechniqueError(f"model.{name}: forward of 2 images gives {list(logits.shape)} (expected: {expected})")
