"""Test-time augmentation averages the views that it says."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from tests.techniques.table import trial
from workbench.engine.build import build
from workbench.techniques.test_time_augmentation import mirrored, mirrored_and_shifted


def weigh(images: Tensor) -> Tensor:
    """A stand-in for a network whose answer depends on every pixel's place."""
    pixels = images.flatten(1)
    return torch.stack([pixels.sum(1), (pixels * torch.arange(pixels.shape[1])).sum(1)], dim=1)


def test_mirror_is_the_mean_of_two_views() -> None:
    x = torch.rand(3, 2, 6, 5)
    expected = (weigh(x) + weigh(reference.horizontal_flip(x))) / 2
    assert torch.allclose(mirrored(weigh, x), expected)


@pytest.mark.parametrize("shift", [1, 2])
def test_mirror_and_shift_is_the_weighted_mean_of_six(shift: int) -> None:
    x = torch.rand(3, 2, 6, 5)
    padded = reference.pad(x, [shift], padding_mode="reflect")
    views = [(x, 0.25)]
    views += [(reference.crop(padded, top, top, 6, 5), 0.125) for top in (0, 2 * shift)]
    expected = sum(weight * (weigh(view) + weigh(reference.horizontal_flip(view))) for view, weight in views)
    assert torch.allclose(mirrored_and_shifted(weigh, x, shift), expected, rtol=1e-5)  # type: ignore[arg-type]


def test_a_shift_as_large_as_the_image_is_refused(tmp_path: object) -> None:
    settings = (
        'techniques.test_time_augmentation.views="mirror_and_shift"',
        "techniques.test_time_augmentation.shift=40",
    )
    with pytest.raises(Exception, match="must be smaller than the image"):
        build(trial("test_time_augmentation", extra=settings), "cpu", tmp_path)  # type: ignore[arg-type]
