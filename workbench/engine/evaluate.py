"""The network's loss and accuracy on a whole split."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from workbench.data.pipeline import EvaluationSet
from workbench.engine.build import Build
from workbench.engine.train_state import no_room
from workbench.out_of_memory import TooLarge, because_of
from workbench.registered import no_hooks_fault
from workbench.step import Batch

Predict = Callable[[Tensor], Tensor]
Hear = Callable[[Batch, Tensor], object]
"""Hears each batch and its logits in fp32."""


def nobody(batch: Batch, logits: Tensor) -> None:
    """Hears nothing."""


def evaluate(
    build: Build, split: str, hear: Hear = nobody, make_room: Callable[[], bool] = no_room
) -> tuple[float, float]:
    """:func:`score` on ``"validation"`` or ``"test"``."""
    return score(build, build.evaluation[split], hear, make_room)


@torch.no_grad()
def score(
    build: Build, images: EvaluationSet, hear: Hear = nobody, make_room: Callable[[], bool] = no_room
) -> tuple[float, float]:
    """Mean cross-entropy (nats, without label smoothing) and accuracy (0–1) on some images.

    Everything stays on the device until the end; the model is left in the mode in which it was. Batches that are too
    large for the memory become smaller ones. Raises TooLarge where a single image is.
    """
    sums = torch.zeros(2, dtype=torch.float64, device=build.device)
    predict: Predict = no_hooks_fault(build.forward) if len(build.hooks.prediction) else build.forward
    for wrap in build.hooks.prediction:
        predict = wrap(predict)
    training = build.model.training
    build.model.eval()
    try:
        with build.hooks.evaluation_weights(build.model):
            for batch, logits in _answers(build, images, predict, make_room):
                sums[0] += cross_entropy(logits, batch.labels, reduction="sum")
                sums[1] += (logits.argmax(dim=1) == batch.labels).sum()
                hear(batch, logits)
    finally:
        build.model.train(training)
    loss, correct = (sums / len(images)).tolist()
    return loss, correct


def _answers(
    build: Build, images: EvaluationSet, predict: Predict, make_room: Callable[[], bool]
) -> Iterator[tuple[Batch, Tensor]]:
    """Each batch with its logits in fp32."""
    start = 0
    while start < len(images):
        try:
            with because_of("data.eval_batch_size", images.batch_size):
                batch = images.batch(start)
                logits = predict(build.plain(batch.images)).float()
        except TooLarge:
            if make_room():
                continue
            if images.batch_size == 1:
                raise
            images.batch_size //= 2
            continue
        yield batch, logits
        start += len(batch.labels)
