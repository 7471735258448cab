"""Will the training fit into the device's memory?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result, not_judged
from workbench.recipe.execution import part_setting
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.engine.build import Build


class Memory(Check):
    """Estimate what a step needs, before it fails.

    On a GPU, two small batches are trained on a second build, and what they take is reckoned up to a whole one:
    gradients, activations, optimizer state and its copies, averages, evaluation and, where steps are recorded, what the
    graph keeps. Neither the CUDA context is in it, which what is free is without, nor what cuDNN takes while it tries
    its algorithms. On a CPU, activations are counted on a copy.
    """

    name = "memory"
    title = "memory"
    when = "before"
    rank = 70

    full: float = parameter(0.9, gt=0, le=1, description="share of the free memory from which on it is tight")

    def examine(self, build: Build) -> Result:
        """A network whose activations cannot be counted is not judged."""
        need = needed(build)
        if need is None:
            return not_judged("what this network keeps for its gradients cannot be counted on a copy without memory")
        free = free_bytes(build)
        expected, found = f"≤ {_gib(free)} free on {build.device}", f"about {_gib(need.total)}"
        if need.total <= self.full * free:
            return Result("pass", expected, found, "a batch of this size fits")
        size = build.recipe.data.batch_size
        over = need.total > free
        reason = f"a step with {size:,} images needs {'more than' if over else 'nearly all of what'} is free"
        return Result("fail" if over else "warn", expected, found, reason, _advice(build, need, self.full * free))


@dataclass(frozen=True)
class Need:
    """Bytes that a training needs beyond its build as it stands. image: what of it each of a batch's images adds."""

    total: int
    image: float
    batch: int


def _advice(build: Build, need: Need, room: float) -> str:
    """What to do where there is less room than is needed."""
    fits = need.batch - int((need.total - room) / need.image) - 1 if need.image > 0 else 0
    if fits >= 1:
        return f"set data.batch_size to {1 << (fits.bit_length() - 1)}, or choose another device"
    if (parts := part_setting(build.recipe)) is not None and parts[1] > 1:
        return f"set {parts[0]} to {parts[1] // 2}, or choose another device"
    return "choose another device, or make the network smaller"


def needed(build: Build) -> Need | None:
    """What a training needs beyond the build as it stands; None where activations cannot be counted."""
    batch = min(build.recipe.data.batch_size, len(build.training))
    if build.device.type == "cuda":
        from workbench.engine.footprint import footprint

        if (found := footprint(build)) is not None:
            return Need(found.total, found.image, batch)
    counted = _counted(build, batch)
    return None if counted is None else Need(*counted, batch)


def _counted(build: Build, batch: int) -> tuple[int, float] | None:
    """Bytes of weights' gradients, two moments and a batch's activations, and those of an image."""
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
    image = activations // (2 if halved else 1) + channels * height * width * 5  # as uint8 and as fp32
    return 3 * weights + batch * image, float(image)


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
