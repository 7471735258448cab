"""Where a step went wrong: the same batch once more, with a look at every layer."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from workbench.engine.build import Build
from workbench.tensors import gradient_norm


@dataclass(frozen=True)
class Finding:
    """What was not finite, in which module, on which training images.

    images, targets: the batch as the network met it; places: int64 ``[N]``, where it stands in the training split.
    """

    what: str
    layer: str
    reason: str
    images: Tensor = field(repr=False)
    targets: Tensor = field(repr=False)
    places: Tensor = field(repr=False)

    @property
    def indices(self) -> tuple[int, ...]:
        """The places as plain numbers."""
        return tuple(self.places.tolist())


def replay(build: Build, step: int, *, scaled_out: bool) -> Finding:
    """Repeat a step's forward and backward pass on a copy of the model and name the first thing that is not finite.

    The model must hold the weights from before that step, which the guard sees to. ``scaled_out``: the loss scaler
    gave up.
    """
    context = build.context(step)
    batch = build.pipeline.batch(context.epoch, step % build.steps_per_epoch)
    images, targets = build.training_inputs(batch, context)
    finding = partial(Finding, images=images, targets=targets, places=batch.indices)
    where = f"step {step + 1} (epoch {context.epoch + 1})"
    if not _finite(images):
        return finding("input", "input", f"the images of {where} are not finite before they meet the network")
    model = copy.deepcopy(build.model)
    model.train()
    outputs: list[tuple[str, bool]] = []
    hooks = [
        module.register_forward_hook(_watch(name, outputs))
        for name, module in model.named_modules()
        if not list(module.children())
    ]
    logits = build.forward(images, model)
    for hook in hooks:
        hook.remove()
    loss = build.criterion(logits, targets)
    layer = next((name for name, finite in outputs if not finite), "")
    advice = "lower the learning rate, warm up, or clip gradients"
    if layer:
        return finding("loss", layer, f"the output of '{layer}' is not finite at {where}; {advice}")
    if not _finite(loss):
        return finding("loss", "criterion", f"the loss is not finite at {where} though all layers are; {advice}")
    scale = build.precision.scaler.get_scale()
    (build.objective(loss) * scale).backward()  # type: ignore[no-untyped-call]
    for name, module in reversed(list(model.named_modules())):
        for weight in module.parameters(recurse=False):
            if weight.grad is not None and not _finite(weight.grad):
                what = "loss scale" if scaled_out else "gradient"
                text = f"the gradient of '{name}' is not finite at {where}"
                text += f", with the loss scale down at {scale:g}" if scaled_out else ""
                return finding(what, name, f"{text}; {advice}")
    norm = gradient_norm([weight.grad for weight in model.parameters() if weight.grad is not None])
    if not _finite(norm):
        text = f"the gradients at {where} are so large that their norm is not finite"
        return finding("gradient", "all layers", f"{text}; {advice}")
    return finding("gradient", "unknown", f"a non-finite number at {where} did not come back when replayed")


def _watch(name: str, outputs: list[tuple[str, bool]]) -> object:
    def hook(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            outputs.append((name, _finite(output)))

    return hook


def _finite(x: Tensor) -> bool:
    return bool(torch.isfinite(x.detach()).all())
