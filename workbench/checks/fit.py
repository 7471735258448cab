"""Does the network memorise, is it too small, or does it learn as it should?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result
from workbench.events import Verdict
from workbench.recipe.cards import parameter

if TYPE_CHECKING:
    from workbench.checks.outcome import Outcome
    from workbench.engine.build import Build


class FitCheck(Check):
    """What training and test accuracy say together, both on clean images in evaluation mode.

    So it holds under mixup and CutMix too, where the accuracy seen in training means nothing, and under augmentation
    and dropout, which make training harder than the test. A test accuracy within what the recipe's source claims is
    never a warning.
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
        from workbench.runs.fit import read_fit

        train, test = clean_accuracy(outcome.build, self.images), outcome.results.accuracy
        reading = read_fit(train, test, 1.0, still_rising(outcome.history))
        claim = outcome.build.recipe.expect.accuracy
        expected = "a test accuracy near the training's"
        found = f"clean {reading.found}"
        figures = {"train": train, "test": test}
        if reading.verdict == "warn" and claim is not None and test >= claim[0]:
            reason = "further apart than usual, but the test accuracy is the one that the source claims"
            return Result("pass", expected, found, reason, figures=figures)
        what, colon, advice = reading.advice.partition(": ")
        verdict: Verdict = "warn" if reading.verdict == "warn" else "pass"
        if verdict == "pass":
            return Result(verdict, expected, found, reading.advice, figures=figures)
        return Result(verdict, expected, found, what, advice if colon else "", figures)


def clean_accuracy(build: Build, count: int) -> float:
    """Accuracy, 0–1, on up to ``count`` training images without augmentation, with the weights of evaluation."""
    import torch

    from workbench.data.pipeline import EvaluationSet
    from workbench.data.splits import Subset
    from workbench.engine.evaluate import score

    order = torch.randperm(len(build.training), generator=torch.Generator().manual_seed(0))
    subset = Subset(build.training, order[:count].sort().values)
    images = EvaluationSet(subset, build.device, build.recipe.data.eval_batch_size, keep=False)
    return score(build, images)[1]
