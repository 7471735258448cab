"""A longer run out of one that is over: a new directory with the other's history and checkpoint, and its name."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from workbench.engine.continuing import (
    MEANINGS,
    Continuation,
    Factor,
    Schedule,
    continued,
    factor_at,
    schedule_of,
    why_not_longer,
)
from workbench.engine.continuing import SCHEDULES as SCHEDULES
from workbench.events import CheckFinished, Evaluated, Event, Noted, RunStarted, Trained, to_json
from workbench.recipe import Recipe, RecipeError, read_recipe_file, recipe_digest
from workbench.runs.errors import RunError, cannot_write, replace_text
from workbench.runs.store.checkpoints import Glance, glance, twin
from workbench.runs.store.continuation import START, parent_name, read_continuation, write_continuation
from workbench.runs.store.directory import RunDirectory, create_run
from workbench.runs.store.events import read_events
from workbench.runs.store.history import RunHistory
from workbench.runs.store.status import summary

NOT_THE_SAME = (
    "This is not the same as {epochs:g} epochs from the start: the first {done:g} were trained with the rates of a run "
    "of {planned:g}."
)
SAMPLED = 200
"""Steps at which a schedule is looked at for whether it would teach anything."""

NEXT_TO_NOTHING = 1e-3
"""Of the recipe's learning rate."""


@dataclass(frozen=True)
class Plan:
    """A longer run that could begin: everything about it that can be known before."""

    parent: RunDirectory
    recipe: Recipe
    how: Continuation
    started: RunStarted
    history: tuple[Event, ...]

    @property
    def done(self) -> float:
        """Epochs that are trained already."""
        return round(self.how.step / self.how.steps_per_epoch, 2)

    @property
    def steps(self) -> int:
        """The whole length in steps."""
        return max(1, round(self.recipe.train.epochs * self.how.steps_per_epoch))

    @property
    def title(self) -> str:
        """What the table shows."""
        return "learning rate by epoch" if self.how.rate else "share of the learning rate by epoch"

    def sentences(self) -> list[str]:
        """What is to be known before it begins."""
        planned = round(self.how.steps / self.how.steps_per_epoch, 2)
        epochs, schedule = self.recipe.train.epochs, self.how.schedule
        said = [
            f"Goes on with weights, optimizer and averages of {self.parent.name} after epoch {self.done:g}, to epoch "
            f"{epochs:g}; learning rate: {schedule}, {MEANINGS[schedule]}.",
            NOT_THE_SAME.format(epochs=epochs, done=self.done, planned=planned),
        ]
        if max(self.rates(schedule, self.sampled_steps(SAMPLED))) <= NEXT_TO_NOTHING * (self.how.rate or 1.0):
            said.append(
                f"With {schedule} the learning rate stays below a thousandth of the recipe's: hardly anything "
                f"would be learned; choose {' or '.join(name for name in SCHEDULES if name != schedule)}."
            )
        return said

    def sampled_steps(self, most: int) -> list[int]:
        """Steps that are still to be done: the first, the first of epochs, at most so many of them, and the last."""
        first, per = self.how.step, self.how.steps_per_epoch
        epochs = range(first // per + 1, -(-self.steps // per))
        every = max(1, -(-len(epochs) // most))
        return sorted({first, *(epoch * per for epoch in epochs[every - 1 :: every]), self.steps - 1})

    def rates(self, schedule: Schedule, steps: Sequence[int]) -> list[float]:
        """The learning rate at some steps under a way to go on; its share of the recipe's where that is not known."""
        factor = continued(
            schedule_of(self.recipe, len(self.started.classes)), dataclasses.replace(self.how, schedule=schedule)
        )
        unit = self.how.rate or 1.0
        return [unit * factor_at(factor, step, self.steps, self.how.steps_per_epoch) for step in steps]

    def table(self, rows: int = 12) -> list[list[str]]:
        """Rows of epoch and rate under each way to go on, the chosen one marked in the heading, which is the first."""
        heading = ["epoch", *(f"{name} ←" if name == self.how.schedule else name for name in SCHEDULES)]
        steps = self.sampled_steps(rows)
        columns = [self.rates(schedule, steps) for schedule in SCHEDULES]
        before = f"{self.how.last * (self.how.rate or 1.0):.3g}"
        return [
            heading,
            [f"{self.done:g}, trained", *[before] * len(SCHEDULES)],
            *(
                [f"{round(step / self.how.steps_per_epoch, 2):g}", *(f"{column[i]:.3g}" for column in columns)]
                for i, step in enumerate(steps)
            ),
        ]


def plan(parent: RunDirectory, epochs: float, schedule: str) -> Plan:
    """What it takes to train a run on to ``epochs`` in all. Raises RunError where that cannot be, in one line."""
    name = parent.name
    chosen = _known(schedule)
    if summary(parent).live:
        raise RunError(f"run '{name}' is at work; it can be trained on when it is over")
    recipe, longer = _recipes(parent, epochs)
    saved = _checkpoint(parent, epochs)
    digest = recipe_digest(recipe)
    if saved.recipe != digest:
        raise RunError(
            f"{parent.checkpoints / 'last.pt'}: belongs to another recipe than {parent.recipe_file}, which must not be "
            "changed"
        )
    events = read_events(parent)
    started = RunHistory(events).started
    if started is None or not started.steps or not started.steps_per_epoch:
        raise RunError(f"{parent.events_file}: does not say how long the run was; it cannot be trained on")
    per = started.steps_per_epoch
    done, planned = round(saved.step / per, 2), round(started.steps / per, 2)
    if round(epochs * per) <= saved.step:
        raise RunError(f"run '{name}' has trained {done:g} epochs already, and --epochs is the whole length; give more")
    if saved.step < started.steps and longer.train.epochs == recipe.train.epochs:
        raise RunError(f"run '{name}' is planned for {planned:g} epochs; it goes on without --epochs")
    if reason := why_not_longer(recipe, saved.step, started.steps, per):
        raise RunError(f"run '{name}': {reason}; train from scratch: workbench run {name} --epochs {epochs:g}")
    history = _history(events, saved.step, started.steps)
    earlier = read_continuation(parent)
    try:
        factor = schedule_of(recipe, len(started.classes))
        factor = factor if earlier is None else continued(factor, earlier)
        last = factor_at(factor, max(0, saved.step - 1), started.steps, per)
        rate = (earlier.rate if earlier is not None else 0.0) or _rate(factor, started, history)
    except Exception as error:  # a plugin's schedule, which may ask for what only a whole build has
        said = " ".join(str(error).split())[:200]
        raise RunError(f"run '{name}': its learning rate cannot be told: {type(error).__name__}: {said}") from error
    how = Continuation(chosen, saved.step, started.steps, per, last, rate, digest, earlier)
    return Plan(parent, longer, how, started, history)


def _history(events: Sequence[Event], step: int, steps: int) -> tuple[Event, ...]:
    """What was said up to a step and counts for a longer run, too: curves, and checks but for those of the end."""
    kept: list[Event] = []
    over = False
    for event in events:
        if getattr(event, "step", -1) > step:
            break
        if isinstance(event, Trained | Evaluated):
            kept.append(event)
            over = over or (isinstance(event, Evaluated) and event.step == steps)
        elif isinstance(event, CheckFinished) and not over and event.verdict != "not judged":
            kept.append(event)
    return tuple(kept)


def _recipes(parent: RunDirectory, epochs: float) -> tuple[Recipe, Recipe]:
    """A run's recipe, and the same for another length."""
    try:
        return parent.recipe(), read_recipe_file(parent.recipe_file, [f"train.epochs={float(epochs)}"])
    except RecipeError as error:
        kept = f"; the sources of its plugins are in {parent.plugins}" if parent.plugins.is_dir() else ""
        raise RunError(f"run '{parent.name}': {error.problems[0]}{kept}") from error


def _checkpoint(parent: RunDirectory, epochs: float) -> Glance:
    path = parent.checkpoints / "last.pt"
    try:
        return glance(path)
    except FileNotFoundError:
        instead = f"train from scratch: workbench run {parent.name} --epochs {epochs:g}"
        if (before := parent_name(parent)) and (parent.checkpoints / f"{START}.pt").exists():
            instead = f"train on what it was to go on from: workbench run --resume {before} --epochs {epochs:g}"
        raise RunError(
            f"run '{parent.name}' has no checkpoint to go on from ({path} is not there); {instead}"
        ) from None


def length_and_schedule(text: str) -> tuple[float, str]:
    """Epochs and schedule as a person writes them, ``20`` or ``20 hold``. Raises RunError."""
    words = text.replace(",", " ").split()
    epochs = 0.0
    with suppress(ValueError, IndexError):
        epochs = float(words[0])
    schedule = words[1] if len(words) > 1 else SCHEDULES[0]
    if not 0 < epochs <= 100_000 or len(words) > 2 or schedule not in SCHEDULES:
        raise RunError(f"write a number of epochs and one of {', '.join(SCHEDULES)}, such as: 20 rewarm")
    return epochs, schedule


def begin(wanted: Plan, runs_root: Path, argv: Sequence[str] | None = None) -> RunDirectory:
    """Make the new run's directory; resuming it starts it. Raises RunError, and leaves nothing then."""
    run = create_run(runs_root, wanted.recipe, argv)
    try:
        run.checkpoints.mkdir(exist_ok=True)
        # Checkpoints are replaced, never written to: one copy serves both runs, and stays when one of them is deleted.
        twin(wanted.parent.checkpoints / "last.pt", run.checkpoints / f"{START}.pt")
        with suppress(FileNotFoundError):
            twin(wanted.parent.checkpoints / "best.pt", run.checkpoints / "best.pt")
        write_continuation(run, wanted.parent.name, wanted.how)
        # What the other run says counts for this one, too: its curves are joined wherever a run is read.
        said = [Noted(message=sentence) for sentence in wanted.sentences()]
        lines = [to_json(event) for event in (*_brought_up(wanted, said[0].time), *said)]
        replace_text(run.events_file, "\n".join(lines) + "\n")
    except (OSError, RunError) as error:
        shutil.rmtree(run.path, ignore_errors=True)
        if isinstance(error, FileNotFoundError):
            raise RunError(f"{error.filename}: has gone meanwhile; nothing was begun") from error
        raise cannot_write(run.path, error) if isinstance(error, OSError) else error from error
    return run


def _brought_up(wanted: Plan, now: float) -> list[Event]:
    """The other run's beginning and history as if it had ended just now: weeks in between are no time of a run."""
    past = [dataclasses.replace(wanted.started, steps=wanted.steps), *wanted.history]
    begun = min(event.time for event in past)
    past[0] = dataclasses.replace(past[0], time=begun)
    shift = now - max(event.time for event in past)
    return [dataclasses.replace(event, time=max(0.0, event.time + shift)) for event in past]


def _known(schedule: str) -> Schedule:
    for name in SCHEDULES:
        if name == schedule:
            return name
    raise RunError(f"--schedule {schedule}: there are {', '.join(SCHEDULES)}")


def _rate(factor: Factor, started: RunStarted, history: Sequence[Event]) -> float:
    """The recipe's learning rate, of which the schedule gives shares: from a step whose rate was written down."""
    trained = [event for event in history if isinstance(event, Trained)]
    if not trained:
        return 0.0
    event = max(trained, key=lambda event: event.learning_rate)
    share = factor_at(factor, event.step - 1, started.steps, started.steps_per_epoch)
    return event.learning_rate / share if share else 0.0
