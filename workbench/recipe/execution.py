"""What ``train.compile`` comes to on a device, and why. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workbench.recipe.schema import Recipe

Mode = Literal["off", "graph", "default", "max"]

IN_WORDS: dict[str, str] = {
    "off": "as written",
    "graph": "recorded as a CUDA graph",
    "default": "with the network compiled by torch.compile",
    "max": "with the network compiled for its best kernels, recorded as a CUDA graph",
}
"""How steps run in each mode."""


@dataclass(frozen=True)
class Execution:
    """How a run's steps are executed.

    asked: the recipe's ``train.compile``. mode: what that comes to. why: what decided it, as a clause; "" where the
    recipe did.
    """

    asked: str
    mode: Mode
    why: str = ""

    @property
    def recorded(self) -> bool:
        """Whether whole steps are recorded as a CUDA graph."""
        return self.mode in ("graph", "max")

    def without_graph(self, why: str) -> Execution:
        """The same where no step can be recorded."""
        return Execution(self.asked, "default" if self.mode == "max" else "off", why)

    def without_compiler(self, why: str) -> Execution:
        """The same where the network cannot be compiled."""
        return Execution(self.asked, "graph" if self.mode == "max" else "off", why)

    def __str__(self) -> str:
        """How steps run, and why: "recorded as a CUDA graph (auto: a GPU)"."""
        words = IN_WORDS[self.mode]
        return f"{words} ({self.asked}: {self.why})" if self.why else words


def execution(recipe: Recipe, device: str, training_images: int | None = None) -> Execution:
    """How steps will be executed on ``"cpu"`` or ``"cuda:N"``.

    training_images: how many there are, the validation's left out; None where that is not known. Whether a step can
    indeed be recorded is seen when it is: :class:`workbench.engine.execution.Recorded`.
    """
    asked, size = recipe.train.compile, recipe.data.batch_size
    if asked != "auto":
        return Execution(asked, asked)
    if not device.startswith("cuda"):
        return Execution(asked, "off", "a CPU")
    if training_images is not None and training_images < size:
        return Execution(asked, "off", f"no batch has {size:,} images, and smaller ones are not recorded")
    rest = 0 if training_images is None or recipe.data.drop_last else training_images % size
    smaller = f"; an epoch's last, of {rest:,} images, as written" if rest else ""
    return Execution(asked, "graph", f"a GPU{smaller}")


def part_setting(recipe: Recipe) -> tuple[str, int] | None:
    """What sets in which parts a step takes its batch, by its key in a recipe, and their images; None: all at once."""
    for technique in recipe.active():
        if technique.part_size:
            return f"techniques.{technique.name}.{technique.part_size}", int(getattr(technique, technique.part_size))
    return None


def part_size(recipe: Recipe) -> int | None:
    """Images of the parts in which a step takes its batch; None where it takes it at once."""
    found = part_setting(recipe)
    return None if found is None else found[1]
