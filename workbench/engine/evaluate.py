"""The network's loss and accuracy on a whole split."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workbench.data.pipeline import EvaluationSet
from workbench.engine.build import Build
from workbench.step import Batch

Hear = Callable[[Batch, Tensor], object]
"""Hears each batch and its logits in fp32."""


def nobody(batch: Batch, logits: Tensor) -> None:
    """Hears nothing."""


def evaluate(build: Build, split: str, hear: Hear = nobody) -> tuple[float, float]:
    """:func:`score` on ``"validation"`` or ``"test"``."""
    return score(build, build.evaluation[split], hear)


@torch.no_grad()
def score(build: Build, images: EvaluationSet, hear: Hear = nobody) -> tuple[float, float]:
    """Mean cross-entropy (nats, without label smoothing) and accuracy (0–1) on some images.

    Everything stays on the device until the end; the model is left in the mode in which it was.
    """
    sums = torch.zeros(2, dtype=torch.float64, device=build.device)
    predict = build.forward
    for wrap in build.slots.functions("prediction"):
        predict = wrap(predict)
    training = build.model.training
    build.model.eval()
    try:
        with images.fits(), build.slots.only("evaluation weights", nullcontext)(build.model):
            for batch in images:
                logits = predict(build.plain(batch.images)).float()
                sums[0] += cross_entropy(logits, batch.labels, reduction="sum")
                sums[1] += (logits.argmax(dim=1) == batch.labels).sum()
                hear(batch, logits)
    finally:
        build.model.train(training)
    loss, correct = (sums / len(images)).tolist()
    return loss, correct
