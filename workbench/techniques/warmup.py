"""The linear warm-up that schedules begin with (Goyal et al. 2017, arXiv:1706.02677)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.recipe.schema import Recipe


def warmup_factor(done: float, warmup: float, unit: float) -> float:
    """The factor on the peak rate, 0–1, after ``done`` of ``warmup`` epochs or steps, ``done < warmup``.

    ``(done + unit) / (warmup + unit)``, 1 right at the warm-up's end; with the length of one change as ``unit`` it is
    never 0, with 0 it starts there.
    """
    return (done + unit) / (warmup + unit)


def warmup_problems(epochs: float, recipe: Recipe) -> Iterable[tuple[str, str]]:
    """A warm-up must leave room for what follows it; ``epochs`` is the parameter ``warmup_epochs``."""
    if epochs >= recipe.train.epochs:
        yield "warmup_epochs", f"{epochs:g} fills the whole run; set it below train.epochs = {recipe.train.epochs:g}"
