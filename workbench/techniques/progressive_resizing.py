"""Small images first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from workbench.recipe.specs import parameter
from workbench.techniques.base import Need, Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.hooks import Builder
    from workbench.recipe.schema import Recipe
    from workbench.step import StepContext


class ProgressiveResizing(Technique):
    """Train on small images first and let them grow to full size: early steps cost a fraction.

    The side grows linearly from ``initial_scale`` to 1, after ``delay`` of the run and until ``finetune`` before its
    end. Evaluation always sees full images.
    """

    name = "progressive_resizing"
    group = "precision and speed"
    source = "Howard 2018 (fast.ai, DAWNBench); Tan and Le 2021, arXiv:2104.00298"
    tradeoff = "Saves time for little accuracy; below about 3/4 of 32 pixels the objects get hard to see."
    needs: ClassVar[tuple[Need, ...]] = (
        Need(capability="any_resolution", why="the images change their size during the run"),
    )

    initial_scale: float = parameter(
        0.75, gt=0, le=1, description="side of the first images, as a share of the full side"
    )
    delay: float = parameter(0.0, ge=0, le=1, description="share of the run before the images begin to grow")
    finetune: float = parameter(0.2, ge=0, le=1, description="share of the run at its end with full images")
    multiple_of: int = parameter(4, ge=1, le=1024, unit="pixels", description="sides are rounded to a multiple of this")

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """Delay and fine-tuning must fit into the run."""
        if self.delay + self.finetune > 1:
            yield (
                "finetune",
                f"delay + finetune = {self.delay + self.finetune:g} is more than the run; make it 1 or less",
            )

    def register(self, build: Builder) -> None:
        """Resize the batches."""
        build.hooks.resize.add(self._resize)

    def _resize(self, images: Tensor, context: StepContext) -> Tensor:
        return resize(images, self.scale(context.progress), self.multiple_of)

    def scale(self, progress: float) -> float:
        """The share of the full side at a progress 0–1 of the run."""
        growing = 1 - self.delay - self.finetune
        grown = min(1.0, max(0.0, (progress - self.delay) / growing)) if growing > 0 else float(progress >= self.delay)
        return self.initial_scale + (1 - self.initial_scale) * grown


def resize(images: Tensor, scale: float, multiple_of: int) -> Tensor:
    """Float images ``[N, C, H, W]`` with sides ``scale`` times as long, bilinear, anti-aliased.

    Sides are rounded to the nearest multiple (at least one, at most the full side).
    """
    from torch.nn.functional import interpolate

    height, width = (
        min(side, max(multiple_of, round(side * scale / multiple_of) * multiple_of)) for side in images.shape[2:]
    )
    if (height, width) == tuple(images.shape[2:]):
        return images
    return interpolate(images, size=(height, width), mode="bilinear", align_corners=False, antialias=True)
