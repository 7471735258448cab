"""Known answers during a run, and that looking on changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from tests.checks.conftest import Make, counting, plant, said, whole_run, wrong
from workbench.checks.base import Watch, chosen
from workbench.checks.throughput import Throughput
from workbench.checks.watching import Watching
from workbench.engine.build import Build
from workbench.events import CheckFinished, Diverged, Evaluated, Trained
from workbench.recipe import read_recipe
from workbench.step import StepContext

OFTEN = (
    "checks.gradient_norm.every=2",
    "checks.update_ratio.every=2",
    "checks.dead_units.every=2",
    "checks.norm_statistics.every=5",
)
NAMES = [spec.name for spec in chosen(read_recipe("", consistent=False), "during")]


def during(build: Build, folder: Path | None = None) -> dict[str, str]:
    """The verdicts during a run that are no pass."""
    return {name: verdict for name, verdict in wrong(said(whole_run(build, folder))).items() if name in NAMES}


def test_a_healthy_run_says_so_once(make_small: Make) -> None:
    # stretches so short that another program takes half of one: a hundredth is left of any
    stretches = ("checks.throughput.seconds=0", "checks.throughput.window=5", "checks.throughput.share=0.01")
    events = whole_run(make_small(*OFTEN, "train.epochs=3", *stretches))
    found = said(events)
    assert set(NAMES) <= set(found)
    assert {name: found[name].verdict for name in NAMES} == dict.fromkeys(NAMES, "pass")
    names = [event.name for event in events if isinstance(event, CheckFinished)]
    assert len(names) == len(set(names))


def test_only_looks_into_steps_are_rarer_where_these_are_recorded(make_small: Make) -> None:
    """What is judged between two steps costs no recording its repetition."""
    build = make_small("train.compile=graph")
    assert build.execution.recorded
    wanted = {spec.name: spec.every for spec in chosen(build.recipe, "during") if hasattr(spec, "every")}
    found = {spec.name: spec.every for spec, _ in Watching(build, chosen(build.recipe, "during"))._watches
             if spec.name in wanted}  # fmt: skip
    assert found == {name: every * (1 if name == "norm_statistics" else 10) for name, every in wanted.items()}
    assert {watch.spec.every for spec, watch in Watching(build, chosen(build.recipe, "during"))._watches
            if spec.name == "update_ratio"} == {10 * wanted["update_ratio"]}  # fmt: skip


@pytest.mark.parametrize(
    "overrides",
    [
        ("techniques.dropout.rate=0.3", "techniques.mixup.alpha=0.4", "data.validation=0.2"),
        ("techniques.ema=on", "techniques.sam=on", "techniques.cutout=on"),
        ("techniques.freeze_layers.start=0.3", "techniques.mixed_precision.dtype=bf16"),
    ],
)
def test_checks_change_no_bit(make_small: Make, overrides: tuple[str, ...]) -> None:
    def run(checks: bool) -> tuple[list[tuple[float, ...]], dict[str, Tensor]]:
        build = make_small(*OFTEN, *overrides)
        events = whole_run(build, checks=checks)
        assert any(isinstance(event, CheckFinished) for event in events) == checks
        numbers = [(e.step, e.loss) for e in events if isinstance(e, Trained | Evaluated)]
        return numbers, build.model.state_dict()

    (numbers, weights), (others, other_weights) = run(True), run(False)
    assert numbers == others
    assert all(torch.equal(weights[name], other_weights[name]) for name in weights)


def test_a_layer_that_is_cut_off(make_small: Make) -> None:
    build = make_small(*OFTEN)
    build.model.block1.register_forward_hook(lambda module, inputs, output: output.detach())  # type: ignore[union-attr]
    assert during(build) == {"gradient_norm": "fail"}


def test_layers_that_are_frozen_on_purpose_are_not_cut_off(make_small: Make) -> None:
    assert during(make_small(*OFTEN, "techniques.freeze_layers.start=0")) == {}


def test_a_gradient_that_explodes(make_small: Make) -> None:
    build = make_small(*OFTEN, "techniques.gradient_clipping.limit=1e6", "techniques.sgd.learning_rate=1e-5")
    counter = counting(build)
    weight = build.model.hidden[1].weight  # type: ignore[union-attr,index]
    weight.register_hook(lambda gradient: gradient * 1e5 if counter.step == 40 else gradient)
    assert during(build) == {"gradient_norm": "warn"}


def test_updates_that_are_too_large_and_too_small(make_small: Make) -> None:
    large = make_small(*OFTEN, "techniques.batch_norm=off")

    def throw(context: StepContext, skip: Tensor) -> None:
        with torch.no_grad():
            for weight in large.parameters:
                weight.add_(0.5 * weight.norm() / weight.numel() ** 0.5 * torch.randn(weight.shape))

    plant(large.hooks.after_step, throw)
    assert during(large)["update_ratio"] == "warn"
    small = make_small(*OFTEN, "techniques.sgd.learning_rate=1e-9")
    assert during(small) == {"update_ratio": "warn", "learning": "fail"}


def test_units_that_never_fire(make_small: Make) -> None:
    build = make_small(*OFTEN, "techniques.batch_norm=off")
    with torch.no_grad():
        build.model.hidden[1].bias[:20] = -1000.0  # type: ignore[union-attr,index]
    assert during(build) == {"dead_units": "warn"}


def test_statistics_out_of_bounds(make_small: Make) -> None:
    build = make_small(*OFTEN)
    build.model.block2[0].register_forward_hook(lambda m, i, output: output * 1e5)  # type: ignore[union-attr,index]
    found = said(whole_run(build))["norm_statistics"]
    assert found.verdict == "warn" and "'block2.1'" in found.reason


def test_a_loss_that_jumps(make_small: Make) -> None:
    build = make_small(*OFTEN, "train.epochs=4")
    counter = counting(build)

    def criterion(logits: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits, targets) + (50.0 if counter.step == 75 else 0.0)

    plant(build.hooks.criterion, criterion)
    assert during(build) == {"loss_spikes": "warn"}


def test_a_training_that_becomes_slower(make_small: Make) -> None:
    def verdicts(rates: list[float]) -> list[str]:
        watch = Throughput(window=5, seconds=5).watch(make_small())
        assert watch is not None
        found = []
        for step, rate in enumerate(rates):
            result = watch.judge(
                Trained(
                    step=step, epoch=0, loss=1, accuracy=0, learning_rate=1, images_per_second=rate, seconds=2.0 * step
                )
            )
            found += [result.verdict] if result else []
        return found

    assert set(verdicts([1000.0] * 30)) == {"pass"}
    assert set(verdicts([1000.0, 300.0, 900.0, 1000.0] * 8)) == {"pass"}
    assert verdicts([1000.0] * 20 + [300.0] * 10)[-1] == "warn"


def test_speed_is_not_judged_where_the_resolution_changes(make_small: Make) -> None:
    build = make_small()
    plant(build.hooks.resize, lambda images, context: images)
    assert Throughput().watch(build) is None


def test_a_batch_that_is_not_finite_is_kept(make_small: Make, tmp_path: Path) -> None:
    build = make_small(*OFTEN)
    counter = counting(build)

    def criterion(logits: Tensor, targets: Tensor) -> Tensor:
        loss = nn.functional.cross_entropy(logits, targets)
        return loss * float("nan") if counter.step >= 13 else loss

    plant(build.hooks.criterion, criterion)
    events = whole_run(build, tmp_path)
    assert isinstance(events[-1], Diverged)
    found = said(events)["non_finite"]
    assert found.verdict == "fail" and "bad_batch.safetensors" in found.advice
    with safe_open(tmp_path / "bad_batch.safetensors", "pt") as file:
        assert file.metadata()["layer"] == "criterion"
        assert tuple(file.get_tensor("indices").tolist()) == events[-1].indices
        assert file.get_tensor("images").shape == (64, 3, 16, 16)
    assert wrong(said(events)).keys() == {"non_finite"}


def test_the_observer_of_a_plugin_for_an_earlier_version_is_called(make_small: Make) -> None:
    class Seen(Watch):
        steps = 0

        def due(self, context: StepContext) -> bool:
            return True

        def look(self, context: StepContext) -> None:
            self.steps += 1

    class Further(Seen):
        """It inherits what its base sees."""

    for kind in (Seen, Further):
        observer = kind()
        observer.observe(StepContext(step=0, steps=1, steps_per_epoch=1))
        assert observer.steps == 1
