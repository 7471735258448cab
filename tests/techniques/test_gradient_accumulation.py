"""A batch in parts gives the gradient of the whole, also with the techniques that wrap it or change its loss."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.engine.conftest import Make
from workbench.engine.build import Build
from workbench.engine.compilation import Compute
from workbench.engine.train import batches, one_step
from workbench.engine.train_state import TrainState


def gradients(built: Build) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    """Loss, logits and gradients of a first step."""
    found: list[torch.Tensor] = []
    gradients: list[torch.Tensor] = []

    def heard(compute: Compute, model: nn.Module) -> Compute:
        def computed(images: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            found.extend(compute(images, targets))
            return found[0], found[1]

        return computed

    built.hooks.gradient.add(heard, rank=1000, name="heard")
    built.hooks.gradient_edits.add(lambda weights: gradients.extend(w.grad for w in weights if w.grad is not None))
    built.model.train()
    state = TrainState.of(built)
    batch, context = next(batches(state))
    one_step(state)(*built.training_inputs(batch, context), batch.labels, context)
    return found[0], found[1], gradients


@pytest.mark.parametrize("other", ["", "loss_sum", "mixup", "label_smoothing", "sam"])
@pytest.mark.parametrize("size", [16, 24, 64, 100])  # 64 images: four parts, an uneven last one, one part
def test_gradients_are_those_of_the_whole_batch(make: Make, size: int, other: str) -> None:
    extra = (f"techniques.gradient_accumulation.micro_batch_size={size}", "techniques.batch_norm.enabled=false")
    others = (other,) if other else ()
    whole = gradients(make(*others, extra=extra[1:]))
    parts = gradients(make("gradient_accumulation", *others, extra=extra))
    assert whole[0] == pytest.approx(float(parts[0]), rel=1e-5)
    assert whole[1].shape == parts[1].shape
    assert torch.allclose(whole[1], parts[1], rtol=1e-4, atol=1e-5)
    assert len(whole[2]) == len(parts[2]) > 0
    for a, b in zip(whole[2], parts[2], strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-6 + 1e-4 * float(a.abs().max()))


def test_norms_see_each_part_by_itself(make: Make) -> None:
    built = make("gradient_accumulation", extra=("techniques.gradient_accumulation.micro_batch_size=16",))
    norm = next(m for m in built.model.modules() if isinstance(m, torch.nn.BatchNorm2d))
    gradients(built)
    assert int(norm.num_batches_tracked) == 4  # type: ignore[arg-type]
