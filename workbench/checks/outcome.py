"""What a training came to: what the checks after a run judge, and what a person wants to look at."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench.evaluation.results import Mistake, Results

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.engine.build import Build
    from workbench.step import Batch

MISTAKES = 24
"""How many of the most confident mistakes are kept."""

SIDE = 64
"""Larger pictures of mistakes are scaled down to this many pixels a side."""


@dataclass(frozen=True)
class Outcome:
    """A training that is over. history: (step, training accuracy, 0–1) at the points of the curves."""

    build: Build
    results: Results
    history: tuple[tuple[int, float], ...]
    _clean: dict[int, tuple[float, float]] = field(default_factory=dict)

    def clean(self, count: int) -> tuple[float, float]:
        """Loss (nats) and accuracy (0–1) on up to ``count`` training images without augmentation.

        With the weights of evaluation; the same images each time, and evaluated once.
        """
        if count not in self._clean:
            from workbench.data.pipeline import EvaluationSet
            from workbench.data.splits import Subset
            from workbench.engine.evaluate import score

            build, order = self.build, _order(len(self.build.training))
            images = Subset(build.training, order[:count].sort().values)
            size = build.recipe.data.eval_batch_size
            self._clean[count] = score(build, EvaluationSet(images, build.device, size, keep=False))
        return self._clean[count]


@dataclass
class Predictions:
    """Gathers what an evaluation answers, on the device, batch after batch."""

    labels: list[Tensor] = field(default_factory=list)
    predicted: list[Tensor] = field(default_factory=list)
    probabilities: list[Tensor] = field(default_factory=list)

    def add(self, batch: Batch, logits: Tensor) -> None:
        """Take a batch and its logits ``[N, classes]``."""
        probability, predicted = logits.softmax(dim=1).max(dim=1)
        self.labels.append(batch.labels)
        self.predicted.append(predicted)
        self.probabilities.append(probability)

    def results(self, build: Build, step: int, loss: float, accuracy: float) -> Results:
        """The whole test split after so many updates, in one object of plain values."""
        import torch

        labels, predicted = torch.cat(self.labels).cpu(), torch.cat(self.predicted).cpu()
        probabilities = torch.cat(self.probabilities).float().cpu()
        classes = len(build.dataset.classes)
        confusion = torch.bincount(labels * classes + predicted, minlength=classes**2).view(classes, classes)
        wrong = torch.nonzero(labels != predicted)[:, 0]
        order = torch.argsort(probabilities[wrong], descending=True, stable=True)[:MISTAKES]
        places = wrong[order]
        pixels = _pictures(build.dataset.test.images(places))
        return Results(
            split="test",
            step=step,
            loss=loss,
            accuracy=accuracy,
            classes=tuple(build.dataset.classes),
            confusion=tuple(map(tuple, confusion.tolist())),
            height=pixels.shape[1],
            width=pixels.shape[2],
            mistakes=tuple(
                Mistake(place, label, answer, probability, picture.numpy().tobytes())
                for place, label, answer, probability, picture in zip(
                    places.tolist(),
                    labels[places].tolist(),
                    predicted[places].tolist(),
                    probabilities[places].tolist(),
                    pixels,
                    strict=True,
                )
            ),
        )


def still_rising(history: tuple[tuple[int, float], ...]) -> float:
    """What the training accuracy, in means of a tenth of the points, gained in the last fifth; nan where unknown.

    Unknown, too, where most of the curve was drawn by an earlier part of the run: the last fifth of a short rest shows
    nothing.
    """
    known = [accuracy for _, accuracy in history if math.isfinite(accuracy)]
    if len(known) < 10 or len(known) < len(history) or history[0][0] > history[-1][0] / 2:
        return math.nan
    size, fifth = max(1, len(known) // 10), len(known) // 5
    before = known[: len(known) - fifth][-size:]
    return sum(known[-size:]) / size - sum(before) / len(before)


def _pictures(images: Tensor) -> Tensor:
    """uint8 ``[N, C, H, W]`` as contiguous RGB ``[N, h, w, 3]``, neither side longer than SIDE."""
    import torch
    from torch.nn.functional import interpolate

    height, width = images.shape[2:]
    factor = min(1.0, SIDE / max(height, width))
    if factor < 1 and len(images):
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        small = interpolate(images.float(), size, mode="bilinear", align_corners=False, antialias=True)
        images = small.round().clamp(0, 255).to(torch.uint8)
    images = images[:, :3] if images.shape[1] >= 3 else images[:, :1].expand(-1, 3, -1, -1)
    return images.permute(0, 2, 3, 1).contiguous()


def _order(count: int) -> Tensor:
    """int64 ``[count]``: an order that is always the same."""
    import torch

    return torch.randperm(count, generator=torch.Generator().manual_seed(0))
