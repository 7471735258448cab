"""A check that has nothing to judge, or too little, says so; it never passes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.checks.conftest import Make, before, counting, digits, plant, said, split_of, whole_run
from workbench.checks.base import chosen, not_judged
from workbench.checks.learning_rate_range import LearningRateRange
from workbench.checks.outcome import still_rising
from workbench.checks.run_checks import RunChecks
from workbench.checks.throughput import Throughput
from workbench.control import Control
from workbench.engine import cost
from workbench.engine.backend import backend
from workbench.engine.build import Build
from workbench.engine.state import Checkpoints
from workbench.engine.train import train
from workbench.events import CheckFinished, Event, Stopped, Trained, from_json, to_json
from workbench.recipe import read_recipe

DURING = {spec.name for spec in chosen(read_recipe("", consistent=False), "during")}
OFTEN = ("checks.gradient_norm.every=2", "checks.update_ratio.every=2", "checks.dead_units.every=2")


def test_a_run_of_one_step_passes_nothing_that_needs_more(make_small: Make) -> None:
    found = said(whole_run(make_small("train.epochs=0.01")))
    assert set(found) >= DURING | {"fit", "class_accuracy"}
    assert {name for name in DURING if found[name].verdict == "pass"} == {"non_finite"}  # it looked at that step
    rest = [found[name] for name in DURING - {"non_finite"}]
    assert all(check.verdict == "not judged" and check.reason for check in rest)
    assert "of the 6 looks that it needs" in found["gradient_norm"].reason
    assert "1 of the 11 points" in found["loss_spikes"].reason


def test_what_is_not_judged_survives_a_line_of_json(make_small: Make) -> None:
    event = LearningRateRange().event(not_judged("there was nothing"))
    assert '"verdict":"not judged"' in to_json(event) and from_json(to_json(event)) == event


def test_nothing_learned_is_neither_a_good_fit_nor_fair_to_every_class(make_small: Make) -> None:
    found = said(whole_run(make_small("techniques.batch_norm=off", "techniques.sgd.learning_rate=1e-9")))
    assert found["fit"].verdict == "not judged" and "within reach of guessing" in found["fit"].reason
    assert found["class_accuracy"].verdict == "not judged" and "is below 80 %" in found["class_accuracy"].reason


def test_one_training_image_shows_no_isolation(make: Make) -> None:
    whole = digits()
    one = replace(whole, train=split_of(whole.train.images(torch.arange(1)), whole.train.labels[:1]))
    build = make("techniques.batch_norm=off", dataset=one)
    assert before(build, "batch_isolation")["batch_isolation"].verdict == "not judged"


def test_gradients_that_are_not_finite_show_no_isolation(make: Make) -> None:
    build = make()
    with torch.no_grad():
        build.model.output.weight.fill_(float("nan"))  # type: ignore[union-attr,operator]
    assert before(build, "batch_isolation")["batch_isolation"].verdict == "not judged"


def test_a_run_of_one_step_has_no_first_steps(make: Make) -> None:
    found = before(make("train.epochs=0.01"), "first_steps")["first_steps"]
    assert found.verdict == "not judged" and "one step" in found.reason


def test_a_batch_that_is_known_by_heart_before(make: Make) -> None:
    found = before(make("checks.overfit_batch.goal=10"), "overfit_batch")["overfit_batch"]
    assert found.verdict == "not judged"


def test_a_loss_that_falls_at_no_rate_has_no_range_and_no_suggestion(make_small: Make) -> None:
    build = make_small()
    plant(build.hooks.criterion, lambda logits, targets: 0.0 * logits.sum() + 2.3)
    result = LearningRateRange(steps=10).examine(build)
    assert result.verdict == "not judged" and result.figures["suggestion"] is None


def test_data_beyond_the_limit_and_activations_that_cannot_be_counted(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = before(make("checks.duplicates.limit=0.001"), "duplicates")["duplicates"]
    assert found.verdict == "not judged" and "GiB" in found.reason and "checks.duplicates.limit" in found.advice
    monkeypatch.setattr(cost, "saved_bytes", lambda model, shape: None)
    assert before(make(), "memory")["memory"].verdict == "not judged"


def test_a_stretch_is_not_held_against_itself(make_small: Make) -> None:
    watch = Throughput(window=5, seconds=0).watch(make_small())
    assert watch is not None
    found = [
        watch.judge(
            Trained(step=n, epoch=0, loss=1, accuracy=0, learning_rate=1, images_per_second=100, seconds=float(n))
        )
        for n in range(1, 12)
    ]
    assert not any(found[:8]) and found[8] is not None and found[8].verdict == "pass"


def stopped_at(build: Build, step: int, folder: Path) -> list[Event]:
    """The events of a run that is asked to stop at a step, with its checkpoint in the folder."""
    control, events = Control(), []
    with backend(build.recipe):
        for event in train(build, control, Checkpoints(folder), None, observers=[RunChecks(build)]):
            events.append(event)
            if isinstance(event, Trained) and event.step >= step:
                control.stop()
    assert isinstance(events[-1], Stopped)
    return events


def going_on(build: Build, folder: Path) -> list[Event]:
    """The events of the rest of that run."""
    with backend(build.recipe):
        return list(train(build, Control(), None, Checkpoints(folder).load(), observers=[RunChecks(build)]))


def test_a_stopped_run_says_what_was_not_judged_and_the_rest_judges_it(make_small: Make, tmp_path: Path) -> None:
    recipe = (*OFTEN, "train.epochs=4")
    first = said(stopped_at(make_small(*recipe), 20, tmp_path))
    assert first["loss_spikes"].verdict == first["gradient_norm"].verdict == "not judged"
    rest = said(going_on(make_small(*recipe), tmp_path))
    assert rest["loss_spikes"].verdict == rest["gradient_norm"].verdict == "pass"
    assert rest["learning"].verdict == "pass"


def test_a_run_that_goes_on_remembers_what_was_wrong(make_small: Make, tmp_path: Path) -> None:
    """A spike before the checkpoint is no pass after it, and is not told twice."""

    def with_a_spike() -> Build:
        build = make_small("train.epochs=6")
        counter = counting(build)

        def criterion(logits: Tensor, targets: Tensor) -> Tensor:
            return nn.functional.cross_entropy(logits, targets) + (50.0 if counter.step == 75 else 0.0)

        plant(build.hooks.criterion, criterion)
        return build

    assert said(stopped_at(with_a_spike(), 90, tmp_path))["loss_spikes"].verdict == "warn"
    rest = [e for e in going_on(with_a_spike(), tmp_path) if isinstance(e, CheckFinished)]
    assert not [event for event in rest if event.name == "loss spikes"]


def test_a_checkpoint_without_checks_is_gone_on_from(make_small: Make, tmp_path: Path) -> None:
    stopped_at(make_small("train.epochs=4"), 20, tmp_path)
    state = Checkpoints(tmp_path).load()
    assert state is not None
    del state["checks"]
    with backend((build := make_small("train.epochs=4")).recipe):
        assert (
            said(list(train(build, Control(), None, state, observers=[RunChecks(build)])))["learning"].verdict == "pass"
        )


def test_a_rest_too_short_for_a_rise_is_not_stuck() -> None:
    assert still_rising(tuple((i, 0.5) for i in range(1000))) == 0
    assert math.isnan(still_rising(tuple((i, 0.5) for i in range(900, 1000))))
