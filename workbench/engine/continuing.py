"""Training on beyond a run's end: how the learning rate goes on, and the state that it goes on from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field

from workbench.hooks import Hooks, Registering
from workbench.step import StepContext
from workbench.storage.values import Count, Finite

if TYPE_CHECKING:
    import torch

    from workbench.engine.build import Build
    from workbench.recipe import Recipe

Schedule = Literal["planned", "hold", "rewarm"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)
MEANINGS: dict[Schedule, str] = {
    "planned": "as if the run had been planned for its new length from here on",
    "hold": "the rate of the last step stays",
    "rewarm": "a short warm-up, then the recipe's schedule once more over what is added",
}
WARMUP_SHARE = 0.1
"""Of the added steps; one epoch at most."""

Factor = Callable[[StepContext], float]


@dataclass(frozen=True)
class Continuation:
    """How a run goes on where another one stood. step: updates that were done; steps: how long the other one was.

    last: the factor on its learning rate at the last of these updates. rate: the learning rate of which the factors are
    shares; 0 where it is not known. recipe: the digest of its resolved recipe, which its checkpoints bear. earlier: how
    it went on itself from one before.
    """

    schedule: Schedule
    step: Count
    steps: Annotated[int, Field(ge=1, lt=2**63)]
    steps_per_epoch: Annotated[int, Field(ge=1, lt=2**63)]
    last: Finite
    rate: Finite
    recipe: str
    earlier: Continuation | None = None


def continued(factor: Factor, how: Continuation) -> Factor:
    """The schedule of the longer run; before the step where it went on, that of the other one.

    factor: the recipe's schedule, for runs of any length.
    """

    before = factor if how.earlier is None else continued(factor, how.earlier)

    def scaled(context: StepContext) -> float:
        if context.step < how.step:
            return before(StepContext(context.step, how.steps, how.steps_per_epoch))
        if how.schedule == "planned":
            return factor(context)
        if how.schedule == "hold":
            return how.last
        done, added = context.step - how.step, context.steps - how.step
        wanted = factor(StepContext(done, added, how.steps_per_epoch))
        warm = min(how.steps_per_epoch, max(1, round(WARMUP_SHARE * added)))
        return wanted if done >= warm else how.last + (wanted - how.last) * (done + 1) / (warm + 1)

    return scaled


def factor_at(factor: Factor, step: int, steps: int, steps_per_epoch: int) -> float:
    """A schedule's share of the learning rate at a step of a run of some length."""
    return float(factor(StepContext(step, steps, steps_per_epoch)))


def why_not_longer(recipe: Recipe, step: int, steps: int, steps_per_epoch: int) -> str:
    """What of a recipe keeps a run that stands at a step from going on beyond its length, one sentence; mostly ""."""
    done = StepContext(step, steps, steps_per_epoch)
    return next(filter(None, (technique.why_not_longer(done) for technique in recipe.active())), "")


def schedule_of(recipe: Recipe, classes: int) -> Factor:
    """A recipe's schedule alone, without its data and without torch: what its techniques that are schedules give."""
    found = _Schedule(recipe, classes)
    for technique in recipe.active():
        if technique.group == "schedule":
            found.of(technique)
    return found.hooks.schedule.chosen()


class _Schedule(Registering):
    """What a schedule sees of a build: see :class:`workbench.hooks.Builder`."""

    image_shape = (3, 1, 1)

    def __init__(self, recipe: Recipe, classes: int) -> None:
        self.recipe = recipe
        self.classes = classes
        self.hooks = Hooks()

    @property
    def device(self) -> torch.device:
        import torch

        return torch.device("cpu")


def take_over(build: Build, state: dict[str, Any], how: Continuation) -> dict[str, Any]:
    """A state of this build, or one of a run that it goes on from, as one of this build, whose length differs.

    Raises CheckpointError.
    """
    from workbench.engine.state import CheckpointError
    from workbench.recipe import recipe_digest

    own = recipe_digest(build.recipe)
    if state.get("recipe") == own:
        return state
    if build.steps_per_epoch != how.steps_per_epoch:
        raise CheckpointError(
            f"the data set has changed: an epoch has {build.steps_per_epoch:,} steps and had {how.steps_per_epoch:,}; "
            "put the images back, or train from scratch"
        )
    step, part = state.get("step"), how
    while part.earlier is not None and state.get("recipe") != part.recipe:
        part = part.earlier
    if state.get("recipe") != part.recipe or not isinstance(step, int) or step > part.step:
        raise CheckpointError("the checkpoint is not of the run that this one was to go on from; begin it anew")
    return state | {"recipe": own}
