"""From a recipe to everything that a training step needs: data, network, optimizer and the filled slots."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from workbench.data.base import DataError, DataSet, NoStep, Split
from workbench.data.pipeline import EvaluationSet, Pipeline, make_pipeline
from workbench.data.splits import training_and_validation
from workbench.engine.backend import threads_limited
from workbench.engine.continuing import Continuation, continued
from workbench.engine.contributions import Contributions, contributions, network
from workbench.engine.inputs import normalisation, prepared
from workbench.engine.precision import Precision
from workbench.engine.sizes import sketch
from workbench.engine.slots import SlotError, Slots
from workbench.out_of_memory import out_of_memory
from workbench.randomness import key
from workbench.recipe import Problem, Recipe, RecipeError, conflicts
from workbench.recipe.execution import Execution, execution
from workbench.step import Batch, Marks, Moment, Repeated, as_written

T = TypeVar("T")

Network = Callable[[Tensor], Tensor]
"""Float images ``[N, C, H, W]`` to logits ``[N, classes]``: a model, or something that computes the same."""


class BuildError(Exception):
    """A recipe that is well-formed but does not fit its data or this machine; one line."""


def no_room() -> bool:
    """What :attr:`Build.make_room` is where nothing holds memory that the run can do without."""
    return False


@dataclass
class Build:
    """A recipe made real on a device. ``step`` counts the updates done; everything else stays as it was built.

    initialisation_seconds: what setting the weights took, with the looks at training images that it needs.
    execution: how its steps are executed; another one from where that turns out to be impossible.
    rates_on_device: learning rates are tensors there, which a recorded step reads anew each time it is repeated.
    make_room: frees memory that the run can do without, if there is any; whether there was.
    updating: the present step has its gradients and changes weights: it cannot be done again from its beginning.
    report: hears what is to be said while the training's thread is at something long.
    """

    recipe: Recipe
    device: torch.device
    slots: Slots
    kept: dict[str, Any]
    dataset: DataSet
    training: Split
    validation: Split | None
    pipeline: Pipeline
    model: nn.Module
    optimizer: torch.optim.Optimizer
    precision: Precision
    normalise: Callable[[Tensor], Tensor]
    steps: int
    step: int = 0
    base_rates: list[float] = field(default_factory=list)
    initialisation_seconds: float = 0.0
    rates_on_device: bool = False
    make_room: Callable[[], bool] = no_room
    updating: bool = False
    report: Callable[[str], None] = lambda message: None
    marks: Marks = field(default_factory=Marks)

    def __post_init__(self) -> None:
        self.steps_per_epoch = len(self.pipeline)
        self._rate = float(self.optimizer.param_groups[0]["lr"])
        for edit in self.slots.functions("optimizer edits"):
            edit(self.optimizer)
        self.base_rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.execution: Execution = execution(self.recipe, str(self.device), len(self.training))
        self._schedule = self.slots.only("schedule", lambda moment: 1.0)
        self._memory_format = self.slots.only("memory format", lambda thing: thing)
        size = self.recipe.data.eval_batch_size
        splits = {"validation": self.validation, "test": self.dataset.test}
        self.evaluation = {
            name: EvaluationSet(split, self.device, size) for name, split in splits.items() if split is not None
        }
        for prepare in self.slots.functions("prepared"):
            prepare(self.model, self.optimizer)

    @property
    def training_images(self) -> int:
        """How many there are, those held out left out."""
        return len(self.training)

    @property
    def mixes_targets(self) -> bool:
        """Whether targets are blends of labels, so that train accuracy has no meaning."""
        return bool(self.slots.fillers("target mixing"))

    def moment(self, step: int) -> Moment:
        """When a step happens."""
        return Moment(step, self.steps, self.steps_per_epoch)

    def watched(self, moment: Moment) -> bool:
        """Whether somebody looks into this step's layers. Then it must run as it is written."""
        return any(due(moment) for due in self.slots.functions("look due"))

    def learning_rate(self, step: int) -> float:
        """The learning rate of the first parameter group at a step, as the recipe states it."""
        return self._rate * float(self._schedule(self.moment(step)))

    def go_on_as(self, how: Continuation) -> None:
        """Train on where a shorter run stood, with the learning rate going on as that says."""
        self._schedule = continued(self._schedule, how)

    def set_learning_rates(self, moment: Moment) -> None:
        """Scale every group's rate for this step."""
        factor = float(self._schedule(moment))
        for group, base in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            rate = base * factor
            if self.device.type == "cuda":  # as a tensor holds it, so that steps are the same recorded or not
                rate = _in_32_bits(rate)
            if not self.rates_on_device:
                group["lr"] = rate
            elif isinstance(group["lr"], Tensor) and group["lr"].device == self.device:
                group["lr"].fill_(rate)
            else:
                group["lr"] = torch.full((), rate, device=self.device)

    def prepare(self, batch: Batch, moment: Moment, repeated: Repeated = as_written) -> tuple[Tensor, Tensor]:
        """A batch from the pipeline as the network meets it in training: float images and targets.

        repeated: calls what depends on the batch and its epoch alone.
        """
        return prepared(batch, moment, self.slots, self.normalise, self.recipe.seed, repeated)

    def plain(self, images: Tensor) -> Tensor:
        """uint8 images as the network meets them in evaluation."""
        prepared: Tensor = self._memory_format(self.normalise(images))
        return prepared

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The training loss, computed in fp32."""
        loss: Tensor = self.slots.only("criterion", cross_entropy)(logits.float(), targets)
        return loss

    def objective(self, loss: Tensor) -> Tensor:
        """What is differentiated: the loss, unless a technique puts something in its place."""
        for edit in self.slots.functions("objective"):
            loss = edit(loss)
        return loss

    def forward(self, images: Tensor, model: Network | None = None) -> Tensor:
        """Logits in the recipe's precision, of something else than the model if it is given."""
        with self.precision.autocast():
            logits: Tensor = (model or self.model)(self.precision.images(images))
        return logits

    def with_room(self, compute: Callable[[], T]) -> T:
        """What is computed; where memory is too small for it, it is tried again after :attr:`make_room`."""
        try:
            return compute()
        except Exception as error:
            if not out_of_memory(error) or not self.make_room():
                raise
        return compute()

    def one_more_epoch(self) -> Iterator[Tensor]:
        """The images of an epoch beyond the last, as training would meet them."""
        moment = self.moment(self.steps - 1)
        for batch in self.pipeline.epoch(moment.epoch + 1):
            yield self.prepare(batch, moment)[0]

    def close(self) -> None:
        """End what the pipeline started."""
        self.pipeline.close()


def _in_32_bits(x: float) -> float:
    return float(torch.tensor(x, dtype=torch.float32))


def build(
    recipe: Recipe,
    device: str | torch.device,
    data_root: Path,
    report: Callable[[str], None] = lambda message: None,
) -> Build:
    """Load the data, make and initialise the network, fill the slots.

    Uses torch's global generator for the weights and puts it back. Raises RecipeError, DataError or BuildError.
    """
    if problems := conflicts(recipe):
        raise RecipeError(problems)
    device = with_index(torch.device(device))
    dataset: DataSet = recipe.data_source.load(data_root, report)  # type: ignore[attr-defined]
    need_classes(recipe, dataset)
    training, validation = training_and_validation(dataset, recipe.data.validation, recipe.seed)
    try:
        found = contributions(recipe, device, dataset)
        slots = found.slots
        sketch(recipe, dataset, len(training), device)  # before anything large is made
        normalise = slots.only("normalise", normalisation(recipe, training, device))
        began = time.perf_counter()
        model = _model(found, training, normalise)
        initialisation_seconds = time.perf_counter() - began
    except (ValueError, SlotError) as error:
        raise BuildError(str(error)) from error
    precision = slots.only("precision", lambda device: Precision())(device)
    model = slots.only("memory format", lambda thing: thing)(precision.convert(model.to(device)))
    _gather_statistics(model)
    augmentations = slots.fillers("image augmentation")
    pipeline = make_pipeline(recipe.data, training, device, recipe.seed, augmentations, report)
    if len(pipeline) == 0:
        raise no_step(recipe, training)
    optimizer = slots.only("optimizer", no_optimizer)(model)
    return Build(
        recipe=recipe,
        device=device,
        slots=slots,
        kept=found.kept,
        dataset=dataset,
        training=training,
        validation=validation,
        pipeline=pipeline,
        model=model,
        optimizer=optimizer,
        precision=precision,
        normalise=normalise,
        steps=run_steps(recipe, len(pipeline)),
        initialisation_seconds=initialisation_seconds,
        report=report,
    )


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


def _model(found: Contributions, training: Split, normalise: Callable[[Tensor], Tensor]) -> nn.Module:
    def sample(count: int, *, on_device: bool = False) -> Tensor:
        """The first training images as the network meets them, on the CPU or where they will be trained on."""
        pixels = training.images(torch.arange(min(count, len(training))))
        images = normalise(pixels.to(found.device))
        return images if on_device else images.cpu()

    # Weights are drawn on the CPU by one thread, so that they are the same whatever trains them.
    with torch.random.fork_rng(devices=[]), threads_limited(1):
        torch.default_generator.manual_seed(key(found.recipe.seed, "initialisation"))
        model = network(found)
        for initialise in found.slots.functions("initialisation"):
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
            module._buffers[name] = block[start : start + buffer.numel()].view(buffer.shape)
            start += buffer.numel()


def no_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """Stands in the slot of the optimizer where nobody fills it."""
    raise RecipeError([Problem("techniques", "no technique made an optimizer; switch one on")])
