"""Mixup and CutMix blend images and labels as their papers say, every image by its own amount."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from scipy.special import betaincinv
from scipy.stats import beta as beta_distribution
from scipy.stats import ks_2samp, kstest
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot
from torchvision.transforms import v2

from tests.engine.conftest import run, some_steps
from tests.techniques.table import trial
from workbench.engine.build import build
from workbench.events import Finished, Trained
from workbench.image_operations.mixing import SymmetricBeta
from workbench.randomness import SampleRng
from workbench.techniques.cutmix import cutmix
from workbench.techniques.mixup import mixup

RARE = 1e-3
"""How often a correct implementation would fail a statistical test, had the draws another seed."""
BETA = SymmetricBeta(1.0, "cpu")


def rng(count: int, seed: int = 0, epoch: int = 0) -> SampleRng:
    return SampleRng(seed, "test", epoch, torch.arange(count))


def weights_of_mixup(samples: Tensor, alpha: float = 1.0, probability: float = 1.0) -> Tensor:
    """``[N, N]``: which share of which image is in each result. Image i is 1 in its pixel i, elsewhere 0."""
    count = len(samples)
    images = torch.eye(count).view(count, 1, 1, count)
    beta = SymmetricBeta(alpha, "cpu")
    mixed, targets = mixup(
        images,
        torch.arange(count),
        SampleRng(0, "test", 0, samples),
        classes=count,
        beta=beta,
        probability=probability,
    )
    assert torch.allclose(mixed.view(count, count), targets, atol=1e-7)
    return targets


def parts_of_cutmix(count: int, h: int, w: int, alpha: float = 1.0, probability: float = 1.0) -> tuple[Tensor, Tensor]:
    """``[N, H, W]``: of which image each pixel is; and the targets, every image of a class of its own."""
    images = torch.arange(count).float().view(-1, 1, 1, 1).expand(-1, 2, h, w)
    beta = SymmetricBeta(alpha, "cpu")
    mixed, targets = cutmix(images, torch.arange(count), rng(count), classes=count, beta=beta, probability=probability)
    assert torch.equal(mixed[:, 0], mixed[:, 1])
    return mixed[:, 0].long(), targets


@pytest.mark.parametrize("alpha", [0.001, 0.05, 0.2, 0.5, 1.0, 2.0, 4.0, 32.0, 100.0])
def test_the_table_holds_the_quantiles_of_the_beta_distribution(alpha: float) -> None:
    steps = torch.cat((torch.arange(5000), torch.arange(0, 2**24, 97), 2**24 - 1 - torch.arange(5000)))
    uniform = steps * 2.0**-24
    found = SymmetricBeta(alpha, "cpu")(uniform).double()
    error = (found - torch.from_numpy(betaincinv(alpha, alpha, uniform.double().numpy()))).abs()
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    assert float(error.max()) < (1e-4 if alpha <= 2 else 6e-3)
    middle = (steps > 2**24 / 4096) & (steps < 2**24 - 2**24 / 4096)
    assert float(error[middle].max()) < 5e-4


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_have_the_beta_distribution(alpha: float) -> None:
    count = 100_000
    found = SymmetricBeta(alpha, "cpu")(rng(count).uniform()[:, 0]).double().sort().values
    # not within a thousandth of the ends: there float32 rounds many of the smallest distances to 1 away
    places = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    below = torch.searchsorted(found, places, right=True) / count
    expected = torch.from_numpy(beta_distribution(alpha, alpha).cdf(places.numpy()))
    assert float((below - expected).abs().max()) < 1.95 / math.sqrt(count)  # Kolmogorov and Smirnov, 99.9 %


def test_mixup_blends_every_image_with_one_partner_by_its_own_share() -> None:
    count = 1000
    weights = weights_of_mixup(torch.arange(count), alpha=0.4)
    assert torch.allclose(weights.sum(1), torch.ones(count), atol=1e-6)
    assert int((weights > 0).sum(1).max()) == 2
    others = weights.clone().fill_diagonal_(0)
    assert int((others > 0).sum(0).max()) == 1  # nobody is partner of two: a permutation
    mixed = others.sum(1) > 0
    shares = weights.diagonal()[mixed]
    # those of the partners that are the image itself, and shares that round to 1, are missing
    assert int(mixed.sum()) > 950
    assert kstest(shares.double().numpy(), beta_distribution(0.4, 0.4).cdf).pvalue > RARE
    partners = others.argmax(1)[mixed]
    assert abs(float(torch.corrcoef(torch.stack((partners.float(), mixed.nonzero()[:, 0].float())))[0, 1])) < 0.11


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_mixup_is_the_papers_formula(dtype: torch.dtype) -> None:
    random = torch.Generator().manual_seed(0)
    images = torch.randn(64, 3, 8, 10, generator=random).to(dtype)
    labels = torch.randint(0, 7, (64,), generator=random)
    weights = weights_of_mixup(torch.arange(64))
    mixed, targets = mixup(images, labels, rng(64), classes=7, beta=BETA)
    assert mixed.dtype == dtype
    assert targets.dtype == torch.float32
    expected = (weights @ images.float().flatten(1)).view_as(images)
    assert float((mixed.float() - expected).abs().max()) < 8 * torch.finfo(dtype).eps
    assert torch.allclose(targets, weights @ one_hot(labels, 7).float(), atol=1e-6)


def test_cutmix_weighs_labels_by_pixels_exactly() -> None:
    count, h, w = 500, 12, 9
    parts, targets = parts_of_cutmix(count, h, w)
    pixels = torch.zeros(count, count).scatter_add_(1, parts.flatten(1), torch.ones(count, h * w))
    own = torch.arange(count)
    others = pixels.clone().fill_diagonal_(0)
    assert torch.equal(targets.diagonal(), pixels.diagonal() / (h * w))
    assert torch.equal(targets.clone().fill_diagonal_(0), others / (h * w))
    assert int((others > 0).sum(1).max()) == 1
    assert int((others > 0).sum(0).max()) == 1
    taken = parts != own.view(-1, 1, 1)
    height, width = taken.any(2).sum(1), taken.any(1).sum(1)
    assert torch.equal(height * width, taken.sum((1, 2)))  # it is a rectangle
    assert 100 < int((taken.sum((1, 2)) > 0).sum()) < count


@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_cutmix_boxes_have_torchvisions_distribution(alpha: float) -> None:
    count, h, w = 3000, 17, 24
    parts, _ = parts_of_cutmix(count, h, w, alpha)
    taken = parts != torch.arange(count).view(-1, 1, 1)
    empty = torch.zeros(count, 1, dtype=torch.bool)
    rows, columns = torch.cat((taken.any(2), empty), 1).int(), torch.cat((taken.any(1), empty), 1).int()
    ours = torch.stack([columns.argmax(1), rows.argmax(1), columns.sum(1), rows.sum(1)], dim=1)
    torch.manual_seed(0)
    reference = v2.CutMix(alpha=alpha, num_classes=2)
    boxes = [reference.make_params([torch.zeros(1, 3, h, w)])["box"] for _ in range(count)]
    theirs = torch.tensor([(left, top, right - left, bottom - top) for left, top, right, bottom in boxes])
    # of a box without pixels only that it has none can be compared
    theirs = theirs * (theirs[:, 2:].prod(1, keepdim=True) > 0)
    for one, other in zip(ours.T, theirs.T, strict=True):
        assert ks_2samp(one.numpy(), other.numpy()).pvalue > RARE
    assert ks_2samp(ours[:, 2:].prod(1).numpy(), theirs[:, 2:].prod(1).numpy()).pvalue > RARE


def test_only_the_wanted_share_of_the_images_is_mixed() -> None:
    weights = weights_of_mixup(torch.arange(2000), alpha=8.0, probability=0.3)
    assert abs(float((weights.diagonal() < 1).float().mean()) - 0.3) < 0.035
    parts, targets = parts_of_cutmix(2000, 16, 16, alpha=8.0, probability=0.3)
    assert abs(float((targets.diagonal() < 1).float().mean()) - 0.3) < 0.035
    untouched = targets.diagonal() == 1
    assert bool((parts[untouched] == torch.arange(2000)[untouched].view(-1, 1, 1)).all())


def test_an_images_share_does_not_depend_on_its_batch() -> None:
    together = weights_of_mixup(torch.arange(100)).diagonal()
    some = torch.tensor([3, 99, 50, 7])
    weights = weights_of_mixup(some)
    kept = weights.diagonal() < 1  # else the partner is the image itself
    assert int(kept.sum()) >= 2
    assert torch.equal(weights.diagonal()[kept], together[some][kept])
    assert len(together.unique()) > 90


@pytest.mark.parametrize("technique", [mixup, cutmix])
def test_labels_that_are_mixed_already_are_mixed_further(technique: object) -> None:
    random = torch.Generator().manual_seed(0)
    images = torch.randn(64, 3, 8, 8, generator=random)
    labels = torch.randint(0, 7, (64,), generator=random)
    before = technique(images, labels, rng(64), classes=7, beta=BETA)  # type: ignore[operator]
    again = technique(images, one_hot(labels, 7).float(), rng(64), classes=7, beta=BETA)  # type: ignore[operator]
    assert torch.equal(before[0], again[0])
    assert torch.equal(before[1], again[1])
    twice = technique(*before, rng(64, epoch=1), classes=7, beta=BETA)  # type: ignore[operator]
    assert torch.allclose(twice[1].sum(1), torch.ones(64), atol=1e-6)
    assert int((twice[1] > 0).sum(1).max()) > 2


@pytest.mark.parametrize("technique", [mixup, cutmix])
def test_the_memory_format_stays(technique: object) -> None:
    images = torch.randn(8, 3, 8, 10).contiguous(memory_format=torch.channels_last)
    mixed, _ = technique(images, torch.arange(8), rng(8), classes=8, beta=BETA)  # type: ignore[operator]
    assert mixed.is_contiguous(memory_format=torch.channels_last)


def test_the_smoothed_loss_of_a_blend_is_the_blend_of_the_smoothed_losses(tmp_path: Path) -> None:
    """The papers define the loss as λ · loss(label) + (1 − λ) · loss(partner's label)."""
    settings = ("techniques.mixup.probability=1.0", "techniques.mixup.alpha=1.0")
    built = build(trial("mixup", "label_smoothing", extra=settings), "cpu", tmp_path)
    batch = built.pipeline.batch(0, 0)
    images, targets = built.training_inputs(batch, built.context(0))
    assert targets.shape == (len(batch.labels), 10)
    logits = torch.randn(len(images), 10, generator=torch.Generator().manual_seed(0))
    one = [
        cross_entropy(logits, torch.full_like(batch.labels, label), label_smoothing=0.1, reduction="none")
        for label in range(10)
    ]
    expected = (targets * torch.stack(one, dim=1)).sum(1).mean()
    assert torch.allclose(built.criterion(logits, targets), expected, rtol=1e-5)
    assert torch.allclose(built.criterion(logits.bfloat16(), targets), expected, rtol=1e-2)


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_both_train_in_16_bits_with_smoothed_labels(tmp_path: Path, dtype: str) -> None:
    extra = (f"techniques.mixed_precision.dtype={dtype}",)
    built = build(trial("mixup", "cutmix", "label_smoothing", "mixed_precision", extra=extra), "cpu", tmp_path)
    assert all(math.isfinite(loss) for loss in some_steps(built, 3))


def test_both_learn_and_the_train_accuracy_is_left_open(tmp_path: Path) -> None:
    built = build(trial("mixup", "cutmix"), "cpu", tmp_path)
    events = run(built)
    assert isinstance(events[-1], Finished)
    assert events[-1].test_accuracy > 0.3
    assert all(math.isnan(event.accuracy) for event in events if isinstance(event, Trained))


@pytest.mark.cuda
@pytest.mark.parametrize("technique", [mixup, cutmix])
def test_nothing_waits_for_the_device(technique: object) -> None:
    images, labels, samples = torch.randn(50, 3, 8, 10).cuda(), torch.arange(50).cuda(), torch.arange(50).cuda()
    beta = SymmetricBeta(0.4, "cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        mixed, targets = technique(images, labels, SampleRng(0, "test", 0, samples), classes=50, beta=beta)  # type: ignore[operator]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    here = technique(images.cpu(), labels.cpu(), rng(50), classes=50, beta=SymmetricBeta(0.4, "cpu"))  # type: ignore[operator]
    assert torch.allclose(mixed.cpu(), here[0], atol=1e-5)
    assert torch.allclose(targets.cpu(), here[1], atol=1e-6)
