"""The parts of the Run screen around its charts: lines above and below, stages of loading, the checks, the log."""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from rich.text import Text as RichText
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.events import Resize
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import RichLog

from workbench.evaluation.fit import Fit
from workbench.events import CheckFinished, Finished
from workbench.format import duration, percent
from workbench.runs.store import status as stages
from workbench.runs.store.machine import Sample
from workbench.runs.store.status import Stage
from workbench.tui.charts.columns import HALF_LIVES
from workbench.tui.charts.viewport import Viewport
from workbench.tui.common.texts import MUTED, NOTHING, SIGNS, STATES, Part
from workbench.tui.common.widgets import Line, Text
from workbench.tui.common.words import significant, throughput
from workbench.tui.compat.composed import Composed
from workbench.tui.run.tracking import Tracked
from workbench.tui.run.view import RunView
from workbench.visible import shortened, visible

ASKED = {"pause": "pausing…", "continue": "going on…", "stop": "stopping…", "checkpoint": "saving…"}
EIGHTHS = " ▏▎▍▌▋▊▉"


class Bar(Composed, Widget):
    """A progress bar of one line, fine to an eighth of a cell."""

    COMPONENT_CLASSES = {"bar--done", "bar--rest"}
    fraction = reactive(0.0, repaint=False)

    def validate_fraction(self, value: float) -> float:
        # In eighths of a cell, so that most updates change nothing.
        cells = max(1, self.size.width) * 8
        return int(min(1.0, max(0.0, value)) * cells) / cells

    def watch_fraction(self, before: float, after: float) -> None:
        first, last = (int(share * self.size.width) for share in sorted((before, after)))
        self.refresh(Region(first, 0, last - first + 1, 1))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        done = self.get_component_rich_style("bar--done", partial=True)
        rest = self.get_component_rich_style("bar--rest", partial=True)
        style = Style(color=done.color, bgcolor=rest.color)
        full, part = divmod(round(self.fraction * width * 8), 8)
        bar = ("█" * full + (EIGHTHS[part] if part else "")).ljust(width)
        return Strip([Segment(bar[:width], style)], width)


class RunHead(Composed, Vertical):
    """Reads a tracked run."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._state = Line(id="run-state")
        self._bar = Bar(id="run-bar")
        self._pace = Line(id="run-pace")
        self._advice = Text(id="run-advice")

    def compose(self) -> ComposeResult:
        yield self._state
        yield self._bar
        yield self._pace
        yield self._advice

    def show(self, tracked: Tracked, now: float, go_on: str = "c") -> None:
        """Show the run as it is at ``now``, seconds since 1970. go_on: the key that continues it."""
        self._state.show(state_line(tracked, now))
        self._pace.show(pace_line(tracked, now, self._pace.size.width))
        self._bar.fraction = tracked.view.fraction
        why, what = tracked.advice(now, go_on)
        self._advice.display = bool(why)
        colour = "$warning" if tracked.state in ("stopped", "stalled", "unknown", "queued") else "$error"
        self._advice.show(Content.assemble((why, f"bold {colour}"), "\n" if what else "", what))


def state_line(tracked: Tracked, now: float) -> Content:
    """State, epoch, step, share done, time left."""
    view = tracked.view
    sign, colour = STATES.get(tracked.state, STATES["unknown"])
    asked = ASKED.get(tracked.asked, "") if tracked.live else ""
    parts: list[Content | str | tuple[str, str]] = [(f"{sign} {asked or tracked.state}", f"bold {colour}")]
    if view.steps:
        epochs = f"{round(view.steps / view.steps_per_epoch, 2):g}"
        parts += [("   epoch ", MUTED), (f"{view.step / view.steps_per_epoch:.2f}", "bold"), (f" of {epochs}", MUTED)]
        parts += [("   step ", MUTED), (f"{view.step:,}", "bold"), (f" of {view.steps:,}", MUTED)]
        parts += [("   ", ""), (f"{int(view.fraction * 100)} %", "bold")]
    if isinstance(view.ended, Finished):
        failing = "$error" if view.failing() else "$success"
        parts += [("   test ", MUTED), (percent(view.ended.test_accuracy), f"bold {failing}")]
    elif loads := at_work(tracked):
        parts.append((f"   {loads}…", MUTED))
    elif tracked.live and view.steps:
        parts += [("   left ", MUTED), (duration(view.remaining(now)), "bold")]
    return Content.assemble(*parts)


def pace_line(tracked: Tracked, now: float, room: int = 160) -> Content:
    """The accuracy now and at its best, throughput, elapsed time, device; the learning rate where there is room."""
    view = tracked.view
    if tracked.waiting is not None and not view.begun:
        return Content("")
    parts: list[Content | str | tuple[str, str]] = []
    parts += _accuracies(view)
    if view.trained is not None:
        parts += [(throughput(view.trained.images_per_second), "bold"), "   "]
    clock = "elapsed " if view.begun else "loading for "  # it begins anew with the first event
    parts += [(clock, MUTED), (duration(tracked.elapsed(now)), "bold")]
    if view.started is not None:
        parts += [("   on ", MUTED), (view.started.device, "")]
    line = Content.assemble(*parts)
    if view.trained is not None:
        learning_rate = (("   learning rate ", MUTED), (significant(view.trained.learning_rate), "bold"))
        more = Content.assemble(line, *learning_rate)
        line = more if more.cell_length <= room else line
    return line


def _accuracies(view: RunView) -> list[Part]:
    """The newest and the best accuracy on the split that is watched."""
    best = view.best()
    newest = view.latest(best.split) if best is not None else None
    if best is None or newest is None:
        return []
    parts: list[Part] = []
    if not isinstance(view.ended, Finished) or best.split != "test":  # that stands in the line above
        parts += [(f"{best.split} ", MUTED), (percent(newest.accuracy), "bold")]
        if newest.accuracy == best.accuracy:
            return [*parts, (", the best so far   " if view.ended is None else ", its best   ", MUTED)]
        parts.append((", ", MUTED))
    return [*parts, ("best ", MUTED), (percent(best.accuracy), "bold"), (f" in epoch {best.epoch:.4g}   ", MUTED)]


COLOURS = {"note": "foreground", "good": "success", "warning": "warning", "error": "error", "quiet": "muted"}


class RunLog(Composed, RichLog, can_focus=False):
    """Appends what is new; in another width it writes all of it anew."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="pane", wrap=True, markup=False, highlight=False, max_lines=500, min_width=20)
        self.border_title = "Log"
        self._view: RunView | None = None
        self._shown = 0
        self._wrapped_at = 0

    @on(Resize)
    def _wrap_anew(self) -> None:
        if self._view is not None:
            self.show(self._view)

    def show(self, view: RunView) -> None:
        """Show the lines of this view that are not shown yet."""
        width = self.scrollable_content_region.width
        if view is not self._view or width != self._wrapped_at:
            self.clear()
            self._view, self._shown, self._wrapped_at = view, 0, width
        new = min(view.logged - self._shown, len(view.log))
        if new <= 0:
            return
        self._shown = view.logged
        variables = self.app.theme_variables
        for line in list(view.log)[-new:]:
            self.write(RichText(shortened(visible(line.text)), style=variables[COLOURS[line.level]]))


def check_lines(found: Iterable[CheckFinished], reading: Fit | None = None) -> Content:
    """A line for each check and for the reading of the fit, without the reasons."""
    parts: list[Part] = []
    for check in found:
        sign, colour = SIGNS[check.verdict]
        found_short = check.found if len(check.name) + len(check.found) < 30 else ""
        found_short = check.verdict if check.verdict == "not judged" else found_short
        parts += [(f"{sign} {check.name}  ", f"bold {colour}"), f"{found_short}\n"]
    if reading is not None:
        sign, colour = SIGNS[reading.verdict]
        at = len(parts) if reading.verdict != "warn" else 0
        parts[at:at] = [(f"{sign} fit  ", f"bold {colour}"), f"{reading.found}\n"]
    return Content.assemble(*parts, "\n")


def fit(found: Fit) -> Content:
    """The reading of training and test accuracy."""
    sign, colour = SIGNS[found.verdict]
    parts: list[Part] = [(f"{sign} fit  ", f"bold {colour}"), found.found]
    parts += ["\n" if found.found else "", (found.advice, MUTED if found.verdict != "warn" else ""), "\n"]
    return Content.assemble(*parts)


def axis(viewport: Viewport, cursor: str, sample: Sample | None = None, pinned: str = "", room: int = 160) -> Content:
    """The line under the charts of a run: what their x axis counts, how much is smoothed, where the cursor stands, what
    the GPU does, and whose curves stand behind. In ``room`` cells: what slows the GPU down before its other figures.
    """
    counted = {"epoch": "epochs", "time": "training time", "step": "steps"}[viewport.unit]
    level = f"{viewport.smoothing} of {len(HALF_LIVES) - 1}" if viewport.smoothing else "none"
    place: list[Part] = [("at ", MUTED), (cursor, "bold")] if cursor else [(f"x: {counted}", MUTED)]
    level = "" if cursor else f"   smoothing: {level}"
    zoomed = "" if viewport.whole else "   zoomed" if cursor else "   zoomed, 0 shows all"
    behind = f"   behind: {pinned}" if pinned else ""
    forms = [
        Content.assemble(*place, (level + zoom, MUTED), "   " if gpu else "", gpu, (behind, MUTED))
        for zoom, brief in ((zoomed, False), (zoomed[:9], False), (zoomed[:9], True), ("", True))
        for gpu in (gpu_now(sample, brief=brief),)
    ]
    return next((form for form in forms if form.cell_length <= room), forms[-1].truncate(room, ellipsis=True))


def gpu_now(sample: Sample | None, *, brief: bool = False) -> Content:
    """What a GPU draws, how fast and warm it is, what slows it down; nothing of what its driver does not say.

    brief: of a GPU that something slows down only that.
    """
    if sample is None:
        return NOTHING
    figures = [
        f"{value:,.0f} {unit}"
        for value, unit in ((sample.gpu_power, "W"), (sample.gpu_clock, "MHz"), (sample.gpu_temperature, "°C"))
        if value is not None and not (brief and sample.gpu_slowed)
    ]
    parts: list[Part] = [("GPU ", MUTED), (" ".join(figures), "bold")] if figures else []
    if sample.gpu_slowed:
        sign, colour = SIGNS["warn"]
        parts.append((f"{' ' if figures else 'GPU '}{sign} {', '.join(sample.gpu_slowed)}", colour))
    return Content.assemble(*parts)


WORDS = {
    stages.PROCESS: "starting a process",
    stages.TORCH: "loading torch",
    stages.CHECKPOINT: "reading the checkpoint",
    stages.DATA: "reading the images",
    stages.NETWORK: "building the network",
    stages.THREADS: "choosing the number of threads",
    stages.CHECKS: "checking the recipe",
    stages.STEPS: "first steps",
}

SOMETIMES = (stages.PROCESS, stages.CHECKPOINT)
"""Not every run has them: they are shown once they have begun."""


def loading(tracked: Tracked, now: float) -> Content:
    """The stages that are over, that at work and those to come, with their seconds up to ``now``."""
    if not tracked.known:
        return NOTHING
    done = tracked.status.stages if tracked.status is not None else ()
    if not tracked.live and not done:
        return Content.styled("It ended before its first loss: there is nothing to draw.", MUTED)
    if not done and tracked.status is not None and tracked.state == "queued":
        done = (Stage(stages.PROCESS, tracked.status.started),)
    until = now if tracked.live else tracked.status.heartbeat if tracked.status is not None else now
    parts: list[Part] = [("Before the first loss\n\n", "bold")]
    for number, stage in enumerate(done, 1):
        over = number < len(done)
        ends = done[number].began if over else until
        sign, style = ("✓", "$success") if over else ("●", "bold $primary") if tracked.live else ("✗", "bold $error")
        seconds = max(0.0, ends - stage.began)
        words = WORDS.get(stage.name, stage.name)
        parts += [(f"{sign} ", style), (f"{words:<32}", "" if over else "bold"), (f"{_brief(seconds):>8}\n", MUTED)]
    if tracked.live:
        begun = {stage.name for stage in done}
        last = max((stages.STAGES.index(name) for name in begun if name in stages.STAGES), default=-1)
        parts += [(f"· {WORDS[name]}\n", MUTED) for name in stages.STAGES[last + 1 :] if name not in SOMETIMES]
        parts.append(("\nThe charts begin with the first loss.", MUTED))
    return Content.assemble(*parts)


def at_work(tracked: Tracked) -> str:
    """The stage that a live run is in before its next loss; "" once there is one."""
    done = tracked.status.stages if tracked.status is not None and tracked.live else ()
    return WORDS.get(done[-1].name, done[-1].name) if done else ""


def _brief(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)
