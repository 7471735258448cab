"""Initialisation and decay groups."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tests.engine.conftest import Make, run
from workbench.models.base import ModelOptions
from workbench.models.resnet import ResNet
from workbench.optimizers.parameter_groups import parameter_groups
from workbench.techniques.dirac_init import dirac_init
from workbench.techniques.he_init import he_init


@pytest.mark.parametrize("fan", ["in", "out"])
def test_he_initialisation_has_the_papers_variance(fan: str) -> None:
    model = nn.Sequential(
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Flatten(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10)
    )
    torch.manual_seed(0)
    he_init(model, fan=fan)  # type: ignore[arg-type]
    fans = {"in": (32 * 9, 512, 256), "out": (64 * 9, 256, 10)}[fan]
    for layer, size in zip((model[0], model[3], model[5]), fans, strict=True):
        assert float(layer.weight.detach().std()) == pytest.approx(math.sqrt(2 / size), rel=0.05)
        assert float(layer.bias.detach().abs().max()) == 0


def test_the_output_layer_can_be_left_alone() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
    before = model[1].weight.clone()
    he_init(model, output_layer=False)
    assert torch.equal(model[1].weight, before)


def test_norms_and_biases_are_told_by_type_and_spared() -> None:
    options = ModelOptions(norm2d=nn.BatchNorm2d, norm1d=nn.BatchNorm1d, residual=True)
    model = ResNet().build((3, 32, 32), 10, options)
    decayed, spared = parameter_groups(model, 0.05, spare="norms_and_biases")
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.05, 0.0)
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim == 1 for p in spared["params"])
    assert len(decayed["params"]) + len(spared["params"]) == len(list(model.parameters()))
    decayed, spared = parameter_groups(model, 0.05, spare="biases")
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {id(p) for p in spared["params"]} == {id(m.bias) for m in [*norms, model.output]}
    assert {id(m.weight) for m in norms} <= {id(p) for p in decayed["params"]}
    (everything,) = parameter_groups(model, 0.05, spare="nothing")
    assert len(everything["params"]) == len(list(model.parameters()))


@pytest.mark.parametrize(("before", "after"), [(3, 8), (8, 8), (8, 3)])
def test_dirac_initialisation_is_torchs_on_the_first_filters(before: int, after: int) -> None:
    ours = nn.Conv2d(before, after, (3, 5), bias=False)
    theirs = nn.Conv2d(before, after, (3, 5), bias=False)
    theirs.load_state_dict(ours.state_dict())
    dirac_init(ours)
    nn.init.dirac_(theirs.weight.data[: min(before, after)])
    assert torch.equal(ours.weight, theirs.weight)
    x = torch.randn(2, before, 6, 7)
    seen = nn.functional.conv2d(x, ours.weight, padding=(1, 2))
    assert torch.equal(seen[:, : min(before, after)], x[:, : min(before, after)])


def test_dirac_initialisation_leaves_what_has_no_centre_alone() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 2), nn.Conv2d(4, 4, 3, groups=2), nn.Linear(4, 4))
    before = [layer.weight.clone() for layer in model]
    dirac_init(model)
    assert all(torch.equal(layer.weight, old) for layer, old in zip(model, before, strict=True))


def test_dirac_initialisation_comes_after_the_others(make: Make) -> None:
    model = make("dirac_init", "he_init").model
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    for layer in convolutions:
        count, (rows, columns) = min(layer.in_channels, layer.out_channels), layer.kernel_size
        centre = layer.weight[:count, :count, rows // 2, columns // 2]
        assert torch.equal(centre, torch.eye(count))
    assert any(float(layer.weight.detach().abs().sum()) > min(layer.weight.shape[:2]) for layer in convolutions)


def test_norms_keep_a_scale_of_one_where_it_is_not_trained(make: Make) -> None:
    built = make("freeze_layers", extra=("techniques.batch_norm.trained_scale=false",))
    norms = [m for m in built.model.modules() if isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d)]
    shifts = [norm.bias.clone() for norm in norms]
    run(built)
    assert norms
    assert all(torch.equal(norm.weight, torch.ones_like(norm.weight)) for norm in norms)
    assert all(norm.weight.grad is None and not norm.weight.requires_grad for norm in norms)
    assert not any(torch.equal(norm.bias, before) for norm, before in zip(norms, shifts, strict=True))
