"""Is a class recognised far worse than the others?"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result, not_judged
from workbench.format import percent
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.checks.outcome import Outcome


class ClassAccuracy(Check):
    """The accuracy of each class, and what the worst one is taken for.

    ``workbench show RUN --confusion`` has the whole matrix, ``--mistakes`` the most confident mistakes as pictures.
    """

    name = "class_accuracy"
    title = "accuracy by class"
    when = "after"
    rank = 30

    share: float = parameter(
        0.5, gt=0, le=1, description="share of the whole accuracy below which a class's own is told"
    )

    least: float = parameter(
        0.8, ge=0, le=1, description="whole accuracy below which it is not judged: such a network is still learning"
    )

    def review(self, outcome: Outcome) -> Result | None:
        """Classes without test images do not count."""
        results = outcome.results
        known = [(accuracy, label) for label, accuracy in enumerate(results.class_accuracy) if not math.isnan(accuracy)]
        if not known:
            return None
        (worst, label), (best, other) = min(known), max(known)
        names, row = results.classes, results.confusion[label]
        expected = f"each at least {percent(self.share, 0)} of the whole accuracy"
        found = f"{percent(worst, 1)} ({names[label]}) to {percent(best, 1)} ({names[other]})"
        if results.accuracy < self.least:
            below = f"the whole accuracy, {percent(results.accuracy, 1)}, is below {percent(self.least, 0)}"
            reason = f"{below}: classes are learned one by one"
            return not_judged(reason, "", expected, found)
        if worst >= self.share * results.accuracy:
            return Result("pass", expected, found, "no class is left behind")
        taken = max((i for i in range(len(names)) if i != label), key=row.__getitem__)
        seen = f"'{names[label]}' is recognised in {percent(worst, 1)} of its images"
        reason = f"{seen}, and mostly taken for '{names[taken]}'"
        advice = "look at its images and labels (workbench show RUN --mistakes), or give it more of them"
        return Result("warn", expected, found, reason, advice)
