"""A few steps of training on copies, after which the build is as it was."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from workbench import torch_compat
from workbench.engine.build import Build, make_optimizer
from workbench.tensors import gradient_norm


class DryRun:
    """A copy of a build's untrained network with a new optimizer of its recipe, in fp32 whatever the precision.

    fp32, because a fresh loss scaler would need steps of its own and a CPU without fp16 takes minutes for it. What
    wraps the gradient computation (SAM) and what comes after a step (averages) are left out.
    """

    def __init__(self, build: Build) -> None:
        self.build = build
        self.model = copy.deepcopy(build.model).float().train()
        self.optimizer, _, self._base = make_optimizer(build.hooks, self.model)

    @property
    def rate(self) -> float:
        """The first parameter group's rate as the recipe states it."""
        return self._base[0]

    def step(self, step: int, factor: float) -> float:
        """Train on the batch of a step of the run with every group's rate times ``factor``; its loss in nats."""
        build, context = self.build, self.build.context(min(step, self.build.steps - 1))
        batch = build.pipeline.batch(step // build.steps_per_epoch, step % build.steps_per_epoch)
        images, targets = build.training_inputs(batch, context)
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        loss = build.criterion(self.model(images.float()), targets)
        build.objective(loss).backward()  # type: ignore[no-untyped-call]
        for edit in build.hooks.gradient_edits:
            edit(parameters)
        norm = gradient_norm([p.grad for p in parameters if p.grad is not None])
        for group, base in zip(self.optimizer.param_groups, self._base, strict=True):
            group["lr"] = base * factor
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(loss.detach() + 0 * norm)  # not finite where the gradient is not


def memorise(model: nn.Module, images: Tensor, labels: Tensor, steps: int, rate: float, goal: float) -> list[float]:
    """Train a copy of a network on one batch by Adam, with nothing random or regularising; the losses before each step.

    Norms use the batch's statistics, all other layers behave as in evaluation (no dropout). Ends early below ``goal``
    nats. images: float ``[N, C, H, W]``; labels: int64 ``[N]``.
    """
    copied = copy.deepcopy(model).float().eval()
    for module in copied.modules():
        if isinstance(module, torch_compat.NORM):
            module.train()
    weights = [p for p in copied.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(weights, rate)
    losses: list[float] = []
    for _ in range(steps):
        loss = cross_entropy(copied(images.float()).float(), labels)
        losses.append(float(loss.detach()))
        if not losses[-1] >= goal:
            break
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return losses
