"""Stochastic depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Need, Technique

if TYPE_CHECKING:
    from torch import nn

    from workbench.hooks import Builder


class StochasticDepth(Technique):
    """Leave out random residual blocks in training: the image then takes the skip connection alone.

    Later blocks are left out more often than early ones. The network learns as an ensemble of shallower ones.
    """

    name = "stochastic_depth"
    synonyms = ("drop_path",)
    group = "architecture"
    source = "Huang et al. 2016, arXiv:1603.09382"
    tradeoff = "Pays in deep networks and long runs; in shallow ones it takes away capacity."
    needs: ClassVar[tuple[Need, ...]] = (
        Need(technique="residual", why="without a skip connection nothing would be left of a block"),
        Need(capability="residual", why="it leaves out residual blocks"),
    )

    rate: float = parameter(0.2, ge=0, le=1, description="probability that the last block is left out")
    rule: Literal["linear", "uniform"] = parameter(
        "linear", description="linear: the probability grows from block to block; uniform: the same for all"
    )
    unit: Literal["image", "batch"] = parameter("image", description="what is drawn for: each image, or a whole batch")

    def register(self, build: Builder) -> None:
        """Have the branches of residual blocks fall silent at random."""
        build.hooks.model_edits.add(self._edit, rank=50)

    def _edit(self, model: nn.Module) -> nn.Module:
        from workbench.models.layers import Pair
        from workbench.models.layers import StochasticDepth as Layer

        pairs = [module for module in model.modules() if isinstance(module, Pair) and module.shortcut is not None]
        for rate, pair in zip(drop_rates(len(pairs), self.rate, self.rule), pairs, strict=True):
            pair.branch.add_module("stochastic_depth", Layer(rate, self.unit))
        return model


def drop_rates(blocks: int, rate: float, rule: str = "linear") -> list[float]:
    """The probability with which each of some blocks is left out; ``rate`` is that of the last one.

    linear: ``rate · l / blocks`` for the l-th block, counted from 1, as in the paper.
    """
    return [rate * number / blocks if rule == "linear" else rate for number in range(1, blocks + 1)]
