"""Tagging, noting, pinning, deleting and taking up runs, as far as it needs the app. Files are touched in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from workbench.recipe import RecipeError
from workbench.runs.catalog import Entry
from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunError
from workbench.runs.notes import pin, split_tags, write_note, write_tags
from workbench.runs.removal import refusal, remove
from workbench.runs.trash import RULE, size
from workbench.tui.files import unless_unsaved
from workbench.tui.messages import WorkDone
from workbench.tui.screens.confirm import ConfirmScreen
from workbench.tui.screens.line import LineScreen
from workbench.tui.words import size as size_in_words

if TYPE_CHECKING:
    from workbench.tui.workbench_app import Workbench

Then = Callable[[], object]
T = TypeVar("T")

CAN_GO_ON = ("stopped", "lost", "failed")


def aside(app: Workbench, work: Callable[[], T], then: Callable[[T], object]) -> None:
    """Do something slow in a thread and go on with its result; a RunError is said and ends it."""

    def worked() -> None:
        try:
            result = work()
        except RunError as error:
            problem = str(error)
            app.post_message(WorkDone(lambda: app.notify(problem, severity="error", timeout=10)))
            return
        app.post_message(WorkDone(lambda: then(result)))

    threading.Thread(target=worked, daemon=True, name="care of runs").start()


def tag(app: Workbench, entries: Sequence[Entry], then: Then) -> None:
    """Write the tags of some runs; the tags of the first are offered, and all get what is written."""

    def written(text: str | None) -> None:
        if text is not None:
            tags = split_tags(text)
            aside(app, lambda: _tag(entries, tags), lambda _: then())

    title = f"Tags of {entries[0].name}" if len(entries) == 1 else f"Tags of {len(entries)} runs"
    hint = "words, separated by spaces or commas; tag:word finds them again"
    app.push_screen(LineScreen(title, ", ".join(entries[0].notes.tags), hint, split_tags), written)


def _tag(entries: Sequence[Entry], tags: Sequence[str]) -> None:
    for entry in entries:
        write_tags(entry.run, tags)


def note(app: Workbench, entry: Entry, then: Then) -> None:
    """Write the note of a run."""

    def written(text: str | None) -> None:
        if text is not None:
            aside(app, lambda: write_note(entry.run, text), lambda _: then())

    hint = "a line about the run; note:word finds it again"
    app.push_screen(LineScreen(f"Note on {entry.name}", " ".join(entry.notes.note.split()), hint), written)


def toggle_baseline(app: Workbench, entry: Entry, present: str, then: Then) -> None:
    """Pin a run as the baseline, or take its pin away."""
    name = "" if entry.name == present else entry.name
    aside(app, lambda: pin(app.settings.runs, name), lambda _: then())


def delete(app: Workbench, entries: Sequence[Entry], then: Then) -> None:
    """Delete some runs, after asking; none of them if one is live."""
    runs = [entry.run for entry in entries]

    def measured() -> str:
        for run in runs:
            if reason := refusal(run):
                raise RunError(f"{reason} (2, s)")
        return size_in_words(size(runs))

    def asked(bytes_: str) -> None:
        what = runs[0].name if len(runs) == 1 else f"{len(runs)} runs"
        names = what if len(runs) == 1 else ", ".join(run.name for run in runs)
        question = f"{names}: {bytes_} with checkpoints and curves. In the trash beside the runs: {RULE}."
        dialog = ConfirmScreen(f"Delete {what}?", question, [("delete", "Delete")], "Keep")
        app.push_screen(dialog, answered)

    def answered(answer: str | None) -> None:
        if answer == "delete":
            aside(app, lambda: _remove(runs), deleted)

    def deleted(result: tuple[list[RunDirectory], str]) -> None:
        gone, problem = result
        app.forget_runs(gone)
        if problem:
            app.notify(problem, severity="error", timeout=10)
        if gone:
            app.notify(f"deleted {gone[0].name if len(gone) == 1 else f'{len(gone)} runs'}")
        then()

    aside(app, measured, asked)


def _remove(runs: Sequence[RunDirectory]) -> tuple[list[RunDirectory], str]:
    """Delete as many as can be deleted; what is gone, and the first problem."""
    gone, problem = [], ""
    for run in runs:
        try:
            remove(run)
            gone.append(run)
        except RunError as error:
            problem = problem or str(error)
    return gone, problem


def load(app: Workbench, entry: Entry) -> None:
    """Put a run's recipe into Compose; what is not saved there is asked about first."""

    def read() -> object:
        try:
            return entry.run.recipe()
        except RecipeError as error:
            raise RunError(str(error.problems[0])) from error

    def opened(recipe: object) -> None:
        def take() -> None:
            app.editor.open(recipe, None)  # type: ignore[arg-type]
            app.recipe_changed()
            app.action_show("compose")

        unless_unsaved(app, "load the run's recipe", take)

    aside(app, read, opened)


def go_on(app: Workbench, entry: Entry) -> None:
    """Continue a run that ended before its time, in this process."""
    if entry.state in CAN_GO_ON:
        app.resume_run(entry.run)
    else:
        words = "is at work" if entry.live else f"is {entry.state}"
        app.notify(f"{entry.name} {words}; stopped, lost and failed runs can go on.", severity="warning")
