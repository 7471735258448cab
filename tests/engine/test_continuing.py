"""The learning rate of a run that is trained on, against known answers."""

from __future__ import annotations

import math

import pytest

from workbench.engine.continuing import (
    SCHEDULES,
    Continuation,
    Schedule,
    continued,
    factor_at,
    schedule_of,
    why_not_longer,
)
from workbench.recipe import read_recipe
from workbench.step import StepContext

PER_EPOCH, OLD, NEW = 10, 100, 200


def cosine(context: StepContext) -> float:
    return 0.5 * (1 + math.cos(math.pi * context.progress))


def rates(schedule: Schedule, step: int = OLD) -> list[float]:
    last = factor_at(cosine, step - 1, OLD, PER_EPOCH)
    factor = continued(cosine, Continuation(schedule, step, OLD, PER_EPOCH, last, 0.1, ""))
    return [factor_at(factor, s, NEW, PER_EPOCH) for s in range(NEW)]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("step", [40, OLD])
def test_what_is_trained_keeps_its_rates(schedule: Schedule, step: int) -> None:
    assert rates(schedule, step)[:step] == [factor_at(cosine, s, OLD, PER_EPOCH) for s in range(step)]


def test_planned_is_the_schedule_of_the_longer_run() -> None:
    assert rates("planned")[OLD:] == [factor_at(cosine, s, NEW, PER_EPOCH) for s in range(OLD, NEW)]


def test_hold_keeps_the_last_rate() -> None:
    assert set(rates("hold", 40)[40:]) == {factor_at(cosine, 39, OLD, PER_EPOCH)}


def test_rewarm_climbs_from_the_last_rate_and_comes_down_again() -> None:
    found = rates("rewarm")
    climb = found[OLD - 1 : OLD + 10]
    assert climb == sorted(climb) and climb[1] < 0.1 and climb[-1] > 0.85
    assert found[OLD + 10 :] == [factor_at(cosine, s, NEW - OLD, PER_EPOCH) for s in range(10, NEW - OLD)]


def test_a_recipes_schedule_is_found_without_its_data(digits_recipe: str) -> None:
    assert factor_at(schedule_of(read_recipe(digits_recipe), 10), 7, 10, 5) == 1.0
    with_cosine = read_recipe(digits_recipe + "\n[techniques.cosine]\nevery = 'step'\n")
    assert factor_at(schedule_of(with_cosine, 10), 5, 10, 5) == pytest.approx(0.5)


def test_one_that_is_continued_again_keeps_the_rates_of_all_before() -> None:
    last = factor_at(cosine, 39, OLD, PER_EPOCH)
    first = Continuation("hold", 40, OLD, PER_EPOCH, last, 0.1, "a")
    second = Continuation("rewarm", 120, 120, PER_EPOCH, last, 0.1, "b", first)
    factor = continued(cosine, second)
    found = [factor_at(factor, s, NEW, PER_EPOCH) for s in range(NEW)]
    assert found[:40] == [factor_at(cosine, s, OLD, PER_EPOCH) for s in range(40)]
    assert set(found[40:120]) == {last}
    assert last < found[120] < found[125] and found[-1] < 0.01


@pytest.mark.parametrize(("stands", "free"), [(74, True), (75, True), (79, True), (80, False), (100, False)])
def test_an_average_that_has_begun_cannot_go_on(digits_recipe: str, stands: int, free: bool) -> None:
    recipe = read_recipe(digits_recipe + "\n[techniques.swa]\nstart = 0.75\n")  # the ends of epochs 8, 9 and 10
    reason = why_not_longer(recipe, stands, OLD, PER_EPOCH)
    assert (reason == "") is free
    assert free or reason == "swa averages its weights from epoch 8 on, as those of its end"
