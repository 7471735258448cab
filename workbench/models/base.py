"""What every model has in common: a torch-free spec that builds a network for any image shape and class count."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from workbench.recipe.registries import MODELS
from workbench.recipe.specs import Spec

if TYPE_CHECKING:
    from torch import nn

    from workbench.recipe.schema import Recipe


@dataclass(frozen=True)
class ModelOptions:
    """What techniques may choose about a model. ``norm2d`` and ``norm1d`` make a normalisation layer for a width."""

    norm2d: Callable[[int], nn.Module] | None = None
    norm1d: Callable[[int], nn.Module] | None = None
    residual: bool = False


class Model(Spec):
    """Base of all models."""

    registry = MODELS
    capabilities: ClassVar[frozenset[str]] = frozenset()
    """What techniques may ask for: ``"any_resolution"``, ``"batch_norm"``, ``"blocks"``, ``"residual"``."""

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """What is wrong with these parameters in this recipe: pairs of parameter name (or "") and sentence."""
        return ()

    def build(self, image_shape: tuple[int, int, int], classes: int, options: ModelOptions) -> nn.Module:
        """The network: images ``[N, *image_shape]`` to logits ``[N, classes]``; its children are its named parts.

        Raises ValueError with one sentence where the images are too small for it.
        """
        raise TypeError(f"model '{self.name}' builds nothing; it must define build(image_shape, classes, options)")
