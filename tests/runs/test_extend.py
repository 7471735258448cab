"""A run that is over, trained on as a new one: the same numbers where they can be the same, and honest where not."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from workbench.control import Control
from workbench.engine.state import Checkpoints
from workbench.events import CheckFinished, Event, Finished, Noted, RunStarted, Trained, to_json
from workbench.recipe import Recipe, read_recipe
from workbench.runs.errors import RunError, cannot_write
from workbench.runs.extend import begin, length_and_schedule, plan
from workbench.runs.store.checkpoints import fall_back, twin
from workbench.runs.store.continuation import parent_name, read_continuation
from workbench.runs.store.directory import RunDirectory, create_run
from workbench.runs.store.events import read_events
from workbench.runs.store.status import new_status, write_status
from workbench.runs.training.execute import execute
from workbench.runs.training.rescue import Anchor
from workbench.tui.runs.lister import CurveReader

TECHNIQUES = """
[techniques.dropout]
[techniques.ema]
decay = 0.9
[techniques.random_crop]
padding = 2
"""


@pytest.fixture
def recipe(digits_recipe: str) -> Recipe:
    """Nothing in it depends on the length of the run; much in it has a state."""
    text = digits_recipe.replace("learning_rate = 0.05", "learning_rate = 0.05\nmomentum = 0.9\n" + TECHNIQUES)
    return read_recipe(text.replace("batch_size = 64", "batch_size = 256").replace("log_every = 5", "log_every = 1"))


def of_length(recipe: Recipe, epochs: float) -> Recipe:
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": epochs, "threads": 1})})


def train(run: RunDirectory, *, resume: bool = False, stop_at: int | None = None, checks: bool = False) -> str:
    control = Control()

    def hear(event: Event) -> None:
        if stop_at is not None and isinstance(event, Trained) and event.step >= stop_at:
            control.stop()

    return execute(run, device="cpu", resume=resume, control=control, on_event=hear, checks=checks)


def state(run: RunDirectory) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(run.checkpoints / "last.pt", weights_only=True)
    return {part: loaded[part] for part in ("step", "model", "optimizer", "kept", "generator")}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.fixture
def finished(tmp_path: Path, recipe: Recipe) -> RunDirectory:
    run = create_run(tmp_path / "runs", of_length(recipe, 1))
    assert train(run) == "finished"
    return run


@pytest.mark.parametrize("epochs", [1, 1.5])
def test_where_nothing_depends_on_the_length_it_is_the_longer_run_bit_for_bit(
    tmp_path: Path, recipe: Recipe, epochs: float
) -> None:
    """Weights, momenta, averages, dropout's generator, crops and the order of the images all went on."""
    finished = create_run(tmp_path / "runs", of_length(recipe, epochs))
    assert train(finished) == "finished"
    longer = begin(plan(finished, 3, "planned"), tmp_path / "runs")
    assert train(longer, resume=True) == "finished"
    whole = create_run(tmp_path / "runs", of_length(recipe, 3))
    assert train(whole) == "finished"
    assert same(state(longer), state(whole))
    ours, theirs = (
        [(e.step, e.loss, e.learning_rate) for e in read_events(run) if isinstance(e, Trained)]
        for run in (longer, whole)
    )
    assert ours == theirs and [step for step, *_ in ours] == list(range(1, 19))


@pytest.mark.parametrize("schedule", ["hold", "rewarm"])
def test_it_resumes_bit_for_bit_itself_and_can_be_continued_again(
    tmp_path: Path, recipe: Recipe, schedule: str
) -> None:
    cosine = read_recipe_with(recipe, "cosine")
    parent = create_run(tmp_path / "runs", of_length(cosine, 1))
    train(parent)
    straight, broken = (begin(plan(parent, 2, schedule), tmp_path / "runs") for _ in range(2))
    assert train(straight, resume=True) == "finished"
    assert train(broken, resume=True, stop_at=8) == "stopped"
    assert train(broken, resume=True) == "finished"
    assert same(state(straight), state(broken))
    rates = [e.learning_rate for e in read_events(straight) if isinstance(e, Trained)]
    if schedule == "hold":
        assert set(rates[6:]) == {rates[5]}
        again = begin(plan(straight, 3, "hold"), tmp_path / "runs")
        train(again, resume=True)
        held = [e.learning_rate for e in read_events(again) if isinstance(e, Trained)]
        assert held[:12] == rates and held[12:] == pytest.approx([rates[5]] * 6)
    else:
        assert rates[5] < rates[6] < rates[7]


def read_recipe_with(recipe: Recipe, technique: str) -> Recipe:
    from workbench.recipe.registries import TECHNIQUES as CARDS

    return recipe.with_technique(CARDS[technique](every="step", minimum=0.01))


def test_the_curve_is_joined_to_the_parents_and_the_difference_is_said(tmp_path: Path, finished: RunDirectory) -> None:
    wanted = plan(finished, 2, "planned")
    longer = begin(wanted, tmp_path / "runs")
    train(longer, resume=True)
    events = read_events(longer)
    assert isinstance(events[0], RunStarted) and events[0].steps == 12
    steps = [event.step for event in events if isinstance(event, Trained)]
    assert steps == list(range(1, 13))
    assert sum(isinstance(event, Finished) for event in events) == 1
    told = " ".join(event.message for event in events if isinstance(event, Noted))
    assert finished.name in told and "This is not the same as 2 epochs from the start" in told
    curves = CurveReader(longer).read()
    assert [step for step, _ in curves.values["test accuracy"]] == [6, 12]
    assert parent_name(longer) == finished.name and parent_name(finished) == ""
    assert longer.recipe() == of_length(finished.recipe(), 2)  # the recipe does not know
    assert read_continuation(longer) == wanted.how


def test_the_time_between_the_runs_is_no_time_of_theirs(tmp_path: Path, recipe: Recipe) -> None:
    parent = create_run(tmp_path / "runs", of_length(recipe, 2))
    train(parent, stop_at=3)
    train(parent, resume=True)  # which says anew what is trained
    month = 30 * 24 * 3600.0
    old = [dataclasses.replace(event, time=event.time - month) for event in read_events(parent)]
    parent.events_file.write_text("".join(to_json(event) + "\n" for event in old))
    events = read_events(begin(plan(parent, 3, "hold"), tmp_path / "runs"))
    times = [event.time for event in events]
    assert min(times) == times[0] and times[1:] == sorted(times[1:])
    assert time.time() - 60 < times[0] and times[-1] <= time.time()
    before = [event.time for event in old if isinstance(event, Trained)]
    after = [event.time for event in events if isinstance(event, Trained)]
    assert after[-1] - after[0] == pytest.approx(before[-1] - before[0], abs=1e-3)


def test_the_checks_of_before_and_meanwhile_still_count(tmp_path: Path, recipe: Recipe) -> None:
    parent = create_run(tmp_path / "runs", of_length(recipe, 1))
    assert train(parent, checks=True) == "finished"
    longer = begin(plan(parent, 2, "planned"), tmp_path / "runs")
    told = [event.name for event in read_events(longer) if isinstance(event, CheckFinished)]
    assert "initial loss" in told and not {"fit", "accuracy by class"} & set(told)
    assert train(longer, resume=True, checks=True) == "finished"
    told = [event.name for event in read_events(longer) if isinstance(event, CheckFinished)]
    assert told.count("initial loss") == told.count("fit") == 1


def test_the_parent_may_go(tmp_path: Path, finished: RunDirectory) -> None:
    import shutil

    longer = begin(plan(finished, 2, "planned"), tmp_path / "runs")
    shutil.rmtree(finished.path)
    assert train(longer, resume=True) == "finished"


def test_a_stopped_run_is_trained_on_from_where_it_stands(tmp_path: Path, recipe: Recipe) -> None:
    run = create_run(tmp_path / "runs", of_length(recipe, 2))
    assert train(run, stop_at=4) == "stopped"
    longer = begin(plan(run, 3, "planned"), tmp_path / "runs")
    assert train(longer, resume=True) == "finished"
    assert [e.step for e in read_events(longer) if isinstance(e, Trained)] == list(range(1, 19))
    with pytest.raises(RunError, match=r"is planned for 2 epochs; it goes on without --epochs"):
        plan(run, 2, "planned")


def test_what_cannot_be_is_one_line_and_makes_nothing(tmp_path: Path, finished: RunDirectory) -> None:
    def refused(epochs: float = 2, schedule: str = "hold") -> str:
        with pytest.raises(RunError) as told:
            plan(finished, epochs, schedule)
        assert "\n" not in str(told.value)
        assert list(finished.path.parent.iterdir()) == [finished.path]
        return str(told.value)

    last_one = finished.checkpoints / "last.pt"
    assert "has trained 1 epochs already, and --epochs is the whole length" in refused(1)
    assert "--schedule linear: there are planned, hold, rewarm" in refused(2, "linear")
    assert "train.epochs" in refused(-3) and "train.epochs" in refused(float("nan"))
    live = new_status("running")
    write_status(finished, live)
    assert "is at work; it can be trained on when it is over" in refused()
    write_status(finished, dataclasses.replace(live, state="finished"))
    text = finished.recipe_file.read_text()
    finished.recipe_file.write_text(text.replace("seed = 3", "seed = 4"))
    assert "last.pt: belongs to another recipe than" in refused()
    finished.recipe_file.write_text(text)
    whole = last_one.read_bytes()
    last_one.write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:])
    assert "last.pt: is damaged: its content is not what its digest says" in refused()
    last_one.write_bytes(b"PK not a checkpoint")
    assert "last.pt: not a readable checkpoint" in refused()
    last_one.unlink()
    last_one.mkdir()
    assert "last.pt: cannot be read: it is a folder, not a file" in refused()
    last_one.rmdir()
    assert "has no checkpoint to go on from" in refused() and "from scratch" in refused()


def test_before_its_first_checkpoint_it_goes_on_from_the_others(finished: RunDirectory, tmp_path: Path) -> None:
    longer = begin(plan(finished, 2, "hold"), tmp_path / "runs")
    with pytest.raises(RunError, match=f"train on what it was to go on from: workbench run --resume {finished.name}"):
        plan(longer, 3, "hold")
    (longer.checkpoints / "start.pt").unlink()
    assert train(longer, resume=True) == "failed"
    assert "start.pt is gone, from which this run was to go on" in last(longer)


def last(run: RunDirectory) -> str:
    return str(getattr(read_events(run)[-1], "error", ""))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps_per_epoch": 7}, "the data set has changed: an epoch has 6 steps and had 7"),
        ({"recipe": "0"}, "the checkpoint is not of the run that this one was to go on from"),
        ({"step": 5}, "the checkpoint is not of the run that this one was to go on from"),
        ({"schedule": "sideways"}, "does not say what the run goes on from (how.schedule)"),
        ({"step": "x"}, "does not say what the run goes on from (how.step)"),
        ({"steps_per_epoch": 0}, "does not say what the run goes on from (how.steps_per_epoch)"),
    ],
)
def test_what_does_not_fit_is_one_line(
    tmp_path: Path, finished: RunDirectory, change: dict[str, object], said: str
) -> None:
    longer = begin(plan(finished, 2, "hold"), tmp_path / "runs")
    about = json.loads(longer.continues_file.read_text())
    about["how"] |= change
    longer.continues_file.write_text(json.dumps(about))
    assert train(longer, resume=True) == "failed"
    assert said in last(longer) and "\n" not in last(longer)


def test_another_network_is_one_line(tmp_path: Path, finished: RunDirectory) -> None:
    longer = begin(plan(finished, 2, "hold"), tmp_path / "runs")
    saved = torch.load(longer.checkpoints / "start.pt", weights_only=True)
    saved["model"][next(iter(saved["model"]))] = torch.zeros(3)
    (longer.checkpoints / "start.pt").unlink()
    Checkpoints(longer.checkpoints).save("start", saved)
    assert train(longer, resume=True) == "failed"
    assert "the checkpoint does not fit its recipe" in last(longer)


def test_a_killed_run_goes_on_from_what_its_checkpoint_says(tmp_path: Path, recipe: Recipe) -> None:
    """It was killed between writing the checkpoint and saying so."""
    run = create_run(tmp_path / "runs", of_length(recipe, 2))
    assert train(run, stop_at=4) == "stopped"
    lines = run.events_file.read_text().splitlines()
    kept = [line for line in lines if '"checkpoint_saved"' not in line and '"stopped"' not in line]
    run.events_file.write_text("\n".join(kept) + "\n")
    assert plan(run, 3, "planned").how.step == state(run)["step"]


def test_it_falls_back_on_the_start_and_on_the_best_of_before(tmp_path: Path, recipe: Recipe) -> None:
    held_out = recipe.model_copy(update={"data": recipe.data.model_copy(update={"validation": 0.2})})
    run = create_run(tmp_path / "runs", of_length(held_out, 1))
    assert train(run) == "finished"
    longer = begin(plan(run, 2, "planned"), tmp_path / "runs")
    again = begin(plan(run, 2, "planned"), tmp_path / "runs")
    assert train(longer, resume=True, stop_at=7) == "stopped"
    assert train(again, resume=True) == "finished"
    fall_back(longer, "start")
    assert train(longer, resume=True) == "finished"
    assert same(state(longer), state(again))
    third = begin(plan(longer, 3, "planned"), tmp_path / "runs")
    twin(run.checkpoints / "best.pt", third.checkpoints / "best.pt")
    fall_back(third, "best")
    assert train(third, resume=True) == "finished"
    steps = [event.step for event in read_events(third) if isinstance(event, Trained)]
    assert steps == sorted(set(steps)) and steps[-1] == third_steps(third)


def third_steps(run: RunDirectory) -> int:
    return next(event.steps for event in read_events(run) if isinstance(event, RunStarted))


def test_a_full_disk_leaves_nothing(tmp_path: Path, finished: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, text: str) -> None:
        raise cannot_write(path, OSError(28, "No space left on device"), len(text))

    wanted = plan(finished, 2, "hold")
    monkeypatch.setattr("workbench.runs.extend.replace_text", full)
    with pytest.raises(RunError, match=r"events\.jsonl: cannot be written"):
        begin(wanted, tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == [finished.path]


def test_what_is_rescued_still_knows_how_it_goes_on(tmp_path: Path, finished: RunDirectory) -> None:
    longer = begin(plan(finished, 2, "hold"), tmp_path / "runs")
    with longer.events_file.open("rb") as events:
        anchor = Anchor(longer, events.fileno())
        rescued = anchor.rescue()
        anchor.close()
    assert read_continuation(rescued) == plan(finished, 2, "hold").how
    assert train(rescued, resume=True) == "finished"


def test_the_table_shows_every_way_and_marks_the_chosen_one(finished: RunDirectory) -> None:
    wanted = plan(finished, 20, "rewarm")
    heading, trained, *rows = wanted.table(rows=5)
    assert heading == ["epoch", "planned", "hold", "rewarm ←"]
    assert trained == ["1, trained", "0.05", "0.05", "0.05"]
    assert [row[0] for row in rows] == ["1", "5", "9", "13", "17", "19.83"]
    assert all(row[1:] == ["0.05", "0.05", "0.05"] for row in rows)


def test_a_held_rate_of_nearly_nothing_is_warned_of(tmp_path: Path, recipe: Recipe) -> None:
    from workbench.recipe.registries import TECHNIQUES as CARDS

    falling = CARDS["piecewise_linear"](at=(0.0, 0.5, 1.0), factors=(1.0, 0.0, 0.0))
    parent = create_run(tmp_path / "runs", of_length(recipe.with_technique(falling), 1))
    train(parent)
    assert "hardly anything would be learned; choose planned or rewarm" in plan(parent, 2, "hold").sentences()[-1]
    assert len(plan(parent, 2, "rewarm").sentences()) == 2


def test_where_no_rate_was_written_down_shares_are_shown(tmp_path: Path, recipe: Recipe) -> None:
    quiet = recipe.model_copy(update={"train": recipe.train.model_copy(update={"log_every": 1000})})
    run = create_run(tmp_path / "runs", of_length(quiet, 1))
    assert train(run) == "finished"
    lines = [line for line in run.events_file.read_text().splitlines() if '"trained"' not in line]
    run.events_file.write_text("\n".join(lines) + "\n")
    wanted = plan(run, 2, "hold")
    assert wanted.title == "share of the learning rate by epoch" and wanted.table()[1][1:] == ["1"] * 3


def test_swa_ends_with_an_average_that_does_not_train_on(tmp_path: Path, recipe: Recipe) -> None:
    from workbench.recipe.registries import TECHNIQUES as CARDS

    averaged = recipe.without_technique("ema").with_technique(CARDS["swa"](start=0.0))
    run = create_run(tmp_path / "runs", of_length(averaged, 1))
    assert train(run) == "finished"
    with pytest.raises(RunError, match=r"swa averages its weights from epoch 1 on.*from scratch: workbench run"):
        plan(run, 2, "planned")


@pytest.mark.parametrize(("text", "meant"), [("20", (20.0, "planned")), (" 2.5, hold", (2.5, "hold"))])
def test_length_and_schedule_in_words(text: str, meant: tuple[float, str]) -> None:
    assert length_and_schedule(text) == meant


@pytest.mark.parametrize("text", ["", "hold", "0", "-3", "nan", "20 sideways", "20 hold 3"])
def test_what_is_no_length_is_said(text: str) -> None:
    with pytest.raises(RunError, match="such as: 20 rewarm"):
        length_and_schedule(text)
