"""Does the network memorise, is it too small, or does it learn as it should?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result, not_judged
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.checks.outcome import Outcome


class FitCheck(Check):
    """What training and test accuracy say together, both on clean images in evaluation mode.

    So it holds under mixup and CutMix too, where the accuracy seen in training means nothing, and under augmentation
    and dropout, which make training harder than the test. A test accuracy within what the recipe's source claims is
    never a warning. A network that is no better than guessing is not judged: there is nothing that could fit.
    """

    name = "fit"
    title = "fit"
    when = "after"
    rank = 20
    source = "CS231n: the gap between training and validation accuracy"

    images: int = parameter(2000, ge=1, le=10_000_000, unit="images", description="clean training images to score")

    def review(self, outcome: Outcome) -> Result:
        """Evaluates a sample of the training split."""
        from workbench.checks.outcome import still_rising
        from workbench.evaluation.chance import reach_of_chance
        from workbench.evaluation.fit import read_fit

        train, test = outcome.clean(self.images)[1], outcome.results.accuracy
        sizes = [sum(row) for row in outcome.results.confusion]
        guess = min(1.0, reach_of_chance(sum(sizes), max(sizes) / max(1, sum(sizes))))
        reading = read_fit(train, test, 1.0, still_rising(outcome.history), guess=guess)
        claim = outcome.build.recipe.expect.accuracy
        expected = "a test accuracy near the training's"
        found = f"clean {reading.found}"
        figures = {"train": train, "test": test}
        if reading.verdict == "warn" and claim is not None and test >= claim[0]:
            reason = "further apart than usual, but the test accuracy is the one that the source claims"
            return Result("pass", expected, found, reason, figures=figures)
        if reading.verdict == "not judged":
            return not_judged(reading.advice, "", expected, found, **figures)
        if reading.verdict == "pass":
            return Result("pass", expected, found, reading.advice, figures=figures)
        what, colon, advice = reading.advice.partition(": ")
        return Result("warn", expected, found, what, advice if colon else "", figures)
