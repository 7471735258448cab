"""What techniques put into networks, and where."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import pytest
import torch
import torchvision.ops
from torch import Tensor, nn

from workbench.models import layers as layer_kinds
from workbench.models.base import ModelOptions
from workbench.models.cnn import CNN
from workbench.models.layers import Blur, Pair
from workbench.models.layers.surgery import channels_out, replace_modules
from workbench.models.resnet import ResNet
from workbench.models.vgg import VGG
from workbench.techniques.activation import Activation
from workbench.techniques.blurpool import blurpool
from workbench.techniques.dropout import Dropout
from workbench.techniques.dropout2d import Dropout2d
from workbench.techniques.logit_scale import LogitScale
from workbench.techniques.squeeze_excite import SqueezeExcite
from workbench.techniques.stochastic_depth import StochasticDepth, drop_rates

OPTIONS = ModelOptions(norm2d=nn.BatchNorm2d, norm1d=nn.BatchNorm1d, residual=True)
SHAPE = (3, 32, 32)


def networks() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    return {
        "cnn": CNN(widths=(8, 16), depth=1, hidden=(32, 24)).build(SHAPE, 10, OPTIONS),
        "resnet": ResNet(channels=(16, 32), blocks=(2, 1)).build(SHAPE, 10, OPTIONS),
        "vgg": VGG(widths=(8, 16, 16, 32)).build(SHAPE, 10, OPTIONS),
    }


def kinds(model: nn.Module) -> Counter[str]:
    return Counter(type(module).__name__ for module in model.modules())


def images(count: int = 4) -> Tensor:
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("function", ["celu", "gelu", "silu", "relu"])
@pytest.mark.parametrize("name", ["cnn", "resnet", "vgg"])
def test_every_relu_becomes_another_activation(name: str, function: str) -> None:
    before = kinds(networks()[name])["ReLU"]
    model = Activation(function=function, alpha=0.075)._replace(networks()[name])  # type: ignore[arg-type]
    kind = {"celu": "CELU", "gelu": "GELU", "silu": "SiLU", "relu": "ReLU"}[function]
    assert before > 0
    assert kinds(model)[kind] == before
    assert function == "relu" or kinds(model)["ReLU"] == 0
    assert all(m.alpha == 0.075 for m in model.modules() if isinstance(m, nn.CELU))


def test_dropout_stands_before_every_fully_connected_layer_but_the_first() -> None:
    model = Dropout(rate=0.5)._insert(networks()["cnn"])
    order = [type(m).__name__ for m in model.modules() if isinstance(m, nn.Linear | nn.Dropout)]
    assert order == ["Linear", "Dropout", "Linear", "Dropout", "Linear"]
    assert [type(m).__name__ for m in Dropout()._insert(networks()["resnet"]).output] == ["Dropout", "Linear"]  # type: ignore[union-attr]


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    model = Dropout(rate=0.3)._insert(nn.Sequential(nn.Linear(4000, 1)))
    (layer,) = [m for m in model.modules() if isinstance(m, nn.Dropout)]
    torch.manual_seed(0)
    out = layer.train()(torch.ones(10, 4000))
    # 40,000 draws: a standard deviation of 0.0023
    assert abs(float((out == 0).float().mean()) - 0.3) < 0.01
    assert float(out.max()) == pytest.approx(1 / 0.7)


def test_dropout2d_ends_every_block() -> None:
    for name, blocks in (("cnn", 2), ("resnet", 2), ("vgg", 3)):
        model = Dropout2d(rate=0.25)._append(networks()[name])
        assert kinds(model)["Dropout2d"] == blocks
        parts = [part for part in model.children() if kinds(part)["Dropout2d"]]
        assert all(isinstance(list(part.children())[-1], nn.Dropout2d) for part in parts)


def test_depth_rates_are_the_papers() -> None:
    assert drop_rates(4, 0.2) == pytest.approx([0.05, 0.1, 0.15, 0.2])
    assert drop_rates(3, 0.2, "uniform") == [0.2, 0.2, 0.2]


def test_a_left_out_block_is_its_skip_connection() -> None:
    model = StochasticDepth(rate=1.0, rule="uniform")._edit(networks()["resnet"])
    pairs = [m for m in model.modules() if isinstance(m, Pair)]
    assert len(pairs) == 3
    pair = pairs[1].train()
    x = torch.rand(4, 16, 8, 8)
    assert torch.equal(pair(x), x)
    assert not torch.equal(pair.eval()(x), x)


def test_images_are_left_out_one_by_one_and_the_mean_stays() -> None:
    model = StochasticDepth(rate=0.4, rule="uniform")._edit(networks()["resnet"])
    layer = next(m for m in model.modules() if isinstance(m, Pair)).branch.stochastic_depth
    torch.manual_seed(0)
    out = layer.train()(torch.ones(5000, 1, 2, 2))
    kept = out.flatten(1).amax(1)
    assert sorted(set(kept.tolist())) == pytest.approx([0, 1 / 0.6])
    assert torch.equal(out.flatten(1).amin(1), kept)
    assert abs(float((kept == 0).float().mean()) - 0.4) < 0.03


@pytest.mark.parametrize(("name", "places"), [("cnn", 2), ("resnet", 3), ("vgg", 3)])
def test_squeeze_and_excitation_weighs_channels(name: str, places: int) -> None:
    model = SqueezeExcite(ratio=4, minimum=2)._append(networks()[name])
    layers = [m for m in model.modules() if isinstance(m, layer_kinds.SqueezeExcite)]
    assert len(layers) == places
    layer = layers[0]
    width = layer.excite.out_channels
    assert layer.squeeze.out_channels == max(2, width // 4)
    x = torch.rand(2, width, 5, 5)
    factors = (layer(x) / x).detach()
    assert float(factors.amin()) >= 0
    assert float(factors.amax()) <= 1
    assert float((factors - factors[:, :, :1, :1]).abs().max()) < 1e-6
    assert model(images()).shape == (4, 10)


def test_squeeze_and_excitation_is_torchvisions() -> None:
    ours, reference = layer_kinds.SqueezeExcite(16, 4), torchvision.ops.SqueezeExcitation(16, 4)
    for mine, theirs in zip(ours.parameters(), reference.parameters(), strict=True):
        theirs.data.copy_(mine.data)
    x = torch.randn(3, 16, 7, 5)
    assert torch.allclose(ours(x), reference(x), atol=1e-6)


@pytest.mark.parametrize("per", ["image", "batch"])
@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_stochastic_depth_is_torchvisions(rate: float, per: Literal["image", "batch"]) -> None:
    x = torch.randn(64, 4, 3, 3)
    torch.manual_seed(1)
    ours = layer_kinds.StochasticDepth(rate, per)(x)
    torch.manual_seed(1)
    reference = torchvision.ops.stochastic_depth(x, rate, "row" if per == "image" else "batch")
    assert torch.allclose(ours, reference)


@pytest.mark.parametrize("stride", [1, 2])
def test_blur_is_the_binomial_kernel(stride: int) -> None:
    x = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(0))
    one = torch.tensor([1.0, 2.0, 1.0])
    kernel = (one[:, None] * one[None, :] / 16).expand(3, 1, 3, 3)
    expected = nn.functional.conv2d(nn.functional.pad(x, (1, 1, 1, 1), mode="reflect"), kernel, stride=stride, groups=3)
    assert torch.allclose(Blur(stride)(x), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["cnn", "resnet", "vgg"])
def test_blurpool_keeps_shapes_and_steadies_the_answer(name: str) -> None:
    plain = networks()[name]
    plain.train()
    for _ in range(3):
        plain(images(64))
    shapes = []
    hooks = [m.register_forward_hook(lambda m, i, o: shapes.append(o.shape)) for m in plain.children()]
    plain.eval()(images())
    for hook in hooks:
        hook.remove()
    expected = list(shapes)
    shapes.clear()
    blurred = blurpool(networks()[name])
    for m in blurred.children():
        m.register_forward_hook(lambda m, i, o: shapes.append(o.shape))
    blurred.eval()(images())
    assert shapes == expected
    assert kinds(blurred)["Blur"] > 0


def test_a_shift_by_one_pixel_changes_a_blurred_pooling_less() -> None:
    x = torch.randn(16, 8, 32, 32, generator=torch.Generator().manual_seed(0))
    pool = nn.Sequential(nn.MaxPool2d(2))
    blurred = blurpool(nn.Sequential(nn.MaxPool2d(2)))

    def change(layer: nn.Module) -> float:
        there, here = layer(x.roll(1, -1))[..., 2:-2], layer(x)[..., 2:-2]
        return float((there - here).norm() / here.std())

    assert change(blurred) < 0.7 * change(pool)


def test_blurpool_refuses_a_network_that_never_halves() -> None:
    with pytest.raises(ValueError, match="nothing in this model halves"):
        blurpool(nn.Sequential(nn.Conv2d(3, 3, 3)))


@pytest.mark.parametrize("name", ["cnn", "resnet", "vgg"])
def test_logits_are_scaled(name: str) -> None:
    x = images()
    plain = networks()[name].eval()(x)
    scaled = LogitScale(scale=0.125)._append(networks()[name]).eval()(x)
    assert torch.equal(scaled, plain * 0.125)


def test_a_module_in_two_places_is_replaced_once() -> None:
    shared = nn.ReLU()
    model = nn.Sequential(shared, nn.Sequential(shared))
    assert replace_modules(model, lambda m: isinstance(m, nn.ReLU), lambda m: nn.GELU()) == 1
    assert model[0] is model[1][0]  # type: ignore[index]


def test_a_part_without_convolutions_has_no_channels() -> None:
    with pytest.raises(ValueError, match="no convolution"):
        channels_out(nn.Linear(3, 3))
