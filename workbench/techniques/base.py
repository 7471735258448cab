"""What every technique has in common. One class in one file is the toggle, the TOML table, the form and the docs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from workbench.recipe.registries import TECHNIQUES
from workbench.recipe.specs import Spec, parameter
from workbench.registered import DoesNotFit

if TYPE_CHECKING:
    import torch

    from workbench.hooks import Builder
    from workbench.recipe.schema import Recipe
    from workbench.step import StepContext

Group = Literal[
    "initialisation",
    "architecture",
    "optimizer",
    "schedule",
    "augmentation",
    "loss",
    "averaging",
    "gradients",
    "precision and speed",
    "evaluation",
]
GROUPS: tuple[Group, ...] = Group.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Need:
    """Something a technique cannot do without: another technique that is on, or a capability of the model."""

    why: str
    technique: str = ""
    capability: str = ""


@dataclass(frozen=True)
class DeviceFallback:
    """What takes a technique's place: specs to put into the recipe, this one's changed or switched off among them."""

    specs: tuple[Spec, ...]
    why: str
    """One sentence that names both and the reason."""


@dataclass(frozen=True)
class SpeedHint:
    """A change that may make a network faster: why, one sentence, and values by their keys in a recipe.

    rank: of several, lower ones come first.
    """

    why: str
    changes: dict[str, object]
    rank: int = 0


class Technique(Spec):
    """Base of all techniques.

    A subclass in a file of this package (or of a plugin) sets ``name`` and ``group``, has its parameters as fields, its
    spec as docstring, and registers in :meth:`register` functions at hooks.
    """

    registry = TECHNIQUES
    group: ClassVar[Group]
    tradeoff: ClassVar[str] = ""
    needs: ClassVar[tuple[Need, ...]] = ()
    excludes: ClassVar[dict[str, str]] = {}
    """Names of techniques that cannot be on together with this one, each with the reason."""
    starter: ClassVar[bool] = False
    """Whether a new recipe has it, if it suits the model: a start that claims nothing."""
    part_size: ClassVar[str] = ""
    """The parameter that says how many images of a batch go through the network at a time, if this one parts it."""

    enabled: bool = parameter(True, description="false keeps the parameters but switches the technique off")

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """What is wrong with these parameters in this recipe: pairs of parameter name (or "") and sentence."""
        return ()

    def device_fallback(self, device: torch.device) -> DeviceFallback | None:
        """What to train with instead on a device that does badly what this asks for; None if it suits."""
        return None

    @classmethod
    def speed_hint(cls, recipe: Recipe, *, on_gpu: bool, bf16: bool) -> SpeedHint | None:
        """What of this technique to try where a recipe's network limits its training; None where there is nothing.

        bf16: the device computes in it by itself.
        """
        return None

    def why_not_longer(self, done: StepContext) -> str:
        """Why a run that stands at ``done`` cannot be trained on beyond its length, one sentence; "" if it can."""
        return ""

    def require_channels(self, build: Builder, *wanted: int) -> None:
        """Raise ValueError, one sentence, where the data set's images have another number of channels."""
        found = build.image_shape[0]
        if found not in wanted:
            text = " or ".join(map(str, wanted))
            raise DoesNotFit(f"techniques.{self.name}: needs images with {text} channels, found {found}; switch it off")

    def register(self, build: Builder) -> None:
        """Add functions to the build's hooks. Called once for each run, before the model is built."""
        if (earlier := getattr(self, "contribute", None)) is None:  # so it was called, and plugins last
            raise TypeError(f"technique '{self.name}' registers nothing; it must define register(build)")
        earlier(build)
