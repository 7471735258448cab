"""What every check has in common. One class in one file is the check, its TOML table and its docs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from workbench.device_lost import pass_on
from workbench.events import CheckFinished, Trained, Verdict
from workbench.recipe.registries import CHECKS
from workbench.recipe.specs import Spec, parameter

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.checks.outcome import Outcome
    from workbench.engine.build import Build
    from workbench.engine.replay import Finding
    from workbench.recipe.schema import Recipe
    from workbench.step import StepContext

When = Literal["before", "during", "after"]


@dataclass(frozen=True)
class Result:
    """What a check found. ``reason`` is one sentence, ``advice`` what to do; ``figures`` are for programs."""

    verdict: Verdict
    expected: str
    found: str
    reason: str
    advice: str = ""
    figures: Mapping[str, object] = field(default_factory=dict)


def not_judged(reason: str, advice: str = "", expected: str = "", found: str = "", **figures: object) -> Result:
    """What a check says that had nothing to judge, or too little: ``reason`` says what was missing."""
    return Result("not judged", expected, found, reason, advice, figures)


class CheckObserver:
    """A check at work on one training. The training loop calls ``observe``, what stands between two steps the rest."""

    remembers: ClassVar[tuple[str, ...]] = ()
    """Attributes of plain values that a checkpoint keeps, so that a run that goes on knows what was seen before."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "look" in cls.__dict__ and "observe" not in cls.__dict__:  # a plugin's of an earlier version
            cls.observe = cls.look  # type: ignore[method-assign, attr-defined]

    def due(self, context: StepContext) -> bool:
        """Whether ``observe`` sees something in this step."""
        return False

    def observe(self, context: StepContext) -> None:
        """See weights and gradients of a step before its update, on the device: nothing in here may wait for it."""

    def judge(self, trained: Trained) -> Result | None:
        """The present state at a point of the curves, where waiting for the device is allowed; None: nothing yet.

        A pass says that something was judged: as long as there was too little, the answer is None.
        """

    def lacks(self) -> str:
        """What is missing for a judgement, in words."""
        return "the run was too short"

    def stopped(self) -> Result:
        """What to say at the end of a run in which nothing was said: that there was too little to judge."""
        return not_judged(self.lacks())

    def review(self, outcome: Outcome) -> Result | None:
        """A last word after the last evaluation; None where there is nothing to add."""

    def diverged(self, finding: Finding, folder: Path | None) -> Result | None:
        """What to say of a training that diverged. folder: where to leave what helps; None: nowhere."""


Watch = CheckObserver
"""What plugins of earlier versions call it."""


class Check(Spec):
    """Base of all checks.

    A subclass in a file of this package (or of a plugin) sets ``name``, ``title`` and ``when``, has its thresholds as
    fields and defines the one method of its time: :meth:`examine` before a run, :meth:`watch` during it,
    :meth:`review` after it. One whose ``enabled`` is false unless asked for costs more than a run should wait for.
    """

    registry = CHECKS
    title: ClassVar[str]
    when: ClassVar[When]
    rank: ClassVar[int] = 50
    """Checks of one time come in the order of their ranks, then of their names."""
    needs_data: ClassVar[bool] = True
    """False: it asks a build only for recipe, network, steps and learning rates, and so can be made without data."""

    enabled: bool = parameter(True, description="false switches the check off")

    @classmethod
    def asked_for(cls) -> bool:
        """Whether it is made only where a person or a recipe asks for it."""
        return cls.model_fields["enabled"].default is False

    def examine(self, build: Build) -> Result | None:
        """Look at a build that has not been trained, and leave it as it is.

        None where the recipe has nothing that this check is about; what is there and cannot be judged is
        :func:`not_judged`.
        """
        raise TypeError(f"check '{self.name}' examines nothing; it must define examine(build)")

    def watch(self, build: Build) -> CheckObserver | None:
        """Begin to watch a training; None where there is nothing to watch."""
        raise TypeError(f"check '{self.name}' watches nothing; it must define watch(build)")

    def review(self, outcome: Outcome) -> Result | None:
        """Judge a training that is over; None where the recipe has nothing that this check is about."""
        raise TypeError(f"check '{self.name}' reviews nothing; it must define review(outcome)")

    def event(self, result: Result) -> CheckFinished:
        """The result as the run says it."""
        return CheckFinished(
            id=self.name,
            name=self.title,
            verdict=result.verdict,
            expected=result.expected,
            found=result.found,
            reason=result.reason,
            advice=result.advice,
        )


def chosen(recipe: Recipe, when: When, only: Iterable[str] = (), *, everything: bool = False) -> list[Check]:
    """The checks of a time with the recipe's parameters, in their order.

    only: those of these names, whether they are on or not; everything: all of them; else those that are on.
    """
    names = set(only)
    specs: list[Any] = [recipe.checks.get(spec.name) or spec() for spec in CHECKS if spec.when == when]
    kept = [spec for spec in specs if (spec.name in names if names else everything or spec.enabled)]
    return sorted(kept, key=lambda spec: (spec.rank, spec.name))


def failed(error: Exception) -> Result:
    """What to say where a check itself broke: a run does not fail for that, unless the device is lost."""
    pass_on(error)
    what = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return Result("warn", "an answer", "none", f"the check itself failed: {what}", "switch it off in [checks]")
