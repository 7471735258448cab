"""Does every class have its share of the training images?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.engine.build import Build


class ClassBalance(Check):
    """Count the training images of each class: rare classes are learned late, absent ones never."""

    name = "class_balance"
    title = "class balance"
    when = "before"
    rank = 40

    ratio: float = parameter(10.0, ge=1, le=1e9, description="largest class over smallest class")

    def examine(self, build: Build) -> Result:
        """A class without training images that the test asks for is a failure."""
        import torch

        names = build.dataset.classes
        counts = torch.bincount(build.training.labels, minlength=len(names)).tolist()
        tested = torch.bincount(build.dataset.test.labels, minlength=len(names)).tolist()
        least, most = min(counts), max(counts)
        expected = f"largest ≤ {self.ratio:g} × smallest class"
        found = f"{least:,} images each" if least == most else f"{least:,} to {most:,} images a class"
        absent = [name for name, count in zip(names, counts, strict=True) if count == 0]
        if absent:
            shown = ", ".join(absent[:5]) + (", …" if len(absent) > 5 else "")
            asked = any(count and not trained for count, trained in zip(tested, counts, strict=True))
            reason = f"no training image of {len(absent)} of {len(names)} classes ({shown})"
            reason += ", though the test asks for them" if asked else ""
            return Result("fail" if asked else "warn", expected, found, reason, "see how the images were split")
        if most > self.ratio * least:
            rare = names[counts.index(least)]
            reason = f"class '{rare}' has {least:,} images, the largest {most:,}: accuracy will hide how it fares"
            return Result("warn", expected, found, reason, "add images of it, and look at the accuracy of each class")
        return Result("pass", expected, found, "accuracy speaks for every class alike")
