"""Will the training fit into the device's memory?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result, not_judged
from workbench.recipe.cards import parameter

if TYPE_CHECKING:
    from workbench.engine.build import Build


class Memory(Check):
    """Estimate what a step needs, before it fails: activations of a batch, weights, gradients, optimizer state.

    Activations are counted on a copy without memory, layer by layer; what cuDNN takes for itself and what lies between
    the blocks of an allocator is not in it.
    """

    name = "memory"
    title = "memory"
    when = "before"
    rank = 70

    full: float = parameter(0.9, gt=0, le=1, description="share of the free memory from which on it is tight")

    def examine(self, build: Build) -> Result:
        """A network whose activations cannot be counted is not judged."""
        need = needed_bytes(build)
        if need is None:
            return not_judged("what this network keeps for its gradients cannot be counted on a copy without memory")
        free = free_bytes(build)
        expected, found = f"≤ {_gib(free)} free on {build.device}", f"about {_gib(need)}"
        if need <= self.full * free:
            return Result("pass", expected, found, "a batch of this size fits")
        size = build.recipe.data.batch_size
        reason = f"a step with {size:,} images needs {'more than' if need > free else 'nearly all of what'} is free"
        fits = max(1, int(size * self.full * free / need))
        advice = f"set data.batch_size to {1 << (fits.bit_length() - 1)}, or choose another device"
        return Result("fail" if need > free else "warn", expected, found, reason, advice)


def needed_bytes(build: Build) -> int | None:
    """What a training step needs beyond the build as it stands; None where activations cannot be counted."""
    import torch

    from workbench.engine.cost import saved_bytes

    channels, height, width = build.dataset.shape
    activations = saved_bytes(build.model, build.dataset.shape)
    if activations is None:
        return None
    probe = torch.zeros(1, device=build.device)
    with torch.no_grad(), build.precision.autocast():
        halved = (probe[None] @ probe[None]).element_size() < 4
    halved = halved or next(build.model.parameters()).element_size() < 4
    weights = sum(p.numel() * p.element_size() for p in build.model.parameters() if p.requires_grad)
    batch = min(build.recipe.data.batch_size, len(build.training))
    images = channels * height * width * 5  # the batch as uint8 and as fp32
    return 3 * weights + batch * (activations // (2 if halved else 1) + images)  # gradients, two moments


def free_bytes(build: Build) -> int:
    """What the device has left for this process."""
    if build.device.type == "cuda":
        import torch

        free, _ = torch.cuda.mem_get_info(build.device)
        cached = torch.cuda.memory_reserved(build.device) - torch.cuda.memory_allocated(build.device)
        return int(free) + cached
    import psutil

    return int(psutil.virtual_memory().available)


def _gib(count: float) -> str:
    return f"{count / 2**30:.2f} GiB" if count < 10 * 2**30 else f"{count / 2**30:,.0f} GiB"
