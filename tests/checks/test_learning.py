"""Known answers about learning nothing, diverging, breaking later, and being unable to tell."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.checks.conftest import Make, plant, said, small_digits, split_of, whole_run, wrong
from workbench.checks.base import CheckObserver, Result
from workbench.checks.learning import Learning, guessing
from workbench.engine.build import Build
from workbench.events import CheckFinished, Evaluated, Event, Finished, Trained
from workbench.format import percent
from workbench.step import StepContext

NORM, NO_NORM = (), ("techniques.batch_norm=off",)
RATES = (0.001, 0.01, 0.1, 1.0, 10.0, 30.0)
NOISE = 0.1 + 3 * math.sqrt(0.1 * 0.9 / 359)
"""Three standard deviations above a tenth of the 359 test images."""


def with_rate(optimizer: str, rate: float) -> tuple[str, ...]:
    if optimizer == "sgd":
        return (f"techniques.sgd.learning_rate={rate}", "techniques.sgd.momentum=0.9")
    return ("techniques.sgd=off", f"techniques.{optimizer}.learning_rate={rate}")


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("norm", [NORM, NO_NORM], ids=["norm", "no-norm"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon"])
def test_a_grid_of_learning_rates(make_small: Make, optimizer: str, norm: tuple[str, ...], rate: float) -> None:
    """What guesses or is far above ln 10 at the end fails; what has clearly learned raises nothing."""
    events = whole_run(make_small(*norm, *with_rate(optimizer, rate)))
    end = events[-1]
    found = wrong(said(events))
    failed = {name for name, verdict in found.items() if verdict == "fail"}
    if not isinstance(end, Finished):
        assert failed
    elif end.test_accuracy <= NOISE or not end.test_loss <= 3 * math.log(10):
        assert "learning" in failed
        assert not {"fit", "class_accuracy"} & {name for name, check in said(events).items() if check.verdict == "pass"}
    elif end.test_accuracy > 0.5 and end.test_loss < math.log(10):
        assert "learning" not in found and said(events)["learning"].verdict == "pass"


def learning(events: list[Event]) -> CheckFinished:
    return said(events)["learning"]


def test_a_recipe_that_learns_nothing_says_so_with_its_numbers(make_small: Make) -> None:
    events = whole_run(make_small(*NO_NORM, "techniques.sgd.learning_rate=1e-9"))
    found, end = learning(events), events[-1]
    assert isinstance(end, Finished) and found.verdict == "fail"
    assert f"accuracy {percent(end.test_accuracy, 1)}" in found.found
    assert "nothing was learned in 46 steps" in found.reason
    assert "--range-test" in found.advice and "lower" not in found.advice
    assert said(events)["fit"].verdict == said(events)["class_accuracy"].verdict == "not judged"


def test_it_is_said_while_the_run_goes_on(make_small: Make) -> None:
    """Before the last evaluation, not only after it."""
    events = whole_run(make_small(*NO_NORM, "techniques.sgd.learning_rate=30", "train.epochs=3"))
    told = [n for n, event in enumerate(events) if isinstance(event, CheckFinished) and event.name == "learning"]
    last = max(n for n, event in enumerate(events) if isinstance(event, Evaluated))
    assert told[0] < last
    first = events[told[0]]
    assert isinstance(first, CheckFinished) and first.verdict == "fail" and "times that of guessing" in first.reason


def breaking(build: Build, step: int) -> None:
    """From this step on the output layer is put back to nothing."""

    def throw(context: StepContext, skip: Tensor) -> None:
        if context.step >= step:
            with torch.no_grad():
                build.model.output.weight.zero_()  # type: ignore[union-attr,operator]
                build.model.output.bias.zero_()  # type: ignore[union-attr,operator]

    plant(build.hooks.after_step, throw)


def test_what_had_learned_and_broke_later(make_small: Make) -> None:
    build = make_small("train.epochs=6")
    breaking(build, 80)
    events = whole_run(build)
    told = [event for event in events if isinstance(event, CheckFinished) and event.name == "learning"]
    assert [event.verdict for event in told] == ["fail", "fail"]
    assert all("has lost it again" in event.reason for event in told)
    last = max(n for n, event in enumerate(events) if isinstance(event, Evaluated))
    assert events.index(told[0]) < last < events.index(told[1])  # while it trains, and with the test's numbers


@pytest.mark.parametrize(
    "overrides",
    [
        ("techniques.label_smoothing.smoothing=0.4", "techniques.mixup.alpha=1.0"),
        ("techniques.label_smoothing.smoothing=0.9",),
        ("techniques.cutmix.alpha=1.0", "techniques.ema.decay=0.9"),
        ("techniques.loss_sum=on", "techniques.lookahead=on"),
        ("techniques.swa=on", "techniques.freeze_layers.start=0.3"),
        ("train.log_every=50",),
    ],
)
def test_healthy_runs_raise_nothing(make_small: Make, overrides: tuple[str, ...]) -> None:
    events = whole_run(make_small("train.epochs=4", *overrides))
    assert learning(events).verdict == "pass"


def test_a_run_of_a_few_steps_is_not_judged_unless_it_has_diverged(make_small: Make) -> None:
    few = learning(whole_run(make_small(*NO_NORM, "train.epochs=0.2", "techniques.sgd.learning_rate=1e-9")))
    assert few.verdict == "not judged" and "5 steps are too few" in few.reason
    wild = learning(whole_run(make_small(*NO_NORM, "train.epochs=0.2", "techniques.sgd.learning_rate=30")))
    assert wild.verdict == "fail" and "diverged" in wild.reason


def imbalanced(labels: Tensor) -> Tensor:
    """Which images make a class of the digits below 5 and a quarter as many of the others."""
    low, high = torch.nonzero(labels < 5)[:, 0], torch.nonzero(labels >= 5)[:, 0]
    return torch.cat((low, high[: len(low) // 4]))


@pytest.mark.parametrize(("rate", "verdict"), [(0.05, "pass"), (1e-9, "fail"), (30.0, "fail")])
def test_the_share_of_the_largest_class_is_no_achievement(make: Make, rate: float, verdict: str) -> None:
    whole = small_digits()
    train, test = imbalanced(whole.train.labels), imbalanced(whole.test.labels)
    data = replace(
        whole,
        train=split_of(whole.train.images(train), (whole.train.labels[train] >= 5).long()),
        test=split_of(whole.test.images(test), (whole.test.labels[test] >= 5).long()),
        classes=("low", "high"),
    )
    build = make("train.epochs=15", *NO_NORM, f"techniques.sgd.learning_rate={rate}", dataset=data)
    events = whole_run(build)
    end = events[-1]
    assert isinstance(end, Finished)
    if verdict == "fail":
        assert end.test_accuracy in (pytest.approx(0.8, abs=0.02), pytest.approx(0.2, abs=0.02))
    assert learning(events).verdict == verdict


@pytest.mark.parametrize(("rate", "verdict"), [(0.05, "not judged"), (1e-9, "fail")])
def test_few_test_images_leave_it_to_the_training_images(make: Make, rate: float, verdict: str) -> None:
    whole = small_digits()
    wrong_labels = split_of(whole.test.images(torch.arange(4)), (whole.test.labels[:4] + 1) % 10)
    build = make(
        *NO_NORM, "train.epochs=4", f"techniques.sgd.learning_rate={rate}", dataset=replace(whole, test=wrong_labels)
    )
    found = learning(whole_run(build))
    assert found.verdict == verdict and "clean training" in found.found


def test_learned_in_training_alone(make: Make) -> None:
    """Test labels that have nothing to do with the images."""
    whole = small_digits()
    labels = torch.arange(len(whole.test.labels)) % 10
    build = make("train.epochs=6", dataset=replace(whole, test=split_of(whole.test.images(), labels)))
    found = learning(whole_run(build))
    assert found.verdict == "fail" and "nothing of that is left in the test" in found.reason


def test_the_loss_of_guessing_is_that_of_the_recipes_own_criterion(make_small: Make) -> None:
    share, level, floor = guessing(make_small("techniques.label_smoothing.smoothing=0.3"))
    assert level == pytest.approx(math.log(10)) and floor <= level
    assert 0.1 < share < 0.11
    build = make_small()
    plant(build.hooks.criterion, lambda logits, targets: logits.sum() * targets.shape[1])  # for targets of its own
    assert math.isnan(guessing(build)[1])


def points(watch: CheckObserver, losses: list[float], accuracies: list[float]) -> list[Result | None]:
    found = []
    for number, (loss, accuracy) in enumerate(zip(losses, accuracies, strict=True), start=1):
        trained = Trained(
            step=10 * number, epoch=0.0, loss=loss, accuracy=accuracy, learning_rate=0.1, images_per_second=1, seconds=1
        )
        found.append(watch.judge(trained))
    return found


def test_nothing_learned_for_long_is_a_warning_until_it_begins(make_small: Make) -> None:
    watch = Learning().watch(make_small())
    assert watch is not None
    found = points(watch, [2.31] * 30 + [1.5] * 6, [0.1] * 30 + [0.5] * 6)
    assert not any(found[:19])
    assert found[20] is not None and found[20].verdict == "warn"
    assert [r.verdict for r in found[30:] if r][-1] == "pass" and watch.stopped().verdict == "pass"


def test_a_single_bad_point_decides_nothing(make_small: Make) -> None:
    watch = Learning().watch(make_small())
    assert watch is not None
    losses = [2.3, 2.0, 1.5, 1.0, 0.8, 50.0, 0.7, 0.6, 60.0, 0.5]
    assert not any(points(watch, losses, [0.5] * 10)) and watch.stopped().verdict == "pass"


def test_a_run_that_is_stopped_early_has_what_was_seen_so_far(make_small: Make) -> None:
    watch = Learning().watch(make_small())
    assert watch is not None and watch.stopped().verdict == "not judged"
    points(watch, [2.3], [0.1])
    assert watch.stopped().verdict == "not judged" and "after 10 steps" in watch.stopped().reason
