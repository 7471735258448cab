"""Several views of each test image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.registered import DoesNotFit
from workbench.techniques.base import Technique

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.hooks import Builder

    Predict = Callable[[Tensor], Tensor]


class TTA(Technique):
    """Evaluate each image together with its mirror image, or also shifted, and average the logits.

    ``mirror`` sees two views; ``mirror_and_shift`` six: the two, and both of them shifted by a pixel up-left and
    down-right, which count half. Training does not change.
    """

    name = "test_time_augmentation"
    synonyms = ("tta",)
    group = "evaluation"
    source = "Krizhevsky et al. 2012; Jordan 2024, arXiv:2404.00498 (six views)"
    tradeoff = "About half a point for twice or six times the evaluation; say so when you compare accuracies."

    views: Literal["mirror", "mirror_and_shift"] = parameter("mirror", description="which views are averaged")
    shift: int = parameter(1, ge=1, le=64, unit="pixels", description="mirror_and_shift: how far")

    def register(self, build: Builder) -> None:
        """Wrap the prediction."""
        if self.views == "mirror_and_shift" and self.shift >= min(build.image_shape[1:]):
            height, width = build.image_shape[1:]
            raise DoesNotFit(
                f"techniques.test_time_augmentation.shift: must be smaller than the image ({height}×{width}); "
                f"found {self.shift}"
            )
        build.hooks.prediction.add(self._wrap)

    def _wrap(self, predict: Predict) -> Predict:
        if self.views == "mirror":
            return lambda images: mirrored(predict, images)
        return lambda images: mirrored_and_shifted(predict, images, self.shift)


def mirrored(predict: Predict, images: Tensor) -> Tensor:
    """Mean logits ``[N, classes]`` of images ``[N, C, H, W]`` and their mirror images."""
    return (predict(images).float() + predict(images.flip(-1)).float()) / 2


def mirrored_and_shifted(predict: Predict, images: Tensor, shift: int) -> Tensor:
    """Mean logits of six views; borders that a shift brings in are mirrored."""
    from workbench.models.layers.padding import padded

    height, width = images.shape[2:]
    wide = padded(images, (shift,) * 4, "reflect")
    up_left = wide[:, :, 2 * shift : 2 * shift + height, 2 * shift : 2 * shift + width]
    down_right = wide[:, :, :height, :width]
    shifted = (mirrored(predict, up_left) + mirrored(predict, down_right)) / 2
    return (mirrored(predict, images) + shifted) / 2
