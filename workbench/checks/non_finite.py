"""Were loss and gradients finite?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, CheckObserver, Result
from workbench.storage.atomic import written_aside

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.engine.build import Build
    from workbench.engine.replay import Finding
    from workbench.events import Trained

FILE = "bad_batch.safetensors"


class NonFinite(Check):
    """Loss and gradients are finite in every step; where they are not, the layer is named and the batch is kept.

    The guard on the device masks the update, so the weights stay those before the bad step. ``bad_batch.safetensors``
    in the run's directory has the images as the network met them, their targets and their places in the training split.
    """

    name = "non_finite"
    title = "finite numbers"
    when = "during"
    rank = 0

    def watch(self, build: Build) -> CheckObserver:
        """The guard watches; this says what it saw."""
        return _FiniteObserver()


class _FiniteObserver(CheckObserver):
    def judge(self, trained: Trained) -> Result | None:
        return Result("pass", "finite loss and gradients", "all finite", "every update counted")

    def diverged(self, finding: Finding, folder: Path | None) -> Result | None:
        reason, _, advice = finding.reason.partition("; ")
        if folder is not None:
            save_batch(finding, folder / FILE)
            advice = "; ".join(part for part in (advice, f"the batch is in {FILE}") if part)
        found = f"{finding.what} not finite in {finding.layer or 'no layer'}"
        return Result("fail", "finite loss and gradients", found, reason, advice)


def save_batch(finding: Finding, path: Path) -> None:
    """The batch as a safetensors file: images, targets and indices."""
    from safetensors.torch import save_file

    tensors = {"images": finding.images, "targets": finding.targets, "indices": finding.places}
    metadata = {"what": finding.what, "layer": finding.layer, "reason": finding.reason}
    with written_aside(path) as partial:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, partial, metadata)
