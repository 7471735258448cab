"""Augmentations do what torchvision's do, every image on its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as reference

from tests.techniques.table import trial
from workbench.randomness import SampleRng
from workbench.recipe import RecipeError
from workbench.techniques.brightness_contrast import brightness_contrast
from workbench.techniques.color_jitter import _turn_hue, color_jitter
from workbench.techniques.horizontal_flip import alternating_flip, horizontal_flip
from workbench.techniques.random_crop import random_crop


def rng(count: int, purpose: str = "test", seed: int = 0, epoch: int = 0) -> SampleRng:
    return SampleRng(seed, purpose, epoch, torch.arange(count))


def images(count: int, size: int = 8) -> Tensor:
    return torch.randint(0, 256, (count, 3, size, size), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


@pytest.mark.parametrize("border", ["zero", "reflect"])
def test_a_crop_is_a_window_of_the_padded_image(border: str) -> None:
    x = images(400)
    cropped = random_crop(x, 2, rng(400), border=border)
    mode = "constant" if border == "zero" else "reflect"
    padded = torch.nn.functional.pad(x.float(), (2, 2, 2, 2), mode=mode).to(torch.uint8)
    counts = torch.zeros(5, 5)
    for original, result in zip(padded, cropped, strict=True):
        windows = [(i, j) for i in range(5) for j in range(5) if torch.equal(original[:, i : i + 8, j : j + 8], result)]
        assert windows
        counts[windows[0]] += 1
    # 400 draws over 25 offsets: 16 each; chi-square with 24 degrees of freedom stays under 51.2 in 99.9 % of the cases
    assert float(((counts - 16) ** 2 / 16).sum()) < 51.2


@pytest.mark.parametrize("border", ["zero", "reflect"])
@pytest.mark.parametrize("max_offset", [None, 1, 4])
@pytest.mark.parametrize("shape", [(40, 3, 32, 32), (30, 1, 9, 14), (20, 4, 7, 5)])
def test_a_crop_is_the_window_that_its_draws_name(shape: tuple[int, ...], max_offset: int | None, border: str) -> None:
    n, _, h, w = shape
    x = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(2)).to(torch.uint8)
    mode = "constant" if border == "zero" else "reflect"
    padded = torch.nn.functional.pad(x.float(), (4, 4, 4, 4), mode=mode).to(torch.uint8)
    offsets = rng(n).integers(9 if max_offset is None else max_offset + 1, 2).tolist()
    expected = torch.stack([image[:, i : i + h, j : j + w] for image, (i, j) in zip(padded, offsets, strict=True)])
    assert torch.equal(random_crop(x, 4, rng(n), border=border, max_offset=max_offset), expected)
    elsewhere = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(random_crop(elsewhere, 4, rng(n), border=border, max_offset=max_offset), expected)


def test_a_crop_up_to_its_largest_offset_moves_images_down_and_right_only() -> None:
    x = torch.zeros(900, 1, 9, 9, dtype=torch.uint8)
    x[:, :, 4, 4] = 1
    places = random_crop(x, 2, rng(900), max_offset=2).flatten(1).argmax(dim=1)
    rows, columns = places // 9 - 4, places % 9 - 4
    counts = torch.bincount(3 * rows + columns, minlength=9).float()
    assert len(counts) == 9
    # 900 draws over 3 × 3 offsets; chi-square with 8 degrees of freedom stays under 26.1 in 99.9 % of the cases
    assert float(((counts - 100) ** 2 / 100).sum()) < 26.1


def test_an_offset_beyond_the_padded_image_is_refused() -> None:
    trial(extra=("techniques.random_crop.padding=2", "techniques.random_crop.max_offset=4"))
    with pytest.raises(RecipeError, match="at most 2 × padding = 4"):
        trial(extra=("techniques.random_crop.padding=2", "techniques.random_crop.max_offset=5"))


def test_flips_mirror_the_wanted_share_of_the_images() -> None:
    x = images(2000)
    flipped = horizontal_flip(x, 0.3, rng(2000))
    mirrored = (flipped == x.flip(-1)).flatten(1).all(1)
    assert torch.equal(flipped[~mirrored], x[~mirrored])
    assert abs(float(mirrored.float().mean()) - 0.3) < 0.04


def test_alternating_flips_show_both_forms_in_any_two_epochs() -> None:
    x = images(2000)
    epochs = [alternating_flip(x, rng(2000, epoch=epoch)) for epoch in range(4)]
    first = (epochs[0] == x.flip(-1)).flatten(1).all(1)
    assert abs(float(first.float().mean()) - 0.5) < 0.04
    assert torch.equal(epochs[0][~first], x[~first])
    assert torch.equal(epochs[1], epochs[0].flip(-1))
    assert torch.equal(epochs[2], epochs[0])
    assert torch.equal(epochs[3], epochs[1])
    another = (alternating_flip(x, rng(2000, seed=1)) == x.flip(-1)).flatten(1).all(1)
    assert abs(float((another == first).float().mean()) - 0.5) < 0.04


def test_a_probability_is_refused_where_flips_alternate() -> None:
    trial(extra=('techniques.horizontal_flip.mode="alternating"',))
    with pytest.raises(RecipeError, match="does not apply"):
        trial(
            extra=('techniques.horizontal_flip.mode="alternating"', "techniques.horizontal_flip.probability=0.3"),
        )


@pytest.mark.parametrize(
    ("sizes", "apply"),
    [
        ((0.4, 0, 0, 0), lambda x, f: reference.adjust_brightness(x, f)),
        ((0, 0.4, 0, 0), lambda x, f: reference.adjust_contrast(x, f)),
        ((0, 0, 0.4, 0), lambda x, f: reference.adjust_saturation(x, f)),
    ],
)
def test_each_colour_operation_is_torchvisions(sizes: tuple[float, float, float, float], apply: object) -> None:
    x = images(64)
    result = color_jitter(x, rng(64), *sizes)
    same = rng(64)
    same.uniform(1)
    factors = 1 + (same.uniform(1) * 2 - 1)[:, 0] * 0.4
    for original, factor, found in zip(x, factors, result, strict=True):
        expected = apply(original.float() / 255, float(factor)).mul(255)  # type: ignore[operator]
        assert float((found.float() - expected).abs().max()) <= 1.0


@pytest.mark.parametrize("sizes", [(0.4, 0.3, 0.2, 0), (0, 0.4, 0.3, 0.2), (0.3, 0, 0, 0.2), (0.4, 0, 0.3, 0.1)])
def test_several_colour_operations_come_in_each_images_own_order(sizes: tuple[float, float, float, float]) -> None:
    steps = [
        (size, apply)
        for size, apply in zip(
            sizes,
            (
                lambda x, a: reference.adjust_brightness(x, 1 + a),
                lambda x, a: reference.adjust_contrast(x, 1 + a),
                lambda x, a: reference.adjust_saturation(x, 1 + a),
                reference.adjust_hue,
            ),
            strict=True,
        )
        if size > 0
    ]
    x, same = images(64), rng(64)
    orders = torch.argsort(same.uniform(len(steps)), dim=1)
    amounts = same.uniform(len(steps)) * 2 - 1
    seen = set()
    for original, order, drawn, found in zip(x, orders, amounts, color_jitter(x, rng(64), *sizes), strict=True):
        expected = original.float() / 255
        for place in order.tolist():
            size, apply = steps[place]
            expected = apply(expected, float(drawn[place]) * size)
        assert float((found.float() - expected * 255).abs().max()) <= 2.0
        seen.add(tuple(order.tolist()))
    assert len(seen) == {2: 2, 3: 6}[len(steps)]


def test_hue_is_torchvisions() -> None:
    x = images(16).float()
    for turns in (-0.3, 0.0, 0.1, 0.45):
        found = _turn_hue(x, torch.full((16, 1, 1, 1), turns))
        expected = reference.adjust_hue(x / 255, turns) * 255
        assert float((found - expected).abs().max()) < 0.51


def test_the_jitters_distribution_is_torchvisions() -> None:
    from torchvision.transforms import v2

    one = images(1)
    ours = color_jitter(one.expand(3000, 3, 8, 8), rng(3000), 0.3, 0.3, 0.3, 0.0).float().mean(dim=(2, 3))
    jitter = v2.ColorJitter(0.3, 0.3, 0.3)
    torch.manual_seed(0)
    theirs = torch.stack([jitter(one[0]).float().mean(dim=(1, 2)) for _ in range(3000)])
    error = (ours.var(0) / 3000 + theirs.var(0) / 3000).sqrt()
    assert float(((ours.mean(0) - theirs.mean(0)) / error).abs().max()) < 4.5
    assert float((ours.std(0) / theirs.std(0) - 1).abs().max()) < 0.1


def test_brightness_and_contrast_are_the_same_for_all_pixels_of_an_image_and_spread_evenly() -> None:
    x = torch.randn(2000, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    found = brightness_contrast(x, rng(2000), 0.5, 0.25)
    factors = (found[:, 0, 0, 0] - found[:, 2, 3, 3]) / (x[:, 0, 0, 0] - x[:, 2, 3, 3])
    shifts = found[:, 1, 1, 1] - factors * x[:, 1, 1, 1]
    steady = (x[:, 0, 0, 0] - x[:, 2, 3, 3]).abs() > 0.5  # where the division is exact enough
    expected = factors.view(-1, 1, 1, 1) * x + shifts.view(-1, 1, 1, 1)
    assert torch.allclose(found[steady], expected[steady], atol=1e-4)
    for values, low, high in ((factors[steady], 0.75, 1.25), (shifts[steady], -0.5, 0.5)):
        counts = torch.histc(values, bins=10, min=low, max=high)
        assert counts.sum() > len(values) - 3  # none outside, but for rounding at the ends
        # chi-square with 9 degrees of freedom stays under 27.9 in 99.9 % of the cases
        share = len(values) / 10
        assert float(((counts - share) ** 2 / share).sum()) < 27.9
    assert abs(float(torch.corrcoef(torch.stack((factors[steady], shifts[steady])))[0, 1])) < 0.08
    assert torch.equal(brightness_contrast(x, rng(2000), 0.0, 0.0), x)


def test_brightness_is_refused_where_images_are_not_normalised() -> None:
    with pytest.raises(RecipeError, match="is added to normalised images"):
        trial("brightness_contrast", extra=("data.normalise=none",))


@pytest.mark.parametrize(
    ("function", "dtype"),
    [
        (lambda x, d: random_crop(x, 3, d), torch.uint8),
        (lambda x, d: random_crop(x, 3, d, border="reflect"), torch.uint8),
        (lambda x, d: random_crop(x, 3, d, max_offset=2), torch.uint8),
        (lambda x, d: horizontal_flip(x, 0.5, d), torch.uint8),
        (lambda x, d: alternating_flip(x, d), torch.uint8),
        (lambda x, d: color_jitter(x, d, 0.4, 0.4, 0.4, 0.1), torch.uint8),
        (lambda x, d: brightness_contrast(x.float(), d, 0.4, 0.4), torch.float32),
    ],
)
def test_an_image_is_treated_the_same_in_whatever_batch_it_is(function: object, dtype: torch.dtype) -> None:
    x = images(50)
    together = function(x, rng(50))  # type: ignore[operator]
    assert together.dtype == dtype
    for i in (0, 17, 49):
        alone = function(x[i : i + 1], SampleRng(0, "test", 0, torch.tensor([i])))  # type: ignore[operator]
        assert torch.equal(alone[0], together[i])
    other_epoch = function(x, rng(50, epoch=1))  # type: ignore[operator]
    assert not torch.equal(other_epoch, together)
    copies = x[:1].expand(50, -1, -1, -1)
    assert len({tuple(image.flatten().tolist()) for image in function(copies, rng(50))}) > 1  # type: ignore[operator]
