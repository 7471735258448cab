"""A build without weights says the same as a real one, for every packaged recipe and every technique."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.test_recipes import PATHS, Noise, recipe
from workbench.data.base import DataError
from workbench.engine.build import build, parameter_counts
from workbench.engine.cost import multiply_adds
from workbench.engine.summary import build_summary
from workbench.recipe import Recipe, RecipeError, conflicts
from workbench.recipe.registries import TECHNIQUES


def on_noise(found: Recipe) -> Recipe:
    return found.model_copy(update={"data_source": Noise(100 if found.data.source == "cifar100" else 10)})


def compare(found: Recipe, tmp_path: Path) -> None:
    before = torch.get_rng_state()
    sketch = build_summary(found, tmp_path)
    assert torch.equal(before, torch.get_rng_state())
    real = build(found, "cpu", tmp_path)
    try:
        assert parameter_counts(sketch.model) == parameter_counts(real.model)
        assert (sketch.steps, sketch.steps_per_epoch) == (real.steps, real.steps_per_epoch)
        steps = sorted({0, 1, real.steps // 3, real.steps // 2, real.steps - 1})
        assert [sketch.learning_rate(s) for s in steps] == [real.learning_rate(s) for s in steps]
        assert sketch.model.training == real.model.training
        count = multiply_adds(sketch.model, sketch.image_shape)
        assert count is not None and count > 0
        assert count == multiply_adds(real.model, real.dataset.shape)
        assert not any(p.is_meta for p in real.model.parameters())
    finally:
        real.close()


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_packaged_recipe(path: Path, tmp_path: Path) -> None:
    compare(on_noise(recipe(path.stem, "data.batch_size=8")), tmp_path)


@pytest.mark.parametrize("name", TECHNIQUES.names())
def test_every_technique(name: str, tmp_path: Path) -> None:
    found = recipe("resnet20", "data.batch_size=8", "train.epochs=3", "model.blocks=[1, 1, 1]")
    spec = TECHNIQUES[name]
    for other in found.active():
        if (spec.group in ("optimizer", "schedule") and other.group == spec.group) or other.name in spec.excludes:
            found = found.without_technique(other.name)
    found = found.with_technique(spec())
    assert not conflicts(found)
    compare(on_noise(found), tmp_path)


def test_resnet20_as_the_paper_counts_it(tmp_path: Path) -> None:
    found = build_summary(on_noise(recipe("resnet20")), tmp_path)
    count = multiply_adds(found.model, found.image_shape)
    stem, first = 3 * 9 * 16 * 32**2, 6 * 16 * 16 * 9 * 32**2
    second = (16 * 32 + 5 * 32 * 32) * 9 * 16**2 + 16 * 32 * 16**2
    third = (32 * 64 + 5 * 64 * 64) * 9 * 8**2 + 32 * 64 * 8**2
    assert count == stem + first + second + third + 64 * 10


@pytest.mark.parametrize("name", ["v2", "resnet20", "resnet18", "ninety-four"])
def test_the_count_is_that_of_torch_s_own_counter(name: str, tmp_path: Path) -> None:
    found = build_summary(on_noise(recipe(name, "data.batch_size=8")), tmp_path)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        found.model.eval()(torch.empty(1, *found.image_shape, device="meta"))
    assert multiply_adds(found.model, found.image_shape) == counter.get_total_flops() // 2


def test_what_is_wrong_is_said_as_a_build_says_it(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="optimizer"):
        build_summary(on_noise(recipe("resnet20").without_technique("sgd")), tmp_path)
    with pytest.raises(DataError, match="drop_last"):
        build_summary(on_noise(recipe("resnet20", "data.batch_size=41", "data.drop_last=true")), tmp_path)


def test_a_network_that_looks_at_values_is_counted_with_and_without_them() -> None:
    class Chooses(torch.nn.Linear):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images if images.sum().item() > 0 else -images)

    assert multiply_adds(Chooses(8, 5, device="meta"), (3, 8, 8)) == 3 * 8 * 8 * 5
    assert multiply_adds(Chooses(8, 5), (3, 8, 8)) == 3 * 8 * 8 * 5
