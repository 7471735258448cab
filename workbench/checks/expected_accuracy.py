"""Is the result the one that the recipe's source claims?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result
from workbench.format import percent
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.checks.outcome import Outcome


class ExpectedAccuracy(Check):
    """Hold the last test accuracy against the range that the recipe claims in [expect].

    A result just below it may be chance: the test images are a sample.
    """

    name = "expected_accuracy"
    title = "expected accuracy"
    when = "after"
    rank = 10

    errors: float = parameter(
        2.0, ge=0, le=100, unit="standard errors", description="of the sample of test images, that count as chance"
    )

    def review(self, outcome: Outcome) -> Result | None:
        """Nothing to judge where the recipe claims nothing."""
        claim = outcome.build.recipe.expect
        if claim.accuracy is None:
            return None
        low, high = claim.accuracy
        found = outcome.results.accuracy
        error = math.sqrt(max(low * (1 - low), 1e-9) / max(1, outcome.results.images))
        expected, shown = f"{percent(low, 1)} to {percent(high, 1)}", percent(found)
        if found > high:
            return Result("pass", expected, shown, "better than the source claims")
        if found >= low:
            return Result("pass", expected, shown, "the result is the one that the source claims")
        missing = f"{100 * (low - found):.2f} points below the claim"
        if found >= low - self.errors * error:
            chance = f"the error of {outcome.results.images:,} test images alone is ±{100 * error:.2f}"
            return Result("warn", expected, shown, f"{missing}; {chance}", "train other seeds before you conclude")
        advice = "compare with the recipe as it was packaged (workbench show RUN), above all train.epochs"
        return Result("fail", expected, shown, missing, advice)
