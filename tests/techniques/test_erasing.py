"""Cutout and random erasing take out the rectangles that their sources define, from every image its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chi2, ks_2samp, kstest
from torch import Tensor
from torchvision.transforms import RandomErasing

from tests.techniques.table import trial
from workbench.engine.build import BuildError, build
from workbench.randomness import SampleRng
from workbench.recipe import RecipeError
from workbench.techniques.cutout import cutout
from workbench.techniques.random_erasing import random_erasing

Box = tuple[int, int, int, int]
RARE = 1e-3
"""How often a correct implementation would fail a statistical test, had the draws another seed."""


def rng(count: int, seed: int = 0, epoch: int = 0) -> SampleRng:
    return SampleRng(seed, "test", epoch, torch.arange(count))


def images(*shape: int) -> Tensor:
    """Normal numbers, none of them 0."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).clamp(min=1e-3)


def holes(count: int, h: int, w: int, **settings: object) -> Tensor:
    """int64 ``[count, 4]``: top, left, height and width of what random_erasing takes out; zeros: nothing."""
    hole = random_erasing(torch.ones(count, 1, h, w), rng(count), **settings)[:, 0] == 0  # type: ignore[arg-type]
    rows, columns = hole.any(2), hole.any(1)
    found = [rows.int().argmax(1), columns.int().argmax(1), rows.sum(1), columns.sum(1)]
    assert torch.equal(found[2] * found[3], hole.sum((1, 2)))
    return torch.stack(found, dim=1)


def holes_of_torchvision(count: int, h: int, w: int, scale: tuple[float, float], ratio: tuple[float, float]) -> Tensor:
    """The same of torchvision's RandomErasing with probability 1; where it erases nothing it names the whole image."""
    torch.manual_seed(0)
    image = torch.ones(1, h, w)
    found = [RandomErasing.get_params(image, scale, ratio, [0.0])[:4] for _ in range(count)]
    whole = (0, 0, h, w)
    return torch.tensor([(0, 0, 0, 0) if box == whole else box for box in found])


@pytest.mark.parametrize("size", [1, 3, 4])
@pytest.mark.parametrize("placement", ["clipped", "inside"])
def test_cutout_covers_every_square_equally_often(placement: str, size: int) -> None:
    h, w, count = 6, 9, 8000
    expected: list[Box] = []
    if placement == "clipped":
        for y in range(h):
            for x in range(w):
                top, left = y - size // 2, x - size // 2
                expected.append((max(top, 0), max(left, 0), min(top + size, h), min(left + size, w)))
    else:
        expected = [(y, x, y + size, x + size) for y in range(h - size + 1) for x in range(w - size + 1)]
    assert len(set(expected)) == len(expected)
    covered = cutout(torch.ones(count, 1, h, w), size, rng(count), placement=placement)[:, 0] == 0
    masks = torch.zeros(len(expected), h, w, dtype=torch.bool)
    for mask, (top, left, bottom, right) in zip(masks, expected, strict=True):
        mask[top:bottom, left:right] = True
    same = (covered.flatten(1)[:, None] == masks.flatten(1)).all(2)
    assert bool((same.sum(1) == 1).all())
    even = count / len(expected)
    assert float(((same.sum(0) - even) ** 2 / even).sum()) < chi2.ppf(1 - RARE, len(expected) - 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_cutout_covers_all_channels_and_leaves_the_rest_as_it_was(dtype: torch.dtype) -> None:
    x = images(600, 3, 12, 10).to(dtype)
    covered = cutout(x, 4, rng(600))
    assert covered.dtype == dtype
    hole = covered == 0
    assert torch.equal(hole.any(1), hole.all(1))
    assert torch.equal(covered[~hole], x[~hole])
    counts = hole[:, 0].sum((1, 2))
    assert int(counts.min()) == 4  # the centre in the top left corner leaves a quarter
    assert int(counts.max()) == 16


def test_a_square_as_large_as_the_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="must be smaller than the image"):
        build(trial("cutout", extra=("techniques.cutout.size=32",)), "cpu", tmp_path)


@pytest.mark.parametrize(
    ("h", "w", "scale", "ratio"),
    [
        (32, 32, (0.02, 0.33), (0.3, 3.3)),
        (12, 20, (0.1, 0.5), (0.5, 1.0)),
        (8, 24, (0.8, 1.0), (0.3, 3.3)),  # hardly a rectangle fits: often all ten attempts fail
    ],
)
def test_erased_rectangles_have_torchvisions_distribution(
    h: int, w: int, scale: tuple[float, float], ratio: tuple[float, float]
) -> None:
    count = 5000
    ours = holes(count, h, w, probability=1.0, scale=scale, ratio=ratio).double()
    theirs = holes_of_torchvision(count, h, w, scale, ratio).double()
    erased, expected = (ours[:, 2] > 0), (theirs[:, 2] > 0)
    if scale[0] == 0.8:
        assert 0.1 < float(expected.double().mean()) < 0.9
    share = float(torch.cat((erased, expected)).double().mean())
    error = (2 * share * (1 - share) / count) ** 0.5
    assert abs(float(erased.double().mean() - expected.double().mean())) <= 3.3 * error
    ours, theirs = ours[erased], theirs[expected]
    for column in range(4):
        assert ks_2samp(ours[:, column].numpy(), theirs[:, column].numpy()).pvalue > RARE
    assert ks_2samp((ours[:, 2] * ours[:, 3]).numpy(), (theirs[:, 2] * theirs[:, 3]).numpy()).pvalue > RARE
    # the place within the room that a rectangle leaves, whatever its size
    for side, axis in ((h, 0), (w, 1)):
        place, other = (of[:, axis] / (side - of[:, axis + 2]) for of in (ours, theirs))
        assert ks_2samp(place.numpy(), other.numpy()).pvalue > RARE


def test_a_rectangle_that_does_not_fit_gets_ten_attempts() -> None:
    count, h, w, smallest, flattest = 20_000, 8, 24, 0.8, 0.3
    random = np.random.default_rng(0)
    area = h * w * random.uniform(smallest, 1, 1_000_000)
    ratio = np.exp(random.uniform(np.log(flattest), -np.log(flattest), 1_000_000))
    fits = np.mean((np.sqrt(area * ratio).round() < h) & (np.sqrt(area / ratio).round() < w))
    expected = 1 - (1 - fits) ** 10
    ours = holes(count, h, w, probability=1.0, scale=(smallest, 1.0), ratio=(flattest, 1 / flattest))
    found = float((ours[:, 2] > 0).float().mean())
    error = 3.3 * (expected * (1 - expected) / count) ** 0.5
    assert error < (1 - fits) ** 9 * fits / 2  # else nine attempts could not be told from ten
    assert abs(found - expected) < error


def test_the_wanted_share_of_the_images_is_erased() -> None:
    assert abs(float((holes(4000, 16, 16, probability=0.3)[:, 2] > 0).float().mean()) - 0.3) < 0.025
    x = images(20, 3, 16, 16)
    assert torch.equal(random_erasing(x, rng(20), probability=0.0), x)


def test_erased_pixels_become_zero_and_the_others_stay() -> None:
    x = images(200, 3, 16, 12)
    erased = random_erasing(x, rng(200))
    hole = erased == 0
    assert torch.equal(hole.any(1), hole.all(1))
    assert torch.equal(erased[~hole], x[~hole])


@pytest.mark.parametrize("shape", [(400, 2, 16, 12), (400, 3, 16, 12), (600, 1, 7, 5)])
def test_erased_pixels_become_normal_noise(shape: tuple[int, ...]) -> None:
    x = torch.full(shape, 99.0)
    erased = random_erasing(x, rng(shape[0]), probability=1.0, value="random")
    hole = erased != 99
    assert torch.equal(hole, random_erasing(x, rng(shape[0]), probability=1.0) == 0)
    noise = erased[hole]
    assert kstest(noise.numpy(), "norm").pvalue > RARE
    channels = erased.movedim(1, 0)[:, hole[:, 0]]
    for other in (*channels[1:], channels[0].roll(1)):
        correlation = float(torch.corrcoef(torch.stack((channels[0], other)))[0, 1])
        assert abs(correlation) < 3.3 / len(other) ** 0.5
    assert len(noise.unique()) > 0.9 * len(noise)


def test_ranges_that_make_no_sense_are_refused() -> None:
    with pytest.raises(RecipeError, match="0 ≤ smallest ≤ largest ≤ 1"):
        trial(extra=("techniques.random_erasing.scale=[0.4, 0.1]",))
    with pytest.raises(RecipeError, match="0 < smallest ≤ largest"):
        trial(extra=("techniques.random_erasing.ratio=[0.0, 1.0]",))


FUNCTIONS = [
    lambda x, d: cutout(x, 3, d),
    lambda x, d: cutout(x, 3, d, placement="inside"),
    lambda x, d: random_erasing(x, d),
    lambda x, d: random_erasing(x, d, value="random"),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_image_is_treated_the_same_in_whatever_batch_it_is(function: object) -> None:
    x = images(50, 3, 8, 10)
    together = function(x, rng(50))  # type: ignore[operator]
    for i in (0, 17, 49):
        alone = function(x[i : i + 1], SampleRng(0, "test", 0, torch.tensor([i])))  # type: ignore[operator]
        assert torch.equal(alone[0], together[i])
    assert not torch.equal(function(x, rng(50, epoch=1)), together)  # type: ignore[operator]
    copies = x[:1].expand(50, -1, -1, -1)
    assert len({tuple(image.flatten().tolist()) for image in function(copies, rng(50))}) > 1  # type: ignore[operator]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_memory_format_stays(function: object) -> None:
    x = images(5, 3, 8, 10).contiguous(memory_format=torch.channels_last)
    found = function(x, rng(5))  # type: ignore[operator]
    assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.cuda
@pytest.mark.parametrize("function", FUNCTIONS)
def test_nothing_waits_for_the_device(function: object) -> None:
    x, samples = images(50, 3, 8, 10).cuda(), torch.arange(50).cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = function(x, SampleRng(0, "test", 0, samples))  # type: ignore[operator]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.allclose(found.cpu(), function(x.cpu(), rng(50)), atol=1e-5)  # type: ignore[operator]
