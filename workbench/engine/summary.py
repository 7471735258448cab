"""A build without weights: what can be said of a recipe in milliseconds, by the code that makes the real one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from workbench.data.base import DataSet, Known, loaded
from workbench.data.batches import Plan
from workbench.data.splits import UnseenSplit, training_and_validation
from workbench.engine.build import BuildError, need_classes, no_step, run_steps
from workbench.engine.registering import registered
from workbench.engine.sizes import sketch
from workbench.hooks import HookError
from workbench.recipe import Recipe, RecipeError, conflicts
from workbench.step import StepContext


@dataclass(frozen=True)
class BuildSummary:
    """A network on the meta device, the run's length and its learning rates.

    architecture: equal for recipes with the same network; what was counted of one holds for the other. It has what a
    check that needs no data asks of a build.
    """

    recipe: Recipe
    model: nn.Module
    architecture: str
    image_shape: tuple[int, int, int]
    training_images: int
    steps_per_epoch: int
    steps: int
    factor: Callable[[StepContext], float]
    rate: float

    def learning_rate(self, step: int) -> float:
        """The learning rate of the first parameter group at a step, as the recipe states it."""
        return self.rate * float(self.factor(StepContext(step, self.steps, self.steps_per_epoch)))


def summary_of_unseen(recipe: Recipe, known: Known) -> BuildSummary:
    """The same from what is known of data that are not there. Raises RecipeError, DataError or BuildError."""
    train, test = (UnseenSplit(count, known.classes) for count in (known.training_images, known.test_images))
    return _summary(recipe, DataSet(train, test, tuple(map(str, range(known.classes))), known.shape))


def build_summary(recipe: Recipe, data_root: Path) -> BuildSummary:
    """Everything of a build that needs no values. Draws nothing from torch's generators, copies no data.

    Raises RecipeError, DataError or BuildError, as :func:`workbench.engine.build.build` does; what only shows when
    weights are initialised or images are touched does not show here.
    """
    if problems := conflicts(recipe):
        raise RecipeError(problems)
    return _summary(recipe, loaded(recipe.data_source, data_root))


def _summary(recipe: Recipe, dataset: DataSet) -> BuildSummary:
    need_classes(recipe, dataset)
    training, _ = training_and_validation(dataset, recipe.data.validation, recipe.seed)
    try:
        found = registered(recipe, torch.device("cpu"), dataset)
        model = sketch(recipe, dataset, len(training), torch.device("cpu"))
    except (ValueError, HookError) as error:
        raise BuildError(str(error)) from error
    hooks = found.hooks
    optimizer = hooks.optimizer(model)
    steps_per_epoch = len(Plan(recipe.seed, len(training), recipe.data.batch_size, recipe.data.drop_last))
    if steps_per_epoch == 0:
        raise no_step(recipe, training)
    makers = hooks.owners_of(hooks.model_options, hooks.model_edits)
    return BuildSummary(
        recipe=recipe,
        model=model,
        architecture=repr((recipe.model, [recipe.techniques[name] for name in makers], dataset.shape, dataset.classes)),
        image_shape=dataset.shape,
        training_images=len(training),
        steps_per_epoch=steps_per_epoch,
        steps=run_steps(recipe, steps_per_epoch),
        factor=hooks.schedule.chosen(),
        rate=float(optimizer.param_groups[0]["lr"]),
    )
