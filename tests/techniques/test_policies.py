"""Rotation and the augmentation policies do what torchvision's do, every image on its own."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as reference

from workbench.image_operations.operations import Operation, OperationTable
from workbench.image_operations.spaces import standard_space, wide_space
from workbench.randomness import SampleRng
from workbench.techniques.autoaugment import (
    SUB_POLICIES,
    AutoAugment,
    autoaugment,
    autoaugment_rows,
    autoaugment_table,
)
from workbench.techniques.randaugment import RandAugment, randaugment, randaugment_table
from workbench.techniques.random_rotation import random_rotation
from workbench.techniques.trivial_augment import TrivialAugment, trivial_augment, trivial_augment_table

Shape = tuple[int, int, int]
SHAPES = [(3, 32, 32), (1, 32, 32), (3, 24, 40), (1, 28, 28)]


def rng(count: int, seed: int = 0, epoch: int = 0) -> SampleRng:
    return SampleRng(seed, "test", epoch, torch.arange(count))


def images(count: int, shape: Shape) -> Tensor:
    """uint8: in turn noise, something smooth, low contrast, three values, and one value a channel."""
    generator = torch.Generator().manual_seed(1)
    noise = torch.rand(count, *shape, generator=generator)
    coarse = torch.rand(count, shape[0], 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, shape[1:], mode="bicubic").clamp(0, 1)
    sorts = (noise * 255, smooth * 255, 100 + noise * 30, (noise * 3).floor() * 90, coarse[:, :, :1, :1] * 255)
    return torch.stack([sorts[i % 5][i].expand(shape) for i in range(count)]).to(torch.uint8)


def affine(x: Tensor, interpolation: str, translate: tuple[int, int] = (0, 0), shear: tuple[float, float] = (0, 0)):
    center = [0, 0] if any(shear) else None
    angles = [math.degrees(math.atan(s)) for s in shear]
    mode = InterpolationMode(interpolation)
    return reference.affine(x, 0, list(translate), 1, angles, interpolation=mode, center=center)


REFERENCE: dict[str, Callable[[Tensor, float, str], Tensor]] = {
    "identity": lambda x, m, i: x,
    "shear_x": lambda x, m, i: affine(x, i, shear=(m, 0)),
    "shear_y": lambda x, m, i: affine(x, i, shear=(0, m)),
    "translate_x": lambda x, m, i: affine(x, i, translate=(int(m), 0)),
    "translate_y": lambda x, m, i: affine(x, i, translate=(0, int(m))),
    "rotate": lambda x, m, i: reference.rotate(x, m, interpolation=InterpolationMode(i)),
    "brightness": lambda x, m, i: reference.adjust_brightness(x, 1 + m),
    "color": lambda x, m, i: reference.adjust_saturation(x, 1 + m),
    "contrast": lambda x, m, i: reference.adjust_contrast(x, 1 + m),
    "sharpness": lambda x, m, i: reference.adjust_sharpness(x, 1 + m),
    "posterize": lambda x, m, i: reference.posterize(x, int(m)),
    "solarize": lambda x, m, i: reference.solarize(x, 255 * m),
    "autocontrast": lambda x, m, i: reference.autocontrast(x),
    "equalize": lambda x, m, i: reference.equalize(x),
    "invert": lambda x, m, i: reference.invert(x),
}


def every(kind: str, shape: Shape) -> list[Operation]:
    """All operations of a kind that any policy can draw."""
    spaces = (standard_space(10, *shape[1:]), standard_space(31, *shape[1:]), wide_space())
    return list(dict.fromkeys(o for s in spaces for level in range(s.levels) for o in s.operations(kind, level)))


def agree(found: Tensor, expected: Tensor, operations: Sequence[Operation], interpolation: str = "nearest") -> bool:
    """Whether two results are the same, but for the ties of a slanted warp.

    Where a source lies halfway between two pixels, or a grey between two whole ones, the last digit of torchvision's
    grid decides, and that is what the processor's matrix product makes of it: a few pixels in a hundred, by one grey
    where they are blended. What a policy does to such a pixel afterwards may move it by one more.
    """
    difference = (found.int() - expected.int()).abs()
    if not {operation.kind for operation in operations} & {"shear_x", "shear_y", "rotate"}:
        return not bool(difference.any())
    if interpolation == "bilinear" and len(operations) == 1 and int(difference.max()) > 1:
        return False
    return float((difference > (len(operations) > 1)).float().mean()) < 0.03


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", REFERENCE)
def test_every_operation_is_torchvisions_at_every_magnitude(kind: str, shape: Shape) -> None:
    x = images(10, shape)
    operations = every(kind, shape)
    table = OperationTable(operations, shape)
    for row, operation in enumerate(operations):
        found = table.apply(x, torch.full((10,), row))
        assert agree(found, REFERENCE[kind](x, operation.magnitude, "nearest"), [operation]), operation
    assert kind in ("identity", "color" if shape[0] == 1 else "") or not torch.equal(found, x)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", ["shear_x", "shear_y", "translate_x", "translate_y", "rotate"])
def test_bilinear_warps_are_torchvisions(kind: str, shape: Shape) -> None:
    x = images(10, shape)
    operations = every(kind, shape)
    table = OperationTable(operations, shape, "bilinear")
    for row, operation in enumerate(operations):
        found = table.apply(x, torch.full((10,), row))
        expected = REFERENCE[kind](x, operation.magnitude, "bilinear")
        assert agree(found, expected, [operation], "bilinear"), operation


def test_images_of_one_batch_have_their_own_operations() -> None:
    shape = (3, 24, 40)
    operations = [o for kind in REFERENCE for o in every(kind, shape)]
    table = OperationTable(operations, shape)
    x = images(len(table), shape)
    order = torch.randperm(len(table), generator=torch.Generator().manual_seed(0))
    found = table.apply(x, order)
    for original, row, result in zip(x, order, found, strict=True):
        kind, magnitude = operations[row]
        assert agree(result, REFERENCE[kind](original, magnitude, "nearest"), [operations[row]]), operations[row]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_tiny_images_are_torchvisions_too(size: int) -> None:
    shape = (3, size, 4)
    x = images(10, shape)
    for kind in REFERENCE:
        operations = every(kind, shape)[-2:]
        for row, operation in enumerate(operations):
            found = OperationTable(operations, shape).apply(x, torch.full((10,), row))
            expected = REFERENCE[kind](x, operation.magnitude, "nearest")
            # torchvision rounds contrast otherwise in an image's last pixels, where they do not fill a vector register
            assert int((found.int() - expected.int()).abs().max()) <= (kind == "contrast"), operation


Policy = Callable[[Tensor, SampleRng], Tensor]
POLICIES: dict[str, Callable[[Shape], Policy]] = {
    "rotation": lambda shape: partial(_rotate, interpolation="nearest"),
    "soft rotation": lambda shape: partial(_rotate, interpolation="bilinear"),
    "autoaugment": lambda shape: partial(autoaugment, table=autoaugment_table(shape)),
    "randaugment": lambda shape: partial(randaugment, table=randaugment_table(shape, 9), operations=2),
    "trivial_augment": lambda shape: partial(trivial_augment, table=trivial_augment_table(shape, "bilinear")),
}


def _rotate(x: Tensor, rng: SampleRng, interpolation: str) -> Tensor:
    return random_rotation(x, 30, rng, interpolation=interpolation)


def operations_drawn(name: str, shape: Shape, count: int) -> list[tuple[Operation, ...]]:
    """What a policy draws for each of some images, in order."""
    if name == "autoaugment":
        table, rows = autoaugment_table(shape), autoaugment_rows(rng(count))
    elif name == "randaugment":
        table = randaugment_table(shape, 13)
        rows = rng(count).integers(len(table), 2)
    else:
        table = trivial_augment_table(shape)
        rows = rng(count).integers(len(table))
    return [tuple(table.operations[row] for row in image) for image in rows.tolist()]


THEIRS = {
    "autoaugment": lambda: v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10),
    "randaugment": lambda: v2.RandAugment(2, magnitude=13),
    "trivial_augment": v2.TrivialAugmentWide,
}


@pytest.mark.parametrize("name", THEIRS)
def test_operations_magnitudes_and_signs_are_drawn_as_torchvision_draws_them(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, count = (3, 24, 40), 20_000
    policy = THEIRS[name]()
    theirs: Counter[tuple[tuple[str, float], ...]] = Counter()
    done: list[tuple[str, float]] = []

    def note(image: Tensor, kind: str, magnitude: float, **_: object) -> Tensor:
        done.append((kind.lower(), magnitude))
        return image

    monkeypatch.setattr(policy, "_apply_image_or_video_transform", note)
    one = torch.zeros(shape, dtype=torch.uint8)
    torch.manual_seed(0)
    for _ in range(count):
        done.clear()
        policy(one)
        theirs[tuple(o for o in done if o[0] != "identity")] += 1
    ours = Counter(
        tuple((o.kind.replace("_", ""), o.magnitude) for o in image if o.kind != "identity")
        for image in operations_drawn(name, shape, count)
    )
    # Every outcome has an expectation of 8 or more, so that both have seen all there are.
    assert set(ours) == set(theirs)
    differences = [(ours[o] - theirs[o]) ** 2 / (ours[o] + theirs[o]) for o in ours]
    # Two samples' chi-square; it exceeds its mean by 3.3 standard deviations in 1 of 1,000 cases.
    freedom = len(ours) - 1
    assert freedom > 50
    assert sum(differences) < freedom + 3.3 * math.sqrt(2 * freedom)


def test_the_sub_policies_are_torchvisions() -> None:
    """Exactly; a wrong tenth of one probability would be lost in the noise of drawn samples."""
    theirs = [
        tuple((kind.lower(), round(10 * probability), level or 0) for kind, probability, level in pair)
        for pair in THEIRS["autoaugment"]()._policies
    ]
    ours = [tuple((kind.replace("_", ""), tenths, level) for kind, tenths, level in pair) for pair in SUB_POLICIES]
    assert ours == theirs


@pytest.mark.parametrize("name", ["autoaugment", "randaugment", "trivial_augment"])
def test_a_policy_does_what_it_drew_in_that_order(name: str) -> None:
    shape = (3, 32, 32)
    x = images(300, shape)
    if name == "randaugment":
        found = randaugment(x, rng(300), table=randaugment_table(shape, 13), operations=2)
    else:
        found = POLICIES[name](shape)(x, rng(300))
    interpolation = "bilinear" if name == "trivial_augment" else "nearest"
    for original, operations, result in zip(x, operations_drawn(name, shape, 300), found, strict=True):
        for kind, magnitude in operations:
            original = REFERENCE[kind](original, magnitude, interpolation)
        assert agree(result, original, operations, interpolation), operations


@pytest.mark.parametrize("degrees", [15, 120])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_a_rotation_is_torchvisions(degrees: float, interpolation: str) -> None:
    x = images(200, (3, 24, 40))
    found = random_rotation(x, degrees, rng(200), interpolation=interpolation)
    angles = (rng(200).uniform()[:, 0].double() * 2 - 1) * degrees
    for original, angle, result in zip(x, angles, found, strict=True):
        expected = reference.rotate(original, float(angle), interpolation=InterpolationMode(interpolation))
        assert agree(result, expected, [Operation("rotate", float(angle))], interpolation)


@pytest.mark.parametrize("degrees", [60, 180])
def test_angles_are_uniform_in_both_directions(degrees: float) -> None:
    # On a ramp from left to right the slopes across and down are the cosine and the sine of the angle.
    ramp = (torch.arange(65) * 3 + 30).to(torch.uint8).expand(3000, 1, 65, 65)
    turned = random_rotation(ramp, degrees, rng(3000), interpolation="bilinear")[:, 0].float()
    across = turned[:, 32, 52] - turned[:, 32, 12]
    down = turned[:, 52, 32] - turned[:, 12, 32]
    angles = torch.rad2deg(torch.atan2(-down, across))
    counts = torch.histc(angles, 10, -degrees, degrees)
    assert float(counts.sum()) > 2900  # an angle near an end may be measured beyond it
    # 300 in each tenth; chi-square with 9 degrees of freedom stays under 27.9 in 99.9 % of the cases
    assert float(((counts - 300) ** 2 / 300).sum()) < 27.9


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 7, 9), (3, 7, 9)], ids=str)
@pytest.mark.parametrize("name", POLICIES)
def test_an_image_is_treated_the_same_in_whatever_batch_it_is(name: str, shape: Shape) -> None:
    function = POLICIES[name](shape)
    x = images(60, shape)
    together = function(x, rng(60))
    assert together.dtype == torch.uint8
    assert together.shape == x.shape
    for i in range(60):
        alone = function(x[i : i + 1], SampleRng(0, "test", 0, torch.tensor([i])))
        assert torch.equal(alone[0], together[i])
    backwards = function(x.flip(0), SampleRng(0, "test", 0, torch.arange(59, -1, -1)))
    assert torch.equal(backwards.flip(0), together)
    assert not torch.equal(function(x, rng(60, epoch=1)), together)


@pytest.mark.parametrize("name", POLICIES)
def test_copies_of_an_image_become_different_ones(name: str) -> None:
    shape = (3, 32, 32)
    copies = images(2, shape)[1:].expand(50, -1, -1, -1)
    results = {tuple(image.flatten().tolist()) for image in POLICIES[name](shape)(copies, rng(50))}
    assert len(results) > 15
    assert torch.equal(copies[0], images(2, shape)[1])  # the images of the data set stay as they were


@pytest.mark.parametrize("name", POLICIES)
def test_nothing_asks_what_lies_on_the_device(name: str) -> None:
    """Tensors on "meta" have no values: whatever needs one on the host raises."""
    shape = (3, 32, 32)
    there = SampleRng(0, "test", 0, torch.arange(6, device="meta"))
    result = POLICIES[name](shape)(torch.empty((6, *shape), dtype=torch.uint8, device="meta"), there)
    assert result.shape == (6, *shape)


@pytest.mark.parametrize("technique", [AutoAugment(), RandAugment(), TrivialAugment()], ids=lambda t: t.name)
def test_a_policy_refuses_images_that_are_neither_grey_nor_rgb(technique: object) -> None:
    with pytest.raises(ValueError, match=r"techniques\..*1 or 3 channels, found 4"):
        technique.register(SimpleNamespace(image_shape=(4, 32, 32)))  # type: ignore[attr-defined]


def test_magnitude_0_of_randaugment_leaves_only_what_has_no_magnitude() -> None:
    table = randaugment_table((3, 32, 32), 0)
    x = images(len(table), (3, 32, 32))
    found = table.apply(x, torch.arange(len(table)))
    changed = {o.kind for o, a, b in zip(table.operations, x, found, strict=True) if not torch.equal(a, b)}
    assert changed <= {"autocontrast", "equalize", "solarize"}
