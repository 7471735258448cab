"""Networks have exactly the parameters that their sources count, for any image shape and class count."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from workbench.models.base import ModelOptions
from workbench.models.cnn import CNN
from workbench.models.resnet import ResNet
from workbench.models.vgg import VGG

NORMS = ModelOptions(norm2d=nn.BatchNorm2d, norm1d=nn.BatchNorm1d)
ALL = ModelOptions(norm2d=nn.BatchNorm2d, norm1d=nn.BatchNorm1d, residual=True)


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        # by hand: 896 + 18,496 + 73,856 convolutions; 2,048 · 256 + 256 and 256 · 10 + 10 linear
        (CNN(), ModelOptions(), 620_362),
        (CNN(), NORMS, 620_362 + 2 * (32 + 64 + 128 + 256)),
        # one pair a block: 2 bias-free 3×3 convolutions and 2 norms
        (CNN(depth=1), ALL, 621_322 + sum(2 * 9 * w * w + 4 * w for w in (32, 64, 128))),
        (ResNet(), ALL, 272_474),
        (ResNet(blocks=(5, 5, 5)), ALL, 466_906),
        (ResNet(channels=(64, 128, 256, 512), blocks=(2, 2, 2, 2)), ALL, 11_173_962),
    ],
)
def test_parameters_are_exact(model: CNN | ResNet, options: ModelOptions, expected: int) -> None:
    assert count(model.build((3, 32, 32), 10, options)) == expected


@pytest.mark.parametrize("options", [ModelOptions(), NORMS, ALL])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 48, 33)])
@pytest.mark.parametrize("model", [CNN(widths=(4, 8), depth=1, hidden=(8,)), ResNet(channels=(4, 8), blocks=(1, 2))])
def test_any_image_shape_and_class_count(
    model: CNN | ResNet, shape: tuple[int, int, int], options: ModelOptions
) -> None:
    logits = model.build(shape, 7, options)(torch.randn(2, *shape))
    assert logits.shape == (2, 7)


def test_a_stage_without_blocks_is_left_out() -> None:
    dreamfire = ResNet(channels=(64, 128, 256, 512), blocks=(3, 5, 3, 0)).build((3, 32, 32), 10, ALL)
    assert [name for name, _ in dreamfire.named_children()] == ["stem", "stage1", "stage2", "stage3", "pool", "output"]
    assert count(dreamfire) < 5_000_000


def test_poolings_stand_where_they_are_wanted() -> None:
    model = VGG(widths=(8, 8, 16, 16), pool_after=(1, 3)).build((3, 32, 32), 10, NORMS)
    kinds = [[type(layer).__name__ for layer in part] for part in list(model)[:-2]]  # type: ignore[call-overload]
    group = ["Conv2d", "MaxPool", "BatchNorm2d", "ReLU", "Conv2d", "BatchNorm2d", "ReLU"]
    assert kinds == [group, group]
    whole = VGG(widths=(4, 8), pool_after=()).build((3, 1, 1), 10, NORMS)
    assert whole(torch.randn(2, 3, 1, 1)).shape == (2, 10)
    with pytest.raises(ValueError, match="halves the image 2 times"):
        VGG(widths=(8, 8), pool_after=(1, 2)).build((3, 3, 32), 10, NORMS)


def test_images_that_are_too_small_are_named() -> None:
    with pytest.raises(ValueError, match="halves the image 3 times, too often for 4×32 pixels"):
        CNN().build((3, 4, 32), 10, ModelOptions())


def test_skip_connections_skip() -> None:
    plain = ResNet(channels=(4,), blocks=(1,)).build((3, 8, 8), 2, ModelOptions())
    residual = ResNet(channels=(4,), blocks=(1,)).build((3, 8, 8), 2, ModelOptions(residual=True))
    for model in (plain, residual):
        for parameter in model.stage1.parameters():  # type: ignore[union-attr]
            nn.init.zeros_(parameter)
    x = torch.randn(1, 4, 8, 8).relu()
    assert torch.equal(plain.stage1(x), torch.zeros_like(x))  # type: ignore[operator]
    assert torch.equal(residual.stage1(x), x)  # type: ignore[operator]
