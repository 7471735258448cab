"""From a recipe to everything that a training step needs: data, network, optimizer and the hooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from workbench import torch_compat
from workbench.data.base import DataError, DataSet, NoStep, Split, loaded
from workbench.data.pipeline import EvaluationSet, Pipeline, make_pipeline
from workbench.data.splits import training_and_validation
from workbench.engine.backend import threads_limited
from workbench.engine.inputs import normalisation, training_inputs
from workbench.engine.registering import Registration, network, registered
from workbench.engine.sizes import sketch
from workbench.hooks import HookError, Hooks
from workbench.precision import Precision
from workbench.randomness import key
from workbench.recipe import Recipe, RecipeError, conflicts
from workbench.recipe.execution import Execution, execution
from workbench.step import Batch, Repeated, StepContext, as_written

Network = Callable[[Tensor], Tensor]
"""Float images ``[N, C, H, W]`` to logits ``[N, classes]``: a model, or something that computes the same."""


class BuildError(Exception):
    """A recipe that is well-formed but does not fit its data or this machine; one line."""


@dataclass(frozen=True)
class Build:
    """A recipe made real on a device. It stays as it was built: what changes while it is trained is a TrainState's.

    (Its model's weights and its optimizer's state do change: they are what is trained.)
    in_checkpoints: what checkpoints hold of techniques, by name. parameters: those that are trained. base_rates: the
    learning rate of each parameter group at the schedule's height; peak_rate: that of the first as the recipe states
    it. evaluation: the sets to evaluate on,
    by name. execution: how steps are to be executed. initialisation_seconds: what setting the weights took, with the
    looks at training images that it needs. report: hears what is to be said while the training's thread is at something
    long.
    """

    recipe: Recipe
    device: torch.device
    hooks: Hooks
    in_checkpoints: dict[str, Any]
    dataset: DataSet
    training: Split
    validation: Split | None
    pipeline: Pipeline
    model: nn.Module
    parameters: list[nn.Parameter]
    optimizer: torch.optim.Optimizer
    precision: Precision
    normalise: Callable[[Tensor], Tensor]
    schedule: Callable[[StepContext], float]
    base_rates: tuple[float, ...]
    peak_rate: float
    evaluation: dict[str, EvaluationSet]
    execution: Execution
    steps: int
    initialisation_seconds: float = 0.0
    report: Callable[[str], None] = lambda message: None

    def with_(self, **changes: Any) -> Build:
        """The same model and optimizer with some fields replaced."""
        return replace(self, **changes)

    @cached_property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return len(self.pipeline)

    @property
    def training_images(self) -> int:
        """How many there are, those held out left out."""
        return len(self.training)

    @property
    def mixes_targets(self) -> bool:
        """Whether targets are blends of labels, so that train accuracy has no meaning."""
        return len(self.hooks.target_mixing) > 0

    def context(self, step: int) -> StepContext:
        """When a step happens."""
        return StepContext(step, self.steps, self.steps_per_epoch)

    def learning_rate(self, step: int) -> float:
        """The learning rate of the first parameter group at a step, as the recipe states it."""
        return self.peak_rate * float(self.schedule(self.context(step)))

    def training_inputs(
        self, batch: Batch, context: StepContext, repeated: Repeated = as_written
    ) -> tuple[Tensor, Tensor]:
        """A batch from the pipeline as the network meets it in training: float images and targets.

        repeated: calls what depends on the batch and its epoch alone.
        """
        return training_inputs(batch, context, self.hooks, self.normalise, self.recipe.seed, repeated)

    def plain(self, images: Tensor) -> Tensor:
        """uint8 images as the network meets them in evaluation."""
        inputs: Tensor = self.hooks.memory_format(self.normalise(images))
        return inputs

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The training loss, computed in fp32."""
        return self.hooks.criterion(logits.float(), targets)

    def objective(self, loss: Tensor) -> Tensor:
        """What is differentiated: the loss, unless a technique puts something in its place."""
        for edit in self.hooks.objective:
            loss = edit(loss)
        return loss

    def forward(self, images: Tensor, model: Network | None = None) -> Tensor:
        """Logits in the recipe's precision, of something else than the model if it is given."""
        with self.precision.autocast():
            logits: Tensor = (model or self.model)(self.precision.images(images))
        return logits

    def one_more_epoch(self) -> Iterator[Tensor]:
        """The images of an epoch beyond the last, as training would meet them."""
        context = self.context(self.steps - 1)
        for batch in self.pipeline.epoch(context.epoch + 1):
            yield self.training_inputs(batch, context)[0]

    def close(self) -> None:
        """End what the pipeline started."""
        self.pipeline.close()


def build(
    recipe: Recipe,
    device: str | torch.device,
    data_root: Path,
    report: Callable[[str], None] = lambda message: None,
    *,
    data_read: Callable[[], object] = lambda: None,
) -> Build:
    """Load the data, have techniques register, make and initialise the network and its optimizer.

    data_read: called when the data are there and the network comes next.
    Uses torch's global generator for the weights and puts it back. Raises RecipeError, DataError or BuildError.
    """
    if problems := conflicts(recipe):
        raise RecipeError(problems)
    device = with_index(torch.device(device))
    dataset = loaded(recipe.data_source, data_root, report)
    need_classes(recipe, dataset)
    training, validation = training_and_validation(dataset, recipe.data.validation, recipe.seed)
    data_read()
    try:
        found = registered(recipe, device, dataset)
        hooks = found.hooks
        sketch(recipe, dataset, len(training), device)  # before anything large is made
        normalise = hooks.normalise.chosen(normalisation(recipe, training, device))
        began = time.perf_counter()
        model = _model(found, training, normalise)
        initialisation_seconds = time.perf_counter() - began
    except (ValueError, HookError) as error:
        raise BuildError(str(error)) from error
    precision = hooks.precision(device)
    model = hooks.memory_format(precision.convert(model.to(device)))
    _gather_statistics(model)
    pipeline = make_pipeline(recipe.data, training, device, recipe.seed, tuple(hooks.image_augmentation), report)
    if len(pipeline) == 0:
        raise no_step(recipe, training)
    optimizer, peak_rate, base_rates = make_optimizer(hooks, model)
    splits = {"validation": validation, "test": dataset.test}
    size = recipe.data.eval_batch_size
    evaluation = {name: EvaluationSet(split, device, size) for name, split in splits.items() if split is not None}
    for each in hooks.built:
        each(model, optimizer)
    return Build(
        recipe=recipe,
        device=device,
        hooks=hooks,
        in_checkpoints=found.in_checkpoints,
        dataset=dataset,
        training=training,
        validation=validation,
        pipeline=pipeline,
        model=model,
        parameters=[p for p in model.parameters() if p.requires_grad],
        optimizer=optimizer,
        precision=precision,
        normalise=normalise,
        schedule=hooks.schedule.chosen(),
        base_rates=base_rates,
        peak_rate=peak_rate,
        evaluation=evaluation,
        execution=execution(recipe, str(device), len(training)),
        steps=run_steps(recipe, len(pipeline)),
        initialisation_seconds=initialisation_seconds,
        report=report,
    )


def make_optimizer(hooks: Hooks, model: nn.Module) -> tuple[torch.optim.Optimizer, float, tuple[float, ...]]:
    """A new optimizer of a model's parameters; the rate that the recipe states, and each group's at its height."""
    optimizer = hooks.optimizer(model)
    peak_rate = float(optimizer.param_groups[0]["lr"])
    for edit in hooks.optimizer_edits:
        edit(optimizer, model)
    return optimizer, peak_rate, tuple(float(group["lr"]) for group in optimizer.param_groups)


def with_index(device: torch.device) -> torch.device:
    """The device by its full name, as torch gives it to tensors that are on it: "cuda" is the present GPU."""
    if device.type != "cuda" or device.index is not None:
        return device
    return torch.device("cuda", torch.cuda.current_device())


def parameter_counts(model: nn.Module) -> dict[str, int]:
    """Trainable parameters of each named part of a network, parts without any left out."""
    counts = {
        name: sum(p.numel() for p in part.parameters() if p.requires_grad) for name, part in model.named_children()
    }
    return {name: count for name, count in counts.items() if count}


def run_steps(recipe: Recipe, steps_per_epoch: int) -> int:
    """The length of the run in steps."""
    return max(1, round(recipe.train.epochs * steps_per_epoch))


def need_classes(recipe: Recipe, dataset: DataSet) -> None:
    """Raises DataError for a data set with nothing to tell apart."""
    if len(dataset.classes) < 2:
        only = f"a single class, {dataset.classes[0]}" if dataset.classes else "no class"
        raise DataError(f"data.source: '{recipe.data.source}' has {only}; a classifier needs two or more")


def no_step(recipe: Recipe, training: Split) -> NoStep:
    """What to say where an epoch has no step."""
    return NoStep(
        f"data.batch_size: {recipe.data.batch_size} is more than the {len(training)} training images, and "
        "drop_last leaves out what does not fill a batch; make it smaller"
    )


def _model(found: Registration, training: Split, normalise: Callable[[Tensor], Tensor]) -> nn.Module:
    def sample(count: int, *, on_device: bool = False) -> Tensor:
        """The first training images as the network meets them, on the CPU or where they will be trained on."""
        pixels = training.images(torch.arange(min(count, len(training))))
        images = normalise(pixels.to(found.device))
        return images if on_device else images.cpu()

    # Weights are drawn on the CPU by one thread, so that they are the same whatever trains them.
    with torch.random.fork_rng(devices=[]), threads_limited(1):
        torch.default_generator.manual_seed(key(found.recipe.seed, "initialisation"))
        model = network(found)
        for initialise in found.hooks.initialisation:
            initialise(model, sample)
    return model


def _gather_statistics(model: nn.Module) -> None:
    """Move all buffers of a type into one block of memory, each buffer a view of it.

    The guard can then save and mask every norm's running statistics in two operations a step.
    """
    for dtype in {buffer.dtype for buffer in model.buffers()}:
        places = [
            (module, name, buffer)
            for module in model.modules()
            for name, buffer in module.named_buffers(recurse=False)
            if buffer.dtype == dtype
        ]
        block = torch.cat([buffer.detach().reshape(-1) for _, _, buffer in places])
        start = 0
        for module, name, buffer in places:
            torch_compat.put_buffer(module, name, block[start : start + buffer.numel()].view(buffer.shape))
            start += buffer.numel()
