"""The hooks of a training: where techniques come in, from the first layer to the last evaluation. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar

from workbench.registered import Registered, asked_for

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from workbench.models.base import ModelOptions
    from workbench.precision import Precision
    from workbench.randomness import SampleRng
    from workbench.recipe.schema import Recipe
    from workbench.step import StepContext

    Compute = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    """Images and targets to loss and logits, both detached; leaves gradients in the parameters."""
    Predict = Callable[[Tensor], Tensor]
    """Float images ``[N, C, H, W]`` to logits ``[N, classes]``."""

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
Q = ParamSpec("Q")


class HookError(Exception):
    """A technique registered at a hook that another one has taken, or that does not exist; one line."""


class Hook(Generic[P, R]):
    """A place in a training where any number of functions are called, in the order of their ranks, then names.

    about: what its functions are given and give.
    """

    single = False

    def __init__(self, about: str, returns: str = "") -> None:
        self.name = ""
        self.about = about
        self._returns = returns
        self._registered: list[Registered[P, R]] = []
        self._hooks: Hooks | None = None

    def add(self, function: Callable[P, R], rank: int = 0, name: str | None = None) -> None:
        """Register a function, of the technique that is registering at present unless it is named."""
        if name is None:
            name = self._hooks.registering if self._hooks is not None else ""
        if self.single and self._registered:
            raise HookError(
                f"'{self._registered[0].name}' and '{name}' both register at the hook '{self.name}', which takes one"
            )
        self._registered.append(Registered(rank, name, function, self._returns, self.about))
        self._registered.sort(key=lambda each: (each.rank, each.name))

    def __iter__(self) -> Iterator[Registered[P, R]]:
        return iter(tuple(self._registered))

    def __len__(self) -> int:
        return len(self._registered)


class SingleHook(Hook[P, R]):
    """A hook that one function can take. default: what is called where nobody did."""

    single = True

    def __init__(self, about: str, default: Callable[P, R], returns: str = "") -> None:
        super().__init__(about, returns)
        self._default = default

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call what was registered, or the default."""
        function: Callable[P, R] = self._registered[0] if self._registered else self._default
        return function(*args, **kwargs)

    def chosen(self, default: Callable[P, R] | None = None) -> Callable[P, R]:
        """What is called, with a default that depends on the recipe."""
        return self._registered[0] if self._registered else default or self._default

    def owns(self, function: Callable[Q, T]) -> Callable[Q, T]:
        """A function that calls what was made at the hook: its errors are those of whoever made it."""
        return Registered(0, self._registered[0].name, function) if self._registered else function


class Sample(Protocol):
    """The first training images, as many as are asked for, as the network meets them."""

    def __call__(self, count: int, *, on_device: bool = False) -> Tensor:
        """float ``[N, C, H, W]``, on the CPU or on the device of the training."""


def _fp32_precision(device: torch.device) -> Precision:
    from workbench.precision import Precision

    return Precision()


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits, targets)


def _no_optimizer(model: nn.Module) -> Optimizer:
    from workbench.recipe import Problem, RecipeError

    raise RecipeError([Problem("techniques", "no technique made an optimizer; switch one on")])


def _to_float(images: Tensor) -> Tensor:
    return images.float()


def _same(thing: T) -> T:
    return thing


def _as_it_is(images: Tensor, context: StepContext) -> Tensor:
    return images


def _as_trained(model: nn.Module) -> AbstractContextManager[object]:
    return nullcontext()


def _constant(context: StepContext) -> float:
    return 1.0


@dataclass
class Hooks:
    """Where techniques come into a training. The whole of it, with every hook at the place where it is called::

        build(recipe):
            for technique in recipe: technique.register(build)         # adds its functions to these hooks
            options = model_options(ModelOptions())
            model = model_edits(recipe.model.build(options))
            initialisation(model, sample)
            model = precision(device).convert(model)
            model = memory_format(model)
            optimizer = optimizer(model)
            optimizer_edits(optimizer, model)
            built(model, optimizer)

        train(build):
            compute = gradient(forward_and_backward, model)
            plan = [schedule(moment) for some moments]                 # for the chart: it depends on the moment alone
            for epoch in epochs:
                epoch_start(epoch, model)
                for batch in epoch:
                    images = image_augmentation(batch.images, draws)   # uint8, perhaps in a loader's worker
                    images = memory_format(normalise(images))
                    images = tensor_augmentation(images, draws)
                    images = resize(images, moment)
                    images, targets = target_mixing(images, batch.labels, draws)
                    learning rates = base rates * schedule(moment)
                    loss, logits = compute(images, targets)            # from here on a CUDA graph may hold the step
                        # forward_and_backward:
                        loss = criterion(model(images), targets)
                        objective(loss).backward()
                    gradient_edits(parameters)                         # unscaled; then observers look at them
                    optimizer.step()                                   # unless loss or gradient is not finite; to here
                    after_step(moment, skip)
                if evaluation is due:
                    predict = prediction(model)
                    with evaluation_weights(model):
                        logits = predict(images)
            finish(images)                                             # and the last evaluation

    Each function knows the technique that registered it: an error that is its own comes out as a TechniqueError that
    names both technique and line. registering: the technique whose functions are added at present.
    """

    model_options: Hook[[ModelOptions], ModelOptions] = field(default_factory=lambda: Hook("what the model is made of"))
    model_edits: Hook[[nn.Module], nn.Module] = field(default_factory=lambda: Hook("the model after it was made"))
    initialisation: Hook[[nn.Module, Sample], None] = field(
        default_factory=lambda: Hook("sets weights; may look at training images")
    )
    precision: SingleHook[[torch.device], Precision] = field(
        default_factory=lambda: SingleHook("number formats and the loss scaler", _fp32_precision)
    )
    memory_format: SingleHook[[Any], Any] = field(
        default_factory=lambda: SingleHook("a tensor or module in another memory format", _same)
    )
    optimizer: SingleHook[[nn.Module], Optimizer] = field(
        default_factory=lambda: SingleHook("the optimizer of a model's parameters", _no_optimizer)
    )
    optimizer_edits: Hook[[Optimizer, nn.Module], None] = field(
        default_factory=lambda: Hook("the optimizer after it was made")
    )
    built: Hook[[nn.Module, Optimizer], None] = field(
        default_factory=lambda: Hook("all is built: averages and the like make their state here")
    )
    epoch_start: Hook[[int, nn.Module], None] = field(default_factory=lambda: Hook("an epoch begins, counted from 0"))
    image_augmentation: Hook[[Tensor, SampleRng], Tensor] = field(
        default_factory=lambda: Hook("uint8 images [N, C, H, W]; may run in a loader's worker")
    )
    normalise: SingleHook[[Tensor], Tensor] = field(
        default_factory=lambda: SingleHook("uint8 images to float", _to_float)
    )
    tensor_augmentation: Hook[[Tensor, SampleRng], Tensor] = field(
        default_factory=lambda: Hook("float images [N, C, H, W], on the device")
    )
    resize: SingleHook[[Tensor, StepContext], Tensor] = field(
        default_factory=lambda: SingleHook("float images at the resolution of this step", _as_it_is)
    )
    target_mixing: Hook[[Tensor, Tensor, SampleRng], tuple[Tensor, Tensor]] = field(
        default_factory=lambda: Hook("images and targets, [N] or [N, classes], to images and targets [N, classes]")
    )
    schedule: SingleHook[[StepContext], float] = field(
        default_factory=lambda: SingleHook("factor on every learning rate", _constant)
    )
    gradient: Hook[[Compute, nn.Module], Compute] = field(
        default_factory=lambda: Hook("wraps forward and backward", "a function")
    )
    criterion: SingleHook[[Tensor, Tensor], Tensor] = field(
        default_factory=lambda: SingleHook("logits [N, classes] in fp32 and targets to a scalar loss", _cross_entropy)
    )
    objective: Hook[[Tensor], Tensor] = field(
        default_factory=lambda: Hook("the scalar that is differentiated in the loss's place")
    )
    gradient_edits: Hook[[list[nn.Parameter]], None] = field(
        default_factory=lambda: Hook("parameters whose gradients are unscaled")
    )
    after_step: Hook[[StepContext, Tensor], None] = field(
        default_factory=lambda: Hook("weights were updated; skip: scalar, 1 where the update was masked")
    )
    evaluation_weights: SingleHook[[nn.Module], AbstractContextManager[object]] = field(
        default_factory=lambda: SingleHook("a context with the weights to evaluate with", _as_trained, "a context")
    )
    prediction: Hook[[Predict], Predict] = field(
        default_factory=lambda: Hook("wraps evaluation's images to logits", "a function")
    )
    finish: Hook[[Callable[[], Iterator[Tensor]]], None] = field(
        default_factory=lambda: Hook("before the last evaluation; may ask for one more epoch's images")
    )

    def __post_init__(self) -> None:
        self.registering = ""
        for name, hook in self.every():
            hook.name, hook._hooks = name, self

    def every(self) -> Iterator[tuple[str, Hook[..., Any]]]:
        """All hooks with their names, in the order in which a training comes to them."""
        for each in fields(self):
            yield each.name, getattr(self, each.name)

    def registered(self) -> Iterator[Registered[..., Any]]:
        """All that was registered."""
        for _, hook in self.every():
            yield from hook

    def owners_of(self, *hooks: Hook[..., Any]) -> tuple[str, ...]:
        """The techniques at some hooks."""
        return tuple(each.name for hook in hooks for each in hook)


class Builder(Protocol):
    """What a technique sees of a build while it registers."""

    @property
    def recipe(self) -> Recipe:
        """The whole recipe."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the run trains."""
        ...

    @property
    def classes(self) -> int:
        """How many classes the data set has."""
        ...

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images, as the data set has them."""
        ...

    @property
    def hooks(self) -> Hooks:
        """Where to register: ``build.hooks.criterion.add(function)``."""
        ...

    def save_in_checkpoints(self, name: str, state: Any) -> None:
        """Have checkpoints hold an object with ``state_dict`` and ``load_state_dict``."""
        ...


EARLIER = {"prepared": "built"}
"""Hooks that had another name when plugins named them in words: the rest had blanks for underscores."""
WITHOUT_MODEL = ("optimizer_edits", "epoch_start", "gradient")
"""Hooks whose functions were not given the model then."""


class Registering:
    """What every builder does while techniques register: it knows whose turn it is, and understands earlier plugins."""

    hooks: Hooks

    def of(self, technique: Any) -> None:
        """Have one technique register."""
        self.hooks.registering = technique.name
        asked_for(f"techniques.{technique.name}", "register(self, build) -> None", object, technique.register, self)
        self.hooks.registering = ""

    def save_in_checkpoints(self, name: str, state: Any) -> None:
        """Nothing is saved of what is not trained."""

    def add(self, words: str, function: Callable[..., Any], rank: int = 0) -> None:
        """Register as plugins did before hooks were fields, in words: ``"after step"``. Raises HookError."""
        name = EARLIER.get(words, words.replace(" ", "_"))
        known = dict(self.hooks.every())
        if name not in known:
            owner = self.hooks.registering
            raise HookError(f"'{owner}' registers at '{words}', which is no hook; known: {', '.join(known)}")
        if name in WITHOUT_MODEL:
            first = function
            function = lambda given, model: first(given)  # noqa: E731
        known[name].add(function, rank)

    def keep(self, name: str, state: Any) -> None:
        """The same for what checkpoints hold."""
        self.save_in_checkpoints(name, state)
