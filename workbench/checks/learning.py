"""Does the network learn anything, and does it keep what it has learned?"""

from __future__ import annotations

import math
from collections import deque
from statistics import median
from typing import TYPE_CHECKING

from workbench.checks.base import Check, CheckObserver, Result, not_judged
from workbench.evaluation.chance import TOLD, beyond_chance, enough, reach_of_chance, recognises, way
from workbench.events import Verdict
from workbench.format import percent
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.checks.outcome import Outcome
    from workbench.engine.build import Build
    from workbench.events import Trained

POINTS = 5
"""Points of the loss curve that are looked at together, so that a single step decides nothing."""

LEARNS = 0.93
"""Times the loss of guessing below which a training loss is no chance."""

LABELS = 4096
"""Training labels by which the loss of guessing is measured, at most."""

LOWER = "lower the learning rate (workbench check RECIPE --range-test suggests one), warm up, or clip gradients"
OTHER = "see whether the test is of what is trained for, labels included; averages and running statistics may lag"


class Learning(Check):
    """Is the network better than guessing, which has a loss of ln(classes) and the most frequent class's share right?

    During the run: the loss of the last points, and their training accuracy. It fails where the loss is far above that
    of guessing, and where what was learned is lost again; it warns where nothing is learned yet after ``patience``
    steps. After the run: the test. It fails where the accuracy is one that chance reaches (once in 200 times at most),
    and where the loss is far above that of guessing. Where the test has too few images to tell, clean training images
    decide, or nobody: it is not judged. Nor is a run of fewer than ``steps`` steps, unless its loss says enough: nobody
    learns much in them. A run below ``short`` steps that learns in training and not yet in the test is a warning, as
    the norms' running statistics and averaged weights lag behind.
    """

    name = "learning"
    title = "learning"
    when = "during"
    rank = 5
    source = "Karpathy 2019, A Recipe for Training Neural Networks: verify the loss at init, then watch it fall"

    steps: int = parameter(20, ge=1, le=1_000_000, unit="steps", description="steps after which something is learned")
    short: int = parameter(100, ge=1, le=1_000_000, unit="steps", description="steps below which a test may lag behind")
    patience: int = parameter(
        200, ge=1, le=10_000_000, unit="steps", description="steps without learning that are told"
    )
    above: float = parameter(1.5, gt=1, le=1000, description="times the loss of guessing, in training, that diverged")
    far: float = parameter(5.0, gt=1, le=1000, description="times the loss of guessing, in the test, that diverged")
    images: int = parameter(2000, ge=1, le=10_000_000, unit="images", description="clean training images to score")

    def watch(self, build: Build) -> CheckObserver | None:
        """Nothing to watch where there is one class."""
        return _LearningObserver(self, build) if len(build.dataset.classes) > 1 else None


class _LearningObserver(CheckObserver):
    remembers = ("points", "seen", "since", "first", "best", "best_at", "raised")

    def __init__(self, spec: Learning, build: Build) -> None:
        self.spec = spec
        self.classes = len(build.dataset.classes)
        self.share, self.level, self.floor = guessing(build)
        self.batch_size = build.recipe.data.batch_size
        self.points: deque[tuple[int, float, float]] = deque(maxlen=POINTS)
        self.seen = self.since = 0
        self.first = self.best = math.nan
        self.best_at = 0
        self.raised = False
        self.present: Result | None = None

    def lacks(self) -> str:
        return f"after {self.seen:,} steps there is nothing to say yet"

    def stopped(self) -> Result:
        return self.present or super().stopped()

    def judge(self, trained: Trained) -> Result | None:
        """Speaks up where something is wrong, and when that is over; that all is well is left to the last word."""
        self.present = self._judge(trained)
        before = self.raised
        if self.present is not None:
            self.raised = self.present.verdict != "pass"
        return self.present if before or self.raised else None

    def _judge(self, trained: Trained) -> Result | None:
        self.seen = trained.step
        self.points.append((trained.step, trained.loss, trained.accuracy))
        loss = median(point[1] for point in self.points)
        if math.isnan(self.first):
            self.first, self.since = trained.loss, 0 if trained.step < self.spec.patience else trained.step
        if self.seen < self.spec.steps or len(self.points) < 3 or math.isnan(self.level):
            return None
        expected = f"a loss below {self.level:.3f}, that of guessing"
        found = f"loss {loss:.4g} up to step {self.seen:,}, {self.first:.4g} at first"
        if self._grew(loss, self.level) and len(self.points) == POINTS:
            reason = f"it has diverged: the loss is {loss / self.level:.3g} times that of guessing"
            return Result("fail", expected, found, reason, LOWER)
        if loss < 0.98 * self.floor or (loss <= self.level and self._right()):
            if not loss >= self.best:
                self.best, self.best_at = loss, self.seen
            return Result("pass", expected, found, "it learns")
        if self.best < LEARNS * self.floor and len(self.points) == POINTS:
            reason = f"it had learned (loss {self.best:.3g} at step {self.best_at:,}) and has lost it again"
            return Result("fail", expected, found, reason, LOWER)
        if self.seen - max(self.best_at, self.since) >= self.spec.patience:
            reason = f"nothing is learned yet in {self.seen:,} steps"
            return Result("warn", expected, found, reason, "look at the learning rate, the labels and the input")
        return None

    @property
    def _loss(self) -> float:
        """The training loss at the last point of the curve; nan before there is one."""
        return self.points[-1][1] if self.points else math.nan

    def _learns(self) -> bool:
        """Whether the training loss is clearly below that of guessing."""
        return self._loss < LEARNS * self.floor

    def _grew(self, loss: float, level: float) -> bool:
        """Whether a loss is well above that of guessing, and not because the network began there."""
        began = self.first if self.first < self.spec.far * level else math.nan
        return loss > self.spec.above * level and not loss <= 1.2 * began

    def _right(self) -> bool:
        """Whether the training accuracy of the last points is beyond chance; False where targets are mixed."""
        steps = self.points[-1][0] - self.points[0][0]
        accuracy = sum(point[2] for point in list(self.points)[1:]) / (len(self.points) - 1)
        images = steps * self.batch_size
        return math.isfinite(accuracy) and beyond_chance(accuracy * images, images, self.share)

    def review(self, outcome: Outcome) -> Result | None:
        results = outcome.results
        sizes = [sum(row) for row in results.confusion]
        share, level = max(sizes) / max(1, sum(sizes)), math.log(self.classes)
        reach = reach_of_chance(sum(sizes), share)
        expected = f"loss below {level:.3f}" + (f", accuracy above {percent(reach, 1)}" if reach <= 1 else "")
        found = f"test loss {results.loss:.4g}, accuracy {percent(results.accuracy, 1)}"
        answers = recognises(results.confusion)
        far = not results.loss <= self.spec.far * level
        if far or (self._grew(results.loss, level) and not answers and not self._learns()):
            much = f"{results.loss / level:.3g} times" if math.isfinite(results.loss) else "not finite, against"
            reason = f"the test loss is {much} ln {self.classes}, that of guessing"
            if self._learns():
                return Result("fail", expected, found, f"{reason}; in training it is {self._loss:.3g}", OTHER)
            return Result("fail", expected, found, f"it has diverged: {reason}", LOWER)
        if answers:
            if results.loss > level and (worse := self._worse_than_guessing(outcome, share, level)):
                return Result(worse[0], expected, found, worse[1], LOWER)
            one = f"; always answering one class is right for {percent(share, 1)}, too"
            chance = "" if results.accuracy > reach else one
            return Result("pass", expected, found, f"it knows more than one that guesses{chance}")
        if outcome.results.step < self.spec.steps:
            return not_judged(f"{outcome.results.step:,} steps are too few to learn much", "", expected, found)
        if enough(sum(sizes), share):
            by_chance = f"up to {percent(reach, 1)} by chance"
            guesses = f"guessing is right for {percent(share, 1)} of the test images, and {by_chance}"
            return self._guesses(outcome, guesses, expected, found)
        clean, count = outcome.clean(self.spec.images)[1], min(self.spec.images, len(outcome.build.training))
        found = f"{found}, clean training {percent(clean, 1)}"
        if not enough(count, self.share) or beyond_chance(clean * count, count, self.share):
            return not_judged(f"{sum(sizes):,} test images are too few to tell it from guessing", "", expected, found)
        reach = reach_of_chance(count, self.share)
        by_chance = f"up to {percent(reach, 1)} by chance"
        guesses = f"guessing is right for {percent(self.share, 1)} of the training images, and {by_chance}"
        return self._guesses(outcome, guesses, expected, found)

    def _guesses(self, outcome: Outcome, guesses: str, expected: str, found: str) -> Result:
        """What to say of a network that is no better than guessing."""
        steps, loss = outcome.results.step, self._loss
        if self._learns():
            if steps < self.spec.short:
                reason = f"{guesses}; in training the loss is {loss:.3g}, but what evaluation uses lags in a short run"
                return Result("warn", expected, found, reason, "train longer before you conclude")
            reason = f"{guesses}; in training the loss is {loss:.3g}, and nothing of that is left in the test"
            return Result("fail", expected, found, reason, OTHER)
        if self.best < LEARNS * self.floor:
            reason = f"{guesses}; it had learned (loss {self.best:.3g} at step {self.best_at:,}) and has lost it again"
            return Result("fail", expected, found, reason, LOWER)
        reason = f"nothing was learned in {steps:,} steps: {guesses}"
        advice = "take another learning rate (workbench check RECIPE --range-test suggests one), or train longer"
        return Result("fail", expected, found, reason, advice)

    def _worse_than_guessing(self, outcome: Outcome, share: float, level: float) -> tuple[Verdict, str] | None:
        """Verdict and reason where the loss is above that of guessing on images that it was trained on, too."""
        clean = outcome.clean(self.spec.images)[0]
        if clean <= level:
            return None
        where = f"on training images, too ({clean:.4g})"
        reason = f"the loss is above ln {self.classes} = {level:.3f}, that of guessing, {where}"
        if self._grew(min(clean, outcome.results.loss), level):
            return "fail", reason if self._learns() else f"it has diverged: {reason}"
        lags = outcome.results.step < self.spec.short and self._learns()
        fine = outcome.results.accuracy > way(share, TOLD)
        return ("warn" if fine or lags else "fail"), reason


def guessing(build: Build) -> tuple[float, float, float]:
    """What guesses reach in training: the share that is right, the loss of knowing nothing, and that of knowing only
    how frequent the classes are. Measured with the recipe's own criterion; nan where it takes no labels.
    """
    import torch

    labels = build.training.labels[:: max(1, len(build.training) // LABELS)].to(build.device)
    shares = torch.bincount(build.training.labels, minlength=len(build.dataset.classes)).float()
    shares = (shares / shares.sum()).to(build.device)
    logits = torch.zeros(len(labels), len(shares), device=build.device)
    try:
        level = float(build.criterion(logits, labels))
        floor = float(build.criterion(logits + shares.clamp(min=1e-6).log(), labels))
    except Exception:  # a criterion of somebody's own, for targets of another kind
        level = floor = math.nan
    return float(shares.max()), level, min(level, floor)
