"""The fixed first convolution: its filters decorrelate patches, and nothing trains them."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from tests.checks.conftest import small_digits
from tests.engine.conftest import Make, run, weights
from workbench.engine.backend import threads_limited
from workbench.models.base import ModelOptions
from workbench.models.layers import Whitening
from workbench.models.layers.whitening import second_moments, whitening_filters
from workbench.models.vgg import VGG
from workbench.techniques.whitening import Whitening as Technique


def correlated(count: int = 200) -> Tensor:
    """Images whose neighbouring pixels and channels are alike."""
    noise = torch.randn(count, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.avg_pool2d(noise, 3, 1)
    return smooth + smooth.mean(dim=1, keepdim=True)


def test_outputs_on_the_images_have_unit_variance_and_no_correlation() -> None:
    images = correlated()
    filters = whitening_filters(images, 2, 1e-6)
    found = nn.functional.conv2d(images, filters).transpose(0, 1).flatten(1)
    assert torch.allclose(found @ found.T / found.shape[1], torch.eye(12), atol=1e-3)


def test_the_strongest_direction_comes_first_and_eps_keeps_faint_ones_faint() -> None:
    images = correlated()
    whole, damped = whitening_filters(images, 2, 1e-6), whitening_filters(images, 2, 0.1)
    norms = whole.flatten(1).norm(dim=1)
    assert torch.equal(norms, norms.sort().values)
    shrunk = damped.flatten(1).norm(dim=1) / norms
    assert torch.equal(shrunk, shrunk.sort(descending=True).values)
    assert float(shrunk[0]) > 2 * float(shrunk[-1])


def test_filters_are_the_same_however_the_eigenvectors_sign_falls() -> None:
    filters = whitening_filters(correlated(), 2, 5e-4).flatten(1)
    assert all(float(row[row.abs().argmax()]) > 0 for row in filters)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("count", [1, 8, 27])
def test_moments_are_those_of_all_patches_at_once(count: int, size: int) -> None:
    images = correlated(count).double()
    patches = images.unfold(2, size, 1).unfold(3, size, 1).movedim(1, 3).reshape(-1, 3 * size * size)
    expected = patches.T @ patches / len(patches)
    assert torch.allclose(second_moments(images.float(), size), expected, rtol=1e-12)


def test_filters_are_the_same_bits_with_any_number_of_threads() -> None:
    """Weights are set by one thread; filters need not be."""
    found, images = [], correlated(100)
    for threads in (1, 2, 3):
        with threads_limited(threads):
            found.append(whitening_filters(images, 2, 5e-4))
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


@pytest.mark.cuda
def test_filters_are_the_same_on_a_gpu() -> None:
    images = correlated(1100)
    here, there = whitening_filters(images, 2, 5e-4), whitening_filters(images.cuda(), 2, 5e-4).cpu()
    assert torch.allclose(here, there, rtol=1e-5, atol=1e-5)


def test_images_of_one_colour_leave_finite_filters() -> None:
    grey = correlated()[:, :1].expand(-1, 3, -1, -1)
    assert torch.isfinite(whitening_filters(grey, 2, 5e-4)).all()


def test_the_layer_holds_filters_and_their_negatives() -> None:
    layer = Whitening(3, 2)
    layer.fit(correlated(), 5e-4)
    assert layer.filters.shape == (24, 3, 2, 2)
    assert torch.equal(layer.filters[:12], -layer.filters[12:])
    assert [name for name, _ in layer.named_parameters()] == ["bias"]
    assert layer(torch.randn(2, 3, 8, 9)).shape == (2, 24, 7, 8)


def test_it_stands_before_the_first_convolution_which_takes_its_channels() -> None:
    model = VGG(widths=(8, 16)).build((3, 32, 32), 10, ModelOptions(norm2d=nn.BatchNorm2d))
    model = Technique()._insert(model)
    kinds = [type(m).__name__ for m in model.modules() if not list(m.children())][:3]
    assert kinds == ["Whitening", "ReLU", "Conv2d"]
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert (convolutions[0].in_channels, convolutions[0].out_channels, convolutions[0].bias) == (24, 8, None)
    assert model(torch.randn(2, 3, 32, 32)).shape == (2, 10)


def test_a_model_without_convolutions_is_refused() -> None:
    with pytest.raises(ValueError, match="does not begin with a convolution"):
        Technique()._insert(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))


def test_filters_never_move_and_the_bias_moves_only_at_first(make: Make) -> None:
    built = make(
        "whitening", extra=("techniques.whitening.bias_epochs=1", "train.epochs=3"), dataset=small_digits(400, 64)
    )
    layer = next(m for m in built.model.modules() if isinstance(m, Whitening))
    assert float(layer.filters.abs().sum()) > 0
    before, seen = weights(built), []
    steps = built.steps_per_epoch

    def remember(context: object, skip: object) -> None:
        seen.append(layer.bias.detach().clone())

    built.hooks.after_step.add(remember, 0, "test")
    run(built)
    after = weights(built)
    filters = next(name for name in before if name.endswith("filters"))
    assert torch.equal(before[filters], after[filters])
    assert all(not torch.equal(a, b) for a, b in pairwise(seen[:steps]))
    assert all(torch.equal(seen[steps - 1], later) for later in seen[steps:])


@pytest.mark.parametrize("other", ["he_init", "xavier", "dirac_init", "freeze_layers"])
def test_other_techniques_leave_its_filters_alone(make: Make, other: str) -> None:
    few = small_digits(400, 64)
    plain, both = make("whitening", dataset=few), make("whitening", other, dataset=few)
    layers = [next(m for m in b.model.modules() if isinstance(m, Whitening)) for b in (plain, both)]
    assert torch.equal(layers[0].filters, layers[1].filters)
    run(both)
    assert torch.equal(layers[0].filters, layers[1].filters)
