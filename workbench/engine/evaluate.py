"""The network's loss and accuracy on a whole split."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch.nn.functional import cross_entropy

from workbench.engine.build import Build


@torch.no_grad()
def evaluate(build: Build, split: str) -> tuple[float, float]:
    """Mean cross-entropy (nats, without label smoothing) and accuracy (0–1) on ``"validation"`` or ``"test"``.

    Everything stays on the device until the end; the model is left in the mode in which it was.
    """
    sums = torch.zeros(2, dtype=torch.float64, device=build.device)
    predict = build.forward
    for wrap in build.slots.functions("prediction"):
        predict = wrap(predict)
    training = build.model.training
    build.model.eval()
    try:
        with build.slots.only("evaluation weights", nullcontext)(build.model):
            for batch in build.evaluation[split]:
                logits = predict(build.plain(batch.images)).float()
                sums[0] += cross_entropy(logits, batch.labels, reduction="sum")
                sums[1] += (logits.argmax(dim=1) == batch.labels).sum()
    finally:
        build.model.train(training)
    count = len(build.evaluation[split])
    loss, correct = (sums / count).tolist()
    return loss, correct
