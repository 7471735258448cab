"""Runs: every run in a table; below it one in detail, or several over each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input

from workbench.runs.catalog import Entry
from workbench.runs.fields import ordered
from workbench.runs.query import Query, QueryError, parse
from workbench.tui import run_care
from workbench.tui.actions import bindings
from workbench.tui.messages import RunsRead
from workbench.tui.overlay import LOOKS, Look, Selection
from workbench.tui.run_columns import DESCENDING, FIRST_SORT, SORTS, Context
from workbench.tui.run_curves import METRICS, XS
from workbench.tui.run_lister import NO_DETAILS, Reading, RunLister, Wanted
from workbench.tui.widgets.key_bar import KeyBar
from workbench.tui.widgets.pane import Text
from workbench.tui.widgets.run_below import OverlayPane, RunDetails
from workbench.tui.widgets.run_table import RunTable
from workbench.tui.widgets.top_bar import TopBar
from workbench.tui.words import place

if TYPE_CHECKING:
    from workbench.runs.compare import Facts
    from workbench.tui.workbench_app import Workbench

VIEWS = ("details", "overlay", "none")


class RunsScreen(Screen[None]):
    """Shows what a :class:`RunLister` reads; that works only while this screen is in front."""

    BINDINGS = bindings("runs")
    AUTO_FOCUS = "#runs-table"

    def __init__(self) -> None:
        super().__init__()
        self.selection = Selection()
        self._reading = Reading()
        self._facts: dict[str, Facts] = {}
        self._query = Query()
        self._rows: list[Entry] = []
        self._sort, self._descending = FIRST_SORT, False
        self._view = VIEWS[0]
        self._metric, self._x = METRICS[0], XS[0]
        self._heard = False

    @property
    def workbench(self) -> Workbench:
        """The app."""
        return cast("Workbench", self.app)

    def compose(self) -> ComposeResult:
        yield TopBar("runs")
        yield Input(placeholder="state:finished acc>0.9 tag:paper words", id="runs-filter", compact=True)
        yield Text(id="runs-problem")
        yield Text(id="runs-nothing")
        yield RunTable(id="runs-table")
        with Horizontal(id="runs-below"):
            yield RunDetails(id="run-details")
            yield OverlayPane(id="overlay")
        yield KeyBar("runs")

    def on_mount(self) -> None:
        self._table, self._details = self.query_one(RunTable), self.query_one(RunDetails)
        self._overlay = self.query_one(OverlayPane)
        self._filter = self.query_one("#runs-filter", Input)
        self._filter.display = self.query_one("#runs-problem").display = self.query_one("#runs-nothing").display = False
        app = self.workbench
        self._lister = RunLister(app.settings.runs, lambda reading: self.post_message(RunsRead(reading)), app.poll)
        self._show_view()

    def on_unmount(self) -> None:
        self._lister.stop()

    def on_screen_resume(self) -> None:
        self._lister.wake()
        self.workbench.refresh_top()

    def on_screen_suspend(self) -> None:
        if self.workbench.current_mode != "runs":  # behind a dialog it is still in sight
            self._lister.rest()

    # What is shown

    def on_runs_read(self, message: RunsRead) -> None:
        """Show it."""
        reading = message.reading
        if reading.listing.baseline != self._reading.listing.baseline:
            self._facts.clear()
        if reading.whole:
            self._facts.update(reading.facts)
        changed = reading.listing != self._reading.listing or not self._heard
        self._reading, self._heard = reading, True
        if changed:
            self.selection.keep(entry.name for entry in reading.listing.entries)
        self.refresh_rows()

    def refresh_rows(self) -> None:
        """Filter and sort what is known, and show it; what did not change sends nothing."""
        now, listing = self.workbench.now(), self._reading.listing
        found = self._query.select(listing.entries, now)
        self._rows = ordered(found, self._sort, now, descending=self._descending)
        baseline = next((entry for entry in listing.entries if entry.name == listing.baseline), None)
        looks = dict(self.selection.looks)
        context = Context(now, self._facts, looks, baseline)
        self._table.show(self._rows, context, self._sort, descending=self._descending)
        self._say_nothing()
        self.refresh_below()
        self.workbench.refresh_top()

    def refresh_below(self) -> None:
        """The cursor stands elsewhere, or something was read about the runs below the table."""
        if not self._heard:
            return
        wanted = self._wanted()
        self._lister.want(wanted)
        reading, entry = self._reading, self._table.entry
        current = reading.wanted.about == wanted.about
        self._details.show(entry, reading.details if current else NO_DETAILS, self.selection.looks)
        shown = [(reading.curves[name], look) for name, look in self._overlaid().items() if name in reading.curves]
        if len(shown) == len(wanted.curves) or reading.wanted.curves == wanted.curves:
            labels = self._labels([curves.name for curves, _ in shown])
            self._overlay.show(shown, labels, self._metric, self._x, self.workbench.palette.frame)
        self.query_one(KeyBar).refresh_keys()

    def _wanted(self) -> Wanted:
        entry, baseline = self._table.entry, self._reading.listing.baseline
        chosen = list(self.selection.looks) if len(self.selection) > 1 else [entry.name] if entry else []
        about = dict.fromkeys([baseline, *chosen] if baseline and chosen else chosen)
        chart = self._view == "overlay" or (self._view == "details" and self.has_class("-wide"))
        curves = tuple(self._overlaid()) if chart else ()
        return Wanted(tuple(dict.fromkeys((*self._table.in_sight, *curves))), tuple(about), curves)

    def _overlaid(self) -> dict[str, Look]:
        """The runs in the chart: those selected, else the one under the cursor; and the baseline, if a look is left."""
        looks = dict(self.selection.looks)
        others = [self._table.entry.name] if self._table.entry and not looks else []
        if self._reading.listing.baseline:
            others.append(self._reading.listing.baseline)
        for name in others:
            taken = set(looks.values())
            look = self.selection.free(name)
            look = look if look not in taken else next((each for each in LOOKS if each not in taken), None)
            if look is not None:
                looks.setdefault(name, look)
        return looks

    def _labels(self, names: list[str]) -> list[str]:
        """What the runs in the chart are: the recipe and what differs; seeds where that is the same."""
        by_name = {entry.name: entry for entry in self._reading.listing.entries}
        known = [(by_name[name], self._facts.get(name)) for name in names if name in by_name]
        labels = [f"{entry.recipe} {facts.words if facts else ''}".rstrip() for entry, facts in known]
        seeds = [f" seed {facts.seed}" if facts and facts.seed is not None else "" for _, facts in known]
        return [f"{label}{seed if labels.count(label) > 1 else ''}" for label, seed in zip(labels, seeds, strict=True)]

    def _say_nothing(self) -> None:
        """What to do where there is no run to show."""
        if not self._heard:
            return
        text = ""
        if not self._reading.listing.entries:
            where = place(self.workbench.settings.runs, 40)
            text = f"No runs yet in {where}. Press 1 for Compose and r to train a recipe, or: workbench run digits"
        elif not self._rows:
            text = "No run is like that. esc shows all of them again."
        nothing = self.query_one("#runs-nothing", Text)
        nothing.show(Content(text))
        if nothing.display != bool(text):
            nothing.display = bool(text)
            self.query_one("#runs-below").display = not text and self._view != "none"

    def about(self) -> Content:
        """For the first line: how many runs, how many are selected, the order."""
        if not self._heard:
            return Content.styled("reading the runs…", "$muted")
        all_, shown = len(self._reading.listing.entries), len(self._rows)
        runs = "1 run" if all_ == 1 else f"{all_:,} runs"
        parts = [f"{shown:,} of {runs}" if shown != all_ or self._query.terms else runs]
        parts += [f"{len(self.selection)} selected"] if self.selection.looks else []
        return Content.styled(" · ".join([*parts, f"by {self._sort}"]), "$muted")

    def _show_view(self) -> None:
        self.query_one("#runs-below").display = self._view != "none"
        self._details.set_class(self._view == "details", "-current")
        self._overlay.set_class(self._view == "overlay", "-current")

    # What the widgets say

    @on(RunTable.Moved)
    def _moved(self) -> None:
        self.refresh_below()

    @on(RunTable.Toggled)
    def _toggled(self) -> None:
        self.action_select()

    @on(RunTable.Opened)
    def _opened(self) -> None:
        self.action_watch()

    @on(RunTable.Sorted)
    def _sorted(self, event: RunTable.Sorted) -> None:
        if event.sort == self._sort:
            self.action_reverse()
        else:
            self._sort_by(event.sort)

    @on(Input.Changed, "#runs-filter")
    def _typed(self) -> None:
        problem = self.query_one("#runs-problem", Text)
        try:
            query = parse(self._filter.value)
        except QueryError as error:
            problem.show(Content.styled(f" ✗ {error}", "$error"))
            problem.display = True
            return  # the list stays as it was until the text means something
        problem.display = False
        if query != self._query:
            self._query = query
            self.refresh_rows()

    @on(Input.Submitted, "#runs-filter")
    def _filter_done(self) -> None:
        self._table.focus()

    def key_down(self) -> None:
        """From the filter down into the table."""
        if self.focused is self._filter:
            self._table.focus()

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What the run under the cursor cannot do is dimmed."""
        if action in ("watch", "select", "baseline", "load", "go_on", "tags", "note", "delete"):
            entry = self._table.entry if self._heard else None
            possible = entry is not None and (action != "go_on" or entry.state in run_care.CAN_GO_ON)
            return True if possible or (entry is not None and action == "go_on") else None
        return True

    def _with_run(self, act: Callable[[Entry], object]) -> None:
        if (entry := self._table.entry) is not None:
            act(entry)

    def _selected(self) -> list[Entry]:
        """The selected runs, else the one under the cursor."""
        by_name = {entry.name: entry for entry in self._reading.listing.entries}
        chosen = [by_name[name] for name in self.selection.looks if name in by_name]
        return chosen or ([self._table.entry] if self._table.entry else [])

    def action_watch(self) -> None:
        """Go to the Run screen with this run."""
        self._with_run(lambda entry: self.workbench.watch_run(entry.run))

    def action_select(self) -> None:
        """Select the run, or no longer."""
        if (entry := self._table.entry) is not None:
            if not self.selection.toggle(entry.name):
                self.app.notify(f"{len(LOOKS)} runs are as many as can be told apart.", severity="warning")
            self.refresh_rows()

    def action_filter(self) -> None:
        """Write a filter."""
        self._filter.display = True
        self._filter.focus()

    def action_clear(self) -> None:
        """Away with the filter; without one, with the selection."""
        if self._filter.display:
            self._filter.value = ""
            self._filter.display = False
            self._table.focus()
        else:
            self.selection.clear()
            self.refresh_rows()

    def _sort_by(self, sort: str) -> None:
        self._sort, self._descending = sort, sort in DESCENDING
        self.refresh_rows()

    def action_sort(self) -> None:
        """Sort by the next column."""
        self._sort_by(SORTS[(SORTS.index(self._sort) + 1) % len(SORTS)])

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._descending = not self._descending
        self.refresh_rows()

    def action_view(self) -> None:
        """Details, chart, or only the table; where there is room, the first two are one."""
        views = ("details", "none") if self.has_class("-wide") else VIEWS
        self._view = views[(views.index(self._view) + 1) % len(views)] if self._view in views else views[0]
        self._show_view()
        self.refresh_below()

    def action_metric(self) -> None:
        """The next figure."""
        self._metric = METRICS[(METRICS.index(self._metric) + 1) % len(METRICS)]
        self._show_overlay()

    def action_x_axis(self) -> None:
        """Epochs, steps or time."""
        self._x = XS[(XS.index(self._x) + 1) % len(XS)]
        self._show_overlay()

    def _show_overlay(self) -> None:
        if not self.has_class("-wide") or self._view == "none":
            self._view = "details" if self.has_class("-wide") else "overlay"
            self._show_view()
        self.refresh_below()

    def action_baseline(self) -> None:
        """Pin the run, or take its pin away."""
        present = self._reading.listing.baseline
        self._with_run(lambda entry: run_care.toggle_baseline(self.workbench, entry, present, self._lister.wake))

    def action_load(self) -> None:
        """The run's recipe into Compose."""
        self._with_run(lambda entry: run_care.load(self.workbench, entry))

    def action_go_on(self) -> None:
        """Continue the run here."""
        self._with_run(lambda entry: run_care.go_on(self.workbench, entry))

    def action_tags(self) -> None:
        """Write the tags of the selected runs."""
        if selected := self._selected():
            run_care.tag(self.workbench, selected, self._lister.wake)

    def action_note(self) -> None:
        """Write a note."""
        self._with_run(lambda entry: run_care.note(self.workbench, entry, self._lister.wake))

    def action_delete(self) -> None:
        """Delete the selected runs, after asking."""
        if selected := self._selected():
            run_care.delete(self.workbench, selected, self._lister.wake)

    def action_scroll(self, direction: int) -> None:
        """Scroll the details."""
        self._details.scroll_sides(direction)
