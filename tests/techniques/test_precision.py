"""16-bit weights, summed losses, small images first, frozen parts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import interpolate

from tests.engine.conftest import run, weights
from tests.techniques.table import refusal, trial
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import build
from workbench.engine.train import train
from workbench.events import Trained
from workbench.techniques.freeze_layers import frozen_parts
from workbench.techniques.progressive_resizing import ProgressiveResizing, resize
from workbench.tensors import gradient_norm


@pytest.mark.slow
@pytest.mark.parametrize("norms_in_fp32", [True, False])
def test_weights_and_state_are_16_bits(tmp_path: Path, norms_in_fp32: bool) -> None:
    extra = (f"techniques.half_weights.norms_in_fp32={str(norms_in_fp32).lower()}", "train.epochs=0.2")
    built = build(trial("half_weights", extra=extra), "cpu", tmp_path)
    run(built)
    for module in built.model.modules():
        norm = isinstance(module, torch.nn.modules.batchnorm._NormBase)
        for value in [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            if value.is_floating_point():
                assert value.dtype == (torch.float32 if norm and norms_in_fp32 else torch.float16)
    assert {s["momentum_buffer"].dtype for s in built.optimizer.state.values()} <= {torch.float16, torch.float32}
    assert built.forward(built.plain(built.training.images(torch.arange(2)))).dtype == torch.float16


def test_adam_in_fp16_weights_is_refused_with_the_reason() -> None:
    assert "underflow" in (refusal("half_weights", "adamw") or "")
    trial("half_weights", "adamw", extra=("techniques.half_weights.dtype=bf16",))


def test_a_gradient_norm_beyond_fp16s_range_is_finite() -> None:
    gradients = [torch.full((100, 100), 1000.0, dtype=torch.float16), torch.full((3,), 4.0)]
    assert float(gradient_norm(gradients)) == pytest.approx((1e4 * 1e6 + 48) ** 0.5, rel=1e-4)


@pytest.mark.parametrize(("optimizer", "steps"), [("sgd", 5), ("muon", 1)])  # muon makes rounding errors large
def test_a_summed_loss_trains_like_a_mean(tmp_path: Path, optimizer: str, steps: int) -> None:
    decay = "techniques.sgd.weight_decay=0.01" if optimizer == "sgd" else "techniques.muon.sgd_weight_decay=0.01"
    settings = (decay, "techniques.sgd.momentum=0.9", "train.log_every=1")
    mean = build(trial(optimizer, extra=settings), "cpu", tmp_path)
    summed = build(trial(optimizer, "loss_sum", extra=settings), "cpu", tmp_path)
    rates = []
    for built in (mean, summed):
        with backend(built.recipe):
            for event in train(built, Control()):
                if isinstance(event, Trained):
                    rates.append((event.step, event.learning_rate))
                if isinstance(event, Trained) and event.step == steps:
                    break
    assert rates[:steps] == rates[steps:]  # the rate that the recipe states is the rate that is shown
    for name, value in weights(mean).items():
        assert torch.allclose(value, weights(summed)[name], rtol=1e-3, atol=1e-4), name
    assert [group["lr"] for group in summed.optimizer.param_groups] == pytest.approx(
        [0.05 / 64] if optimizer == "sgd" else [0.1, 0.05 / 64]
    )


def test_images_grow_to_full_size() -> None:
    technique = ProgressiveResizing(initial_scale=0.5, delay=0.25, finetune=0.25, multiple_of=4)
    scales = [technique.scale(progress) for progress in (0, 0.25, 0.5, 0.75, 0.99)]
    assert scales == pytest.approx([0.5, 0.5, 0.75, 1, 1])
    x = torch.randn(2, 3, 32, 24)
    assert resize(x, 0.5, 4).shape == (2, 3, 16, 12)
    assert resize(x, 0.9, 4).shape == (2, 3, 28, 20)
    assert resize(x, 0.01, 4).shape == (2, 3, 4, 4)
    assert resize(x, 1.0, 4) is x
    expected = interpolate(x, size=(16, 12), mode="bilinear", align_corners=False, antialias=True)
    assert torch.equal(resize(x, 0.5, 4), expected)
    assert ProgressiveResizing(delay=0.5, finetune=0.5).scale(0.5) == 1
    assert ProgressiveResizing(delay=0.5, finetune=0.5).scale(0.49) == 0.75


def test_parts_freeze_from_the_first_on_and_the_last_never() -> None:
    found = [frozen_parts(progress, 5, 0.5, 1.0) for progress in (0, 0.49, 0.5, 0.625, 0.75, 0.99)]
    assert found == [0, 0, 0, 1, 2, 4]
    assert frozen_parts(0.999, 1, 0.0, 1.0) == 0


def test_a_frozen_part_stays_as_it_is(tmp_path: Path) -> None:
    extra = ("techniques.freeze_layers.start=0", "train.epochs=4", "techniques.sgd.weight_decay=0.01")
    built = build(trial("freeze_layers", extra=extra), "cpu", tmp_path)
    per_epoch = built.steps_per_epoch
    seen = {}

    def remember(event: object) -> None:
        if isinstance(event, Trained):
            seen[event.step] = weights(built)

    run(built, on_event=remember)
    frozen = [name for name, p in built.model.named_parameters() if not p.requires_grad]
    assert {name.split(".")[0] for name in frozen} == {"block1", "block2"}
    assert not any(name.startswith("output") for name in frozen)
    last = [step for step in seen if step > 3 * per_epoch]
    assert all(torch.equal(seen[last[0]][name], seen[last[-1]][name]) for name in frozen)
    moved = [name for name, p in built.model.named_parameters() if p.requires_grad]
    assert not any(torch.equal(seen[last[0]][name], seen[last[-1]][name]) for name in moved)
