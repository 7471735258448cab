"""The slots of a training step, in the order in which data meets them, and who fills them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

    from workbench.recipe.schema import Recipe


@dataclass(frozen=True)
class Slot:
    """A named place in the training step. An exclusive one takes one function at most."""

    signature: str
    exclusive: bool = False


class Sample(Protocol):
    """The first training images, as many as are asked for, as the network meets them."""

    def __call__(self, count: int, *, on_device: bool = False) -> torch.Tensor:
        """float ``[N, C, H, W]``, on the CPU or on the device of the training."""


SLOTS: dict[str, Slot] = {
    "model options": Slot("(ModelOptions) -> ModelOptions: what the model is made of"),
    "model edits": Slot("(Module) -> Module: the model after it was made"),
    "initialisation": Slot(
        "(Module, sample: (count, on_device=False) -> float images) -> None: sets the weights; may look at images"
    ),
    "precision": Slot("(device) -> Precision: number formats and the loss scaler", exclusive=True),
    "memory format": Slot("(Tensor | Module) -> the same in another memory format", exclusive=True),
    "epoch start": Slot("(epoch: int) -> None"),
    "image augmentation": Slot("(uint8 images [N,C,H,W], Draws) -> images; may run in a loader worker"),
    "normalise": Slot("(images) -> float images", exclusive=True),
    "tensor augmentation": Slot("(float images, Draws) -> images"),
    "resize": Slot("(images, Moment) -> images", exclusive=True),
    "target mixing": Slot("(images, targets, Draws) -> (images, targets [N, classes])"),
    "criterion": Slot("(logits [N, classes], targets) -> scalar loss", exclusive=True),
    "objective": Slot("(scalar loss) -> scalar: what is differentiated in the loss's place"),
    "gradient": Slot("(compute: (images, targets) -> (loss, logits)) -> compute: wraps forward and backward"),
    "gradient edits": Slot("(parameters: list[Parameter]) -> None: gradients are unscaled here"),
    "look due": Slot("(Moment) -> bool: whether a look sees something in this step"),
    "look": Slot("(Moment) -> None: sees gradients and weights before the update, on the device; changes nothing"),
    "optimizer": Slot("(Module) -> Optimizer", exclusive=True),
    "optimizer edits": Slot("(Optimizer) -> None: the optimizer after it was made"),
    "prepared": Slot("(Module, Optimizer) -> None: all is built; averages and the like make their state here"),
    "schedule": Slot("(Moment) -> factor on every learning rate", exclusive=True),
    "after step": Slot("(Moment, skip: scalar Tensor, 1 where the update was masked) -> None"),
    "evaluation weights": Slot("(Module) -> context manager: the weights to evaluate with", exclusive=True),
    "prediction": Slot("(predict: (images) -> logits) -> predict: wraps evaluation"),
    "finish": Slot("(images: () -> iterator of one epoch's images) -> None: between last step and last evaluation"),
}


class SlotError(Exception):
    """A technique filled a slot that does not exist, or that another one has filled."""


class TechniqueError(Exception):
    """A technique's function failed; one line that names the technique and the place in its source."""


@dataclass(frozen=True)
class Filler:
    """A function in a slot; ``name`` says whose it is and keys its random draws."""

    rank: int
    name: str
    function: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        """Call the function; an error that is the technique's own becomes a TechniqueError."""
        try:
            return self.function(*arguments)
        except (AttributeError, TypeError, NameError, ValueError, IndexError, KeyError) as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            text = f"techniques.{self.name}: {type(error).__name__} in {where}: {' '.join(str(error).split())}"
            raise TechniqueError(text) from error


class Slots:
    """The filled slots of one build."""

    def __init__(self) -> None:
        self._fillers: dict[str, list[Filler]] = {name: [] for name in SLOTS}

    def add(self, slot: str, filler: Filler) -> None:
        """Put a function in a slot, ordered by rank, then by name."""
        if slot not in SLOTS:
            raise SlotError(f"'{filler.name}' fills the slot '{slot}', which does not exist; known: {', '.join(SLOTS)}")
        fillers = self._fillers[slot]
        if SLOTS[slot].exclusive and fillers:
            raise SlotError(f"'{fillers[0].name}' and '{filler.name}' both fill the slot '{slot}', which takes one")
        fillers.append(filler)
        fillers.sort(key=lambda f: (f.rank, f.name))

    def fillers(self, slot: str) -> tuple[Filler, ...]:
        """The fillers of a slot in their order."""
        return tuple(self._fillers[slot])

    def every(self) -> Iterator[Filler]:
        """All fillers of all slots."""
        for fillers in self._fillers.values():
            yield from fillers

    def functions(self, slot: str) -> tuple[Callable[..., Any], ...]:
        """The functions of a slot in their order."""
        return tuple(f.function for f in self._fillers[slot])

    def only(self, slot: str, default: Callable[..., Any]) -> Callable[..., Any]:
        """The function of an exclusive slot, or what stands there when nobody fills it."""
        return self._fillers[slot][0].function if self._fillers[slot] else default


class Builder(Protocol):
    """What a technique sees of a build while it contributes."""

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

    def add(self, slot: str, function: Callable[..., Any], rank: int = 0) -> None:
        """Put a function in a slot; lower ranks come first."""
        ...

    def keep(self, name: str, state: Any) -> None:
        """Have the checkpoint save an object with ``state_dict`` and ``load_state_dict``."""
        ...
