"""Known answers before a run: a planted fault is caught by exactly the check that is there for it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.checks.conftest import Make, before, digits, plant, split_of, wrong
from workbench.checks.base import chosen
from workbench.checks.duplicates import duplicates
from workbench.checks.learning_rate_range import explosion, suggestion
from workbench.checks.overfit_batch import OverfitBatch
from workbench.checks.training_images import training_images
from workbench.data import shared_memory
from workbench.data.splits import ArraySplit
from workbench.engine.build import Build
from workbench.engine.dry_run import memorise
from workbench.recipe.registries import CHECKS

DEAR = [spec.name for spec in CHECKS if spec.asked_for()]


def test_a_healthy_build_raises_nothing_even_with_all_that_can_be_asked_for(make: Make) -> None:
    build = make("train.epochs=6")
    found = before(build, *(spec.name for spec in CHECKS))
    assert set(DEAR) == {"overfit_batch", "zero_input", "first_steps", "learning_rate_range"}
    assert set(DEAR) < set(found)
    assert wrong(found) == {}


def test_statistics_that_do_not_fit(make: Make) -> None:
    build = make("data.mean=[0.0, 0.0, 0.0]", "data.std=[1.0, 1.0, 1.0]")
    assert wrong(before(build)) == {"input_statistics": "warn"}


def test_measured_statistics_are_not_to_be_left_out(make: Make) -> None:
    """Images without a single difference: what was never given cannot be what is wrong."""
    build = make().with_(
        training=ArraySplit(torch.zeros(64, 3, 32, 32, dtype=torch.uint8), torch.arange(64) % 10),
        normalise=lambda images: torch.zeros(images.shape),
    )
    found = before(build, "input_statistics")["input_statistics"]
    assert found.verdict == "warn" and "nothing in it to learn from" in found.reason
    assert "data.mean" not in found.reason + found.advice


def test_an_output_layer_that_is_sure_of_itself(make: Make) -> None:
    build = make()
    with torch.no_grad():
        build.model.output.weight.mul_(1000)  # type: ignore[union-attr,operator]
    assert wrong(before(build)) == {"initial_loss": "warn"}


def test_another_network_than_the_claim_is_about(make: Make) -> None:
    assert wrong(before(make("expect.parameters=1234"))) == {"parameter_count": "fail"}


@pytest.mark.parametrize(("kept", "verdict"), [(3, "warn"), (0, "fail")])
def test_a_rare_class_and_an_absent_one(make: Make, kept: int, verdict: str) -> None:
    whole = digits()
    sevens = torch.nonzero(whole.train.labels == 7)[:, 0]
    others = torch.nonzero(whole.train.labels != 7)[:, 0]
    places = torch.cat((others, sevens[:kept]))
    train = split_of(whole.train.images(places), whole.train.labels[places])
    found = before(make(dataset=replace(whole, train=train)))
    assert wrong(found) == {"class_balance": verdict}
    assert "7" in found["class_balance"].reason


def test_test_images_among_the_training_images(make: Make) -> None:
    whole = digits()
    images = torch.cat((whole.test.images(), whole.train.images(torch.arange(40))))
    labels = torch.cat((whole.test.labels, whole.train.labels[:40]))
    found = before(make(dataset=replace(whole, test=split_of(images, labels))))
    assert wrong(found) == {"duplicates": "fail"}
    assert found["duplicates"].found == "40 of 399"


def test_duplicates_are_exact_and_each_test_image_counts_once() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (30, 3, 5, 7), generator=generator).to(torch.uint8)  # 105 bytes: no whole words
    test = images[[4, 9, 4]].clone()
    near = images[20].clone()
    near[0, 0, 0] ^= 1
    labels = torch.zeros(30, dtype=torch.int64)
    found = duplicates(split_of(images, labels), split_of(torch.cat((test, near[None])), labels[:4]))
    assert found == [(4, 0), (9, 1), (4, 2)]


def test_training_and_test_on_different_scales(make: Make) -> None:
    build = make()
    plant(build.hooks.tensor_augmentation, lambda images, rng: images * 0.2 + 3)
    assert wrong(before(build)) == {"transform_mismatch": "fail"}


@pytest.mark.parametrize("seed", range(4))
def test_batches_of_a_few_images_are_taken_together(make: Make, seed: int) -> None:
    whole = digits()
    labels = whole.train.labels
    images = whole.train.images().clone()
    images[labels % 2 == 0] //= 8  # half of the classes are dark: a batch of two may be all dark or all bright
    tested = whole.test.images().clone()
    tested[whole.test.labels % 2 == 0] //= 8
    coloured = replace(whole, train=split_of(images, labels), test=split_of(tested, whole.test.labels))
    build = make("data.batch_size=2", f"seed={seed}", dataset=coloured)
    assert before(build, "transform_mismatch")["transform_mismatch"].verdict == "pass"


def test_an_evaluation_that_is_partly_chance(make: Make) -> None:
    build = make()
    plain = build.normalise
    build = build.with_(normalise=lambda images: plain(images) + 0.05 * torch.randn(images.shape))
    found = before(build)
    assert wrong(found) == {"transform_mismatch": "fail"}
    assert "differently each time" in found["transform_mismatch"].reason


class MixesTheBatch(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        return out - 0.1 * out.mean(dim=0, keepdim=True)


class Deaf(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(0 * x)
        return out


def test_images_that_influence_each_other(make: Make) -> None:
    build = make()
    build.model.output = MixesTheBatch(build.model.output)  # type: ignore[arg-type]
    found = before(build)
    assert wrong(found) == {"batch_isolation": "fail"}
    assert "depends on 3 others" in found["batch_isolation"].reason


@pytest.mark.slow
def test_a_network_that_does_not_look(make: Make) -> None:
    build = make()
    build.model.block1 = Deaf(build.model.block1)  # type: ignore[arg-type]
    found = before(build, "batch_isolation", "zero_input", "overfit_batch", "first_steps")
    assert wrong(found) == {"batch_isolation": "fail", "zero_input": "fail", "overfit_batch": "fail"}


def test_an_epoch_without_learning(make: Make) -> None:
    build = make("train.epochs=4")
    build = build.with_(schedule=lambda context: float(context.epoch != 1))
    found = before(build)
    assert wrong(found) == {"learning_rate_zero": "fail"}
    assert found["learning_rate_zero"].found == "0 throughout epoch 2"
    build = build.with_(schedule=lambda context: 1.0)
    assert before(build, "learning_rate_zero")["learning_rate_zero"].found.endswith(" throughout")


def test_a_batch_that_does_not_fit(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    build = make()
    monkeypatch.setattr("workbench.checks.memory.free_bytes", lambda build: 2**20)
    found = before(build)
    assert wrong(found) == {"memory": "fail"}
    size = int(found["memory"].advice.split("batch_size to ")[1].split(",")[0])
    assert 1 <= size < 64


@pytest.mark.cuda
def test_the_memory_estimate_is_near_what_a_step_takes(digits_recipe: str, tmp_path: Path) -> None:
    """With the algorithms that cuDNN takes at once: its fastest take what memory is left, and do without."""
    from tests.checks.conftest import whole_run
    from workbench.checks.memory import needed
    from workbench.engine.build import build
    from workbench.recipe import read_recipe

    changes = ["data.batch_size=512", "model.widths=[64,128]", "train.compile=off", "train.deterministic=true"]
    made = build(read_recipe(digits_recipe, overrides=changes), "cuda", tmp_path)
    need = needed(made)
    standing = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    made = made.with_(steps=3)
    whole_run(made, checks=False)
    assert need is not None
    assert 0.7 < need.total / (torch.cuda.max_memory_allocated() - standing) < 1.5


def frozen_but_for_the_output(build: Build) -> None:
    for name, weight in build.model.named_parameters():
        weight.requires_grad_(name == "output.bias")


def test_the_losses_of_a_batch_by_heart_are_those_of_its_training(make: Make) -> None:
    build = make()
    images, labels = training_images(build, 32)
    losses = memorise(build.model, images, labels, 200, 3e-3, 0.05)
    assert len(losses) > 2
    figures = OverfitBatch().examine(build).figures
    assert figures == {"losses": losses, "goal": 0.05}


def test_a_network_that_cannot_learn_a_batch(make: Make) -> None:
    build = make()
    frozen_but_for_the_output(build)
    assert wrong(before(build, "overfit_batch")) == {"overfit_batch": "fail"}


def test_a_rate_with_which_the_loss_explodes(make: Make) -> None:
    build = make("techniques.sgd.learning_rate=50", "techniques.batch_norm=off", "train.epochs=6")
    found = before(build, "first_steps", "learning_rate_range")
    assert wrong(found) == {"first_steps": "fail", "learning_rate_range": "fail"}
    assert "explodes" in found["first_steps"].reason


def test_the_suggested_rate_is_one_that_learns(make: Make) -> None:
    build = make("techniques.sgd.learning_rate=1e-6")
    (spec,) = chosen(build.recipe, "before", ["learning_rate_range"])
    low = spec.model_copy(update={"highest": 1e6}).examine(build)
    assert low is not None and low.verdict == "warn"
    suggested = low.figures["suggestion"]
    assert isinstance(suggested, float) and 1e-3 < suggested < 1


def test_suggestion_and_explosion_of_a_curve() -> None:
    points = [(0.001, 2.3), (0.01, 2.0), (0.1, 1.0), (1.0, 5.0), (10.0, math.inf)]
    assert suggestion(points) == pytest.approx(0.1 / 3)
    assert explosion(points, 4) == 1.0
    assert explosion(points[:3], 4) is None
    assert explosion([(0.1, 1.0), (1.0, math.inf)], 4) == 1.0


@pytest.mark.slow
def test_no_check_changes_the_build_or_the_generators(make: Make) -> None:
    build = make("train.epochs=6")
    weights = {name: value.clone() for name, value in build.model.state_dict().items()}
    names = [spec.name for spec in CHECKS if spec.when == "before"]
    from workbench.checks.preflight import report

    generator = torch.random.get_rng_state()
    report(build, chosen(build.recipe, "before", names))
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert all(torch.equal(value, weights[name]) for name, value in build.model.state_dict().items())
    assert not build.optimizer.state
    assert all(weight.grad is None for weight in build.model.parameters())


def test_a_check_that_breaks_is_a_warning_and_no_end(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.checks.duplicates import Duplicates
    from workbench.checks.preflight import preflight

    def broken(self: Duplicates, build: Build) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(Duplicates, "examine", broken)
    found = {check.name: check for check in preflight(make())}
    assert found["duplicates"].verdict == "warn"
    assert "the check itself failed: RuntimeError: boom" in found["duplicates"].reason
    assert len(found) > 5


@pytest.mark.parametrize(("free", "verdict"), [(64, "pass"), (1, "warn"), (0, "warn")])
def test_shared_memory_that_is_too_small_for_the_workers(
    make: Make, monkeypatch: pytest.MonkeyPatch, free: int, verdict: str
) -> None:
    monkeypatch.setattr(shared_memory, "room", lambda: (free * 2**20, 64 * 2**20))
    build = make("data.pipeline=loader", "data.workers=2", "data.batch_size=128")  # batches of 0.375 MB
    found = before(build, "shared_memory")["shared_memory"]
    assert found.verdict == verdict
    assert found.found == "1.9 MB: 2 workers × 2 batches of 0.4 MB, and one in use"
    assert verdict == "pass" or "--shm-size" in found.advice
    assert ("not even one batch fits" in found.reason) == (free == 0)
    assert before(make("data.pipeline=loader", "data.workers=0"), "shared_memory") == {}
    assert before(make(), "shared_memory") == {}
