"""A learning rate along straight lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from workbench.hooks import Builder
    from workbench.recipe.schema import Recipe
    from workbench.step import StepContext


class PiecewiseLinear(Technique):
    """Draw the learning rate as straight lines between knots.

    Each knot has a place in the run and a factor on the learning rate, which may be more than 1. Between knots the rate
    changes with every step; before the first and after the last it is constant. The default is the triangle of the
    speed records: up for a fifth of the run, then down to 0.
    """

    name = "piecewise_linear"
    group = "schedule"
    source = "Page 2018, How to Train Your ResNet; Jordan 2024, arXiv:2404.00498"
    tradeoff = "Any shape at all, and as many numbers to choose."

    at: tuple[float, ...] = parameter(
        (0.0, 0.2, 1.0), max_length=1000, description="places of the knots, ascending: shares of the run, or epochs"
    )
    factors: tuple[float, ...] = parameter(
        (0.2, 1.0, 0.0), max_length=1000, description="factors on the learning rate at the knots"
    )
    measured_in: Literal["run", "epochs"] = parameter(
        "run", description="run: 0 is the run's start and 1 its end; epochs: knots beyond the end are allowed"
    )

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """The two lists belong together and make a curve."""
        if len(self.at) < 2:
            yield "at", f"expected at least two knots, found {len(self.at)}"
        if any(later <= earlier for earlier, later in pairwise(self.at)):
            yield "at", f"expected ascending numbers, each more than the one before, found {list(self.at)}"
        if any(place < 0 for place in self.at):
            yield "at", f"expected numbers ≥ 0, found {list(self.at)}"
        if self.measured_in == "run" and any(place > 1 for place in self.at):
            yield "at", f'expected shares of the run, 0–1, found {list(self.at)}; for epochs set measured_in = "epochs"'
        if len(self.factors) != len(self.at):
            yield "factors", f"expected as many entries as at, found {len(self.factors)} for {len(self.at)} knots"
        if any(factor < 0 for factor in self.factors):
            yield "factors", f"expected numbers ≥ 0, found {list(self.factors)}"
        elif not any(self.factors):
            yield "factors", "all are 0, so nothing would be trained; make at least one more than 0"

    def register(self, build: Builder) -> None:
        """Scale the learning rate."""
        build.hooks.schedule.add(self._factor)

    def _factor(self, context: StepContext) -> float:
        place = context.progress if self.measured_in == "run" else context.epochs_done
        return piecewise_linear(place, self.at, self.factors)


def piecewise_linear(place: float, at: Sequence[float], factors: Sequence[float]) -> float:
    """The factor at a place: on the line between the knots ``(at, factors)`` beside it; outside, the outer knot's."""
    if place <= at[0]:
        return factors[0]
    for (a, b), (f, g) in zip(pairwise(at), pairwise(factors), strict=True):
        if place < b:
            return f + (g - f) * (place - a) / (b - a)
    return factors[-1]
