"""A recipe as it suits a device, before anything is built."""

from __future__ import annotations

import torch

from workbench.recipe import Recipe


def resolve_for_device(recipe: Recipe, device: str | torch.device) -> tuple[Recipe, list[str]]:
    """The recipe with what its techniques put in their place on this device, and a sentence for each that did.

    It depends on the device alone, so that the same recipe becomes the same one each time; a recipe that was suited to
    a device comes back unchanged.
    """
    notes = []
    for technique in recipe.active():
        if device_fallback := technique.device_fallback(torch.device(device)):
            notes.append(device_fallback.why)
            for spec in device_fallback.specs:
                recipe = recipe.with_technique(spec)
    return recipe, notes
