"""Runs: every run in a table; below it one in detail, or several over each other."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input

from workbench.runs.find.catalog import Entry
from workbench.runs.find.groups import Group
from workbench.runs.find.query import QueryError
from workbench.tui.common.actions import ACTIONS, bindings
from workbench.tui.common.clipboard import copy_command
from workbench.tui.common.screens import KeyBar, TopBar
from workbench.tui.common.widgets import Text
from workbench.tui.compat.composed import when_ready
from workbench.tui.runs import manage
from workbench.tui.runs.below import RunsBelow
from workbench.tui.runs.browser import RunBrowser
from workbench.tui.runs.lister import NO_DETAILS, Reading, RunLister, RunsRead
from workbench.tui.runs.manage import RunsServices
from workbench.tui.runs.table import RunTable, TableScreen

REST = 0.1
"""Seconds for which the cursor stands still before what is below the table follows it."""


OF_RUNS = frozenset(action.name for action in ACTIONS if action.where == "runs") - {"clear", "undo"}
"""Actions that need a run in the table."""


class RunsScreen(TableScreen):
    """Shows what a :class:`RunLister` reads; that works only while this screen is in front."""

    BINDINGS = bindings("runs")
    AUTO_FOCUS = "#runs-table"

    def __init__(self, services: RunsServices) -> None:
        super().__init__()
        self.services = services
        self.browser = RunBrowser()
        self._arranged = 0.0
        self._rest: Timer | None = None
        self._stop_reading: Callable[[], None] = lambda: None
        self._listed: Callable[[], None] = lambda: None

    def compose(self) -> ComposeResult:
        yield TopBar("runs")
        yield Input(placeholder="state:finished acc>0.9 learning_rate>0.05 +cutout", id="runs-filter", compact=True)
        yield Text(id="runs-problem")
        yield Text(id="runs-nothing")
        yield Text(id="runs-common")
        yield RunTable(id="runs-table")
        yield RunsBelow(id="runs-below")
        yield KeyBar("runs", self.services.settings.keymap)

    def on_mount(self) -> None:
        self._below = self.query_one(RunsBelow)
        self._filter = self.query_one("#runs-filter", Input)
        for hidden in ("filter", "problem", "nothing", "common"):
            self.query_one(f"#runs-{hidden}").display = False
        app = self.services
        self._lister = RunLister(app.settings.runs, self._heard, lambda: app.data_seconds)
        self._stop_reading = self._lister.stop
        self._listed = app.hold_input()
        before = app.layout.get("runs", {})
        self._below.restore(before)
        self.browser.restore(before)
        if self.browser.query_text:
            self._filter.value, self._filter.display = self.browser.query_text, True

    def on_unmount(self) -> None:
        self._listed()
        self._stop_reading()

    def _heard(self, reading: Reading) -> None:
        self.post_message(RunsRead(reading))  # called in the reading thread

    def on_screen_resume(self) -> None:
        self._lister.wake()
        self._below.overlay.chart.draw()
        self.services.refresh_top()

    def on_screen_suspend(self) -> None:
        if self.app.current_mode != "runs":  # behind a dialog it is still in sight
            self._lister.rest()

    # What is shown

    def on_runs_read(self, message: RunsRead) -> None:
        """Show it."""
        before = self.browser.reading
        self.browser.hear(message.reading)
        if self.browser.unsure and self._filter.value:
            self._typed()  # what it means depends on the recipes of the runs
        left_out = message.reading.listing.left_out
        if left_out and left_out != before.listing.left_out:
            self.app.notify(left_out, severity="warning", timeout=10, markup=False)
        now = self.services.now()
        if message.reading.listing is before.listing and now - self._arranged < 1 and self.browser.heard:
            self.table.show_facts()
            self.refresh_below()
        else:
            self.refresh_rows()
        self._listed()

    @when_ready
    def refresh_rows(self) -> None:
        """Filter and sort what is known, and show it; what did not change sends nothing."""
        browser = self.browser
        self._arranged = self.services.now()
        context = browser.arrange(self._arranged)
        self.table.show(browser.rows, context, browser.sort, descending=browser.descending)
        common = browser.common
        all_of_them = Content.assemble(("   all ", "$muted"), common) if common else Content("")
        self.query_one("#runs-common", Text).show_any(all_of_them)
        self._say_nothing()
        self.refresh_below()
        self.services.refresh_top()

    @when_ready
    def refresh_below(self) -> None:
        """The cursor stands elsewhere, or something was read about the runs below the table."""
        browser, entry = self.browser, self.table.entry
        if not browser.heard:
            return
        reading = browser.reading
        below = self._below
        wanted = browser.wanted(self.table.in_sight, entry, chart=below.chart_in_sight)
        self._lister.want(wanted)
        if entry is None or reading.wanted.about == wanted.about:  # until then, what was there before
            below.details.show(entry, reading.details if entry else NO_DETAILS, browser.selection.looks)
        shown = [(reading.curves[n], look) for n, look in browser.overlaid(entry).items() if n in reading.curves]
        read = len(shown) == len(wanted.curves) or reading.wanted.curves == wanted.curves
        if below.chart_in_sight and read:  # out of sight nothing was asked for, and nothing can be said of it
            labels = browser.labels([curves.name for curves, _ in shown])
            below.overlay.show(shown, labels, below.metric, below.x, self.services.palette)
        self.query_one(KeyBar).refresh_keys()
        self.services.layout["runs"] = browser.remembered | below.remembered

    def _say_nothing(self) -> None:
        """What to do where there is no run to show."""
        if not self.browser.heard:
            return
        text = self.browser.nothing_to_show(self.services.settings.runs)
        self.query_one("#runs-nothing", Text).show_any(Content(text))
        self._below.allow(not text)

    def about(self) -> Content:
        """For the first line."""
        return Content.styled(self.browser.summary(), "$muted")

    # What the widgets say

    @on(RunTable.Moved)
    def _moved(self) -> None:
        # While a key is held down only the table follows: nobody reads details that fly past.
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(REST, self.refresh_below)

    @on(RunTable.Opened)
    def _opened(self) -> None:
        self.action_watch()

    @on(Input.Changed, "#runs-filter")
    def _typed(self) -> None:
        self.browser.query_text = self._filter.value
        if not self.browser.heard:
            return
        problem = self.query_one("#runs-problem", Text)
        try:
            changed = self.browser.ask(self._filter.value)
        except QueryError as error:
            problem.show_any(Content.styled(f" ✗ {error}", "$error"))
            return  # the list stays as it was until the text means something
        problem.show_any(Content(""))
        if changed:
            self.refresh_rows()

    @on(Input.Submitted, "#runs-filter")
    def _filter_done(self) -> None:
        self.table.focus()

    def key_down(self) -> None:
        """From the filter down into the table."""
        if self.focused is self._filter:
            self.table.focus()

    # Actions

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What the run under the cursor cannot do is dimmed; where no run is shown, only what acts is offered."""
        browser = self.browser
        if action == "clear":
            return self._filter.display or bool(browser.selection.looks)
        if browser.heard and not browser.rows and action in OF_RUNS:
            return action == "filter" and bool(browser.entries)
        entry = self.table.entry if browser.heard else None
        if action in ("baseline", "go_on", "note"):  # of one run
            return True if entry is not None and not isinstance(entry, Group) else None
        if action in ("watch", "select", "load", "tags", "delete", "copy"):
            return True if entry is not None else None
        if action == "unfold":
            return True if isinstance(entry, Group) else None
        if action == "fold":
            return True if entry is not None and self.browser.unfolded else None
        return True

    def _with_run(self, act: Callable[[Entry], object]) -> None:
        if (entry := self.table.entry) is not None:
            act(entry)

    def _selected(self) -> list[Entry]:
        return self.browser.selected(self.table.entry)

    def action_watch(self) -> None:
        """Go to the Run screen with this run; open a group, or close it."""
        if isinstance(self.table.entry, Group):
            self.open_group(None)
            return
        self._with_run(lambda entry: self.services.watch_run(entry.run))

    def action_filter(self) -> None:
        """Write a filter."""
        self._filter.display = True
        self._filter.focus()

    def action_clear(self) -> None:
        """Away with the filter; without one, with the selection."""
        if self._filter.display:
            self._filter.value = ""
            self._filter.display = False
            self.table.focus()
        else:
            self.browser.selection.clear()
            self.refresh_rows()

    def action_view(self) -> None:
        """Details, chart, or only the table."""
        self._below.next_view()
        self.refresh_below()

    def action_metric(self) -> None:
        """The next figure."""
        self._below.next_metric()
        self.refresh_below()

    def action_x_axis(self) -> None:
        """Epochs, steps or time."""
        self._below.next_x()
        self.refresh_below()

    def action_baseline(self) -> None:
        """Pin the run, or take its pin away."""
        present = self.browser.baseline
        self._with_run(lambda entry: manage.toggle_baseline(self.services, entry, present, self._lister.wake))

    def action_load(self) -> None:
        """The run's recipe into Compose."""
        self._with_run(lambda entry: manage.load(self.services, entry))

    def action_go_on(self) -> None:
        """Continue the run here."""
        self._with_run(lambda entry: manage.go_on(self.services, entry))

    def action_tags(self) -> None:
        """Write the tags of the selected runs."""
        if selected := self._selected():
            manage.tag(self.services, selected, self._lister.wake)

    def action_note(self) -> None:
        """Write a note."""
        self._with_run(lambda entry: manage.note(self.services, entry, self._lister.wake))

    def action_delete(self) -> None:
        """Delete the selected runs, after asking."""
        if selected := self._selected():
            hidden = {entry.name for entry in selected} - {entry.name for entry in self.browser.found}
            manage.delete(self.services, selected, self.table.entry, hidden, self._lister.wake)

    def action_undo(self) -> None:
        """Bring back what was deleted last."""
        manage.undo(self.services, self._lister.wake)

    def action_copy(self) -> None:
        """The command that trains the same again, to the clipboard."""
        app = self.services
        self._with_run(lambda entry: copy_command(self.app, entry.run, app.settings, app.device))

    def action_scroll(self, direction: int) -> None:
        """Scroll the details."""
        self._below.details.scroll_sides(direction)
