"""Managing runs: tags, notes, the baseline, deleting, going on. Files are touched in a thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol, TypeVar

from workbench.format import file_size
from workbench.recipe import Recipe, RecipeError
from workbench.runs.errors import RunError
from workbench.runs.extend import Plan, length_and_schedule, plan
from workbench.runs.find.catalog import Entry
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import pin, split_tags, write_note, write_tags
from workbench.runs.store.trash import RULE, bring_back, new_deletion, remove, size, tidy, undeletable
from workbench.tui.common.background import aside
from workbench.tui.common.screens import ConfirmScreen, LineScreen
from workbench.tui.common.services import Services
from workbench.tui.runs.browser import RunBrowser, runs_of

Then = Callable[[], object]
T = TypeVar("T")

LISTED = 6
"""How many runs a question lists."""

CAN_GO_ON = ("stopped", "lost", "failed")


class RunsServices(Services, Protocol):
    """What the Runs screen asks of the app beside what all screens do."""

    @property
    def data_seconds(self) -> float:
        """How often figures may change on the screen."""

    def action_show(self, mode: str) -> None:
        """Go to a screen."""

    def watch_run(self, run: RunDirectory) -> None:
        """Show a run on the Run screen."""

    def resume_run(self, run: RunDirectory) -> None:
        """Go on with a run in this process."""

    def train_on(self, wanted: Plan) -> None:
        """Train a run that is over on, as a new run."""

    def forget_runs(self, gone: Iterable[RunDirectory]) -> None:
        """Runs were deleted."""

    def unless_unsaved(self, what: str, then: Callable[[], object]) -> None:
        """Do something that forgets the composed recipe, after asking where it is not saved."""


def _aside(app: RunsServices, work: Callable[[], T], then: Callable[[T], object]) -> None:
    """Do something slow in a thread and go on with its result; a RunError is said and ends it."""
    aside(app, "managing runs", work, then, lambda error: app.notify(str(error), severity="error", timeout=10))


def tag(app: RunsServices, entries: Sequence[Entry], then: Then) -> None:
    """Write the tags of some runs; the tags of the first are offered, and all get what is written."""

    def written(text: str | None) -> None:
        if text is not None:
            tags = split_tags(text)
            _aside(app, lambda: _tag(entries, tags), lambda _: then())

    title = f"Tags of {entries[0].name}" if len(entries) == 1 else f"Tags of {len(entries)} runs"
    hint = "words, separated by spaces or commas; tag:word finds them again"
    app.push_screen(LineScreen(title, ", ".join(entries[0].notes.tags), hint, split_tags), written)


def choose_columns(app: RunsServices, browser: RunBrowser, shown: Sequence[str], then: Callable[[], object]) -> None:
    """Write which columns the table has; those in sight are offered where none were asked for."""

    def written(text: str | None) -> None:
        if text is not None:
            browser.show_columns(text)
            then()

    hint = "fields such as acc, best, time, age, and any key of the recipes; empty: those in which the runs differ"
    now = " ".join(browser.columns or shown)
    app.push_screen(LineScreen("Columns", now, hint, browser.columns_of), written)


def _tag(entries: Sequence[Entry], tags: Sequence[str]) -> None:
    for entry in entries:
        write_tags(entry.run, tags)


def note(app: RunsServices, entry: Entry, then: Then) -> None:
    """Write the note of a run."""

    def written(text: str | None) -> None:
        if text is not None:
            _aside(app, lambda: write_note(entry.run, text), lambda _: then())

    hint = "a line about the run; note:word finds it again"
    app.push_screen(LineScreen(f"Note on {entry.name}", " ".join(entry.notes.note.split()), hint), written)


def toggle_baseline(app: RunsServices, entry: Entry, present: str, then: Then) -> None:
    """Pin a run as the baseline, or take its pin away."""
    name = "" if entry.name == present else entry.name
    _aside(app, lambda: pin(app.settings.runs, name), lambda _: then())


def delete(
    app: RunsServices, entries: Sequence[Entry], cursor: Entry | None, hidden: Collection[str], then: Then
) -> None:
    """Delete some runs, after asking; none of them if one is live.

    The question comes at once, so that whatever is typed next is not for the table; what it takes a look into the runs
    to know follows. cursor: the run under it; hidden: names of runs that the filter leaves out.
    """
    runs = [entry.run for entry in entries]
    for entry in entries:
        if entry.live and (reason := undeletable(entry.run)):
            _refused(app, reason)
            return
    title = f"Delete {runs[0].name if len(runs) == 1 else f'these {len(runs)} runs'}?"
    asking = delete_question(entries, cursor, hidden)
    dialog = ConfirmScreen(title, asking, [("delete", "Delete")], "Keep", loses={"delete"})

    def measured() -> tuple[str, str]:
        reason = next(filter(None, map(undeletable, runs)), "")
        return reason, "" if reason else file_size(size(runs))

    def known(found: tuple[str, str]) -> None:
        reason, bytes_ = found
        if not reason:
            dialog.tell(delete_question(entries, cursor, hidden, bytes_))
        elif dialog.is_current:
            dialog.dismiss("")
            _refused(app, reason)

    def answered(answer: str | None) -> None:
        if answer == "delete":
            _aside(app, lambda: _remove(runs), deleted)

    def deleted(result: tuple[list[RunDirectory], str]) -> None:
        gone, problem = result
        app.forget_runs(gone)
        if problem:
            app.notify(problem, severity="error", timeout=10)
        if gone:
            what = gone[0].name if len(gone) == 1 else f"{len(gone)} runs"
            app.notify(f"deleted {what}; {app.key('runs.undo')} brings back what was deleted last")
        then()

    app.push_screen(dialog, answered)
    _aside(app, measured, known)


def delete_question(entries: Sequence[Entry], cursor: Entry | None, hidden: Collection[str], bytes_: str = "…") -> str:
    """Which runs it is about, the one under the cursor among them or not, how large they are, what becomes of them."""
    names = [entry.name for entry in entries]
    under = [entry.name for entry in runs_of(cursor)]
    if under == names == names[:1]:
        about = f"{names[0]}, the run under the cursor"
    elif under == names:
        about = _listed("The runs under the cursor:", names)
    else:
        about = _listed("Selected:", names, hidden)
        among = [name for name in under if name in names]
        if len(under) == 1:
            where = "is one of them" if among else "is not among them and stays"
            about += f"\nThe run under the cursor, {under[0]}, {where}"
        elif under:
            about += f"\nOf the {len(under)} runs under the cursor {len(among) or 'none'} are among them"
    return f"{about}.\n{bytes_} with checkpoints and curves. In the trash beside the runs it is {RULE}."


def _listed(title: str, names: Sequence[str], hidden: Collection[str] = ()) -> str:
    listed = [f"{name}{' (not in sight: the filter)' if name in hidden else ''}" for name in names[:LISTED]]
    return "\n".join([title, *listed, *([f"and {len(names) - LISTED} more"] if len(names) > LISTED else [])])


def undo(app: RunsServices, then: Then) -> None:
    """Bring back what was deleted last."""

    def back(runs: list[RunDirectory]) -> None:
        what = runs[0].name if len(runs) == 1 else f"{len(runs)} runs"
        app.notify(f"brought back {what}")
        then()

    _aside(app, lambda: bring_back(app.settings.runs), back)


def _refused(app: RunsServices, reason: str) -> None:
    app.notify(f"{reason} (2, s)", severity="error", timeout=10)


def _remove(runs: Sequence[RunDirectory]) -> tuple[list[RunDirectory], str]:
    """Delete as many as can be deleted; what is gone, and the first problem."""
    gone, problem = [], ""
    root = runs[0].path.parent
    deletion = new_deletion(root)
    for run in runs:
        try:
            remove(run, deletion)
            gone.append(run)
        except RunError as error:
            problem = problem or str(error)
    tidy(root)
    return gone, problem


def load(app: RunsServices, entry: Entry) -> None:
    """Put a run's recipe into Compose; what is not saved there is asked about first."""

    def read() -> Recipe:
        try:
            return entry.run.recipe()
        except RecipeError as error:
            raise RunError(str(error.problems[0])) from error

    def go_on() -> None:
        opened = app.hold_input()

        def put(recipe: Recipe) -> None:
            app.editor.open(recipe, None)
            app.recipe_changed()
            app.action_show("compose")
            opened()

        _aside(app, read, put)

    app.unless_unsaved("load the run's recipe", go_on)


def go_on(app: RunsServices, entry: Entry) -> None:
    """Continue a run that ended before its time, in this process; one that is finished is trained on, as a new run."""
    if entry.state in CAN_GO_ON:
        app.resume_run(entry.run)
    elif entry.state == "finished":
        train_on(app, entry)
    else:
        words = "is at work" if entry.live else f"is {entry.state}"
        app.notify(f"{entry.name} {words}; stopped, lost, failed and finished runs can go on.", severity="warning")


def train_on(app: RunsServices, entry: Entry) -> None:
    """Ask how long and with which rates a finished run shall be trained on; show the rates; begin."""

    def planned(text: str) -> Plan:
        return plan(entry.run, *length_and_schedule(text))

    def written(text: str | None) -> None:
        if text is not None:
            opened = app.hold_input()

            def show(wanted: Plan) -> None:
                ask(wanted)
                opened()

            _aside(app, lambda: planned(text), show)

    def ask(wanted: Plan) -> None:
        def answered(answer: str | None) -> None:
            if answer == "begin":
                app.train_on(wanted)

        answers = [("begin", "Train on, as a new run")]
        app.push_screen(ConfirmScreen(f"Train {entry.name} on?", longer_question(wanted), answers), answered)

    title = f"Train {entry.name} on"
    hint = "epochs in all, then how the learning rate goes on: planned, hold or rewarm; the rates are shown next"
    epochs = entry.status.epoch if entry.status is not None else 0.0
    text = f"{round(2 * epochs, 2):g} planned" if epochs else ""
    app.push_screen(LineScreen(title, text, hint, length_and_schedule, "Next"), written)


def longer_question(wanted: Plan) -> str:
    """The learning rate under each way to go on, as columns, and what is to be known."""
    table = wanted.table(rows=2)
    table[0][0] = "rate at epoch" if wanted.how.rate else "share at epoch"
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join([*lines, "", *wanted.sentences()])
