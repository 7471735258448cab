"""How a run looks while it trains: a progress bar on a terminal, lines in a pipe, or JSON."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import Console, RenderableType
from rich.constrain import Constrain
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from workbench.commands.output import VisibleConsole
from workbench.commands.reporter import Line, Reporter
from workbench.commands.streams import Streams
from workbench.events import Continued, Event, Resumed, RunStarted, Trained, to_json
from workbench.format import duration, figure, percent, short
from workbench.printing import write
from workbench.visible import shortened, visible

THROUGHPUT_SECONDS = 60.0
"""The time left is reckoned from the steps of this many seconds."""

STYLES = {"error": "bold red", "note": "yellow", "end": "bold"}
VERDICTS = {"fail": "bold red", "warn": "yellow"}


class Display(Protocol):
    """Shows a run's events; a context manager, so that a terminal is put back in order."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def take(self, event: Event) -> None:
        """Show an event. Raises OSError if nobody reads any more."""
        ...

    def warn(self, text: str) -> None:
        """Show a warning."""
        ...

    def tell(self, text: str) -> None:
        """A word from a signal handler."""
        ...


def make_display(streams: Streams, name: str, *, as_json: bool, quiet: bool) -> Display:
    """The display that fits the options and where results go."""
    if as_json:
        return JsonDisplay(streams, name)
    if quiet or not streams.out.isatty():
        return LineDisplay(streams, name, quiet)
    return BarDisplay(streams, name)


class _Plain:
    """What displays without a live part have in common."""

    def __init__(self, streams: Streams, name: str) -> None:
        self.streams = streams
        self.reporter = Reporter(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def warn(self, text: str) -> None:
        with contextlib.suppress(OSError):
            write(self.streams.err, _message(f"warning: {text}"))

    def tell(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            os.write(self.streams.err.fileno(), f"{text}\n".encode())


class LineDisplay(_Plain):
    """A line an epoch and one at the end; ``quiet`` leaves only the last, and errors."""

    def __init__(self, streams: Streams, name: str, quiet: bool) -> None:
        super().__init__(streams, name)
        self.quiet = quiet

    def take(self, event: Event) -> None:
        for line in self.reporter.take(event):
            if line.kind in ("note", "error") and not (self.quiet and line.kind == "note"):
                write(self.streams.err, _message(line.text))
            elif line.kind == "end" or not self.quiet:
                write(self.streams.out, _message(line.text))


class SilentDisplay(_Plain):
    """Nothing of a run's events, where output is the run's own log: who reads that has the events beside it."""

    def take(self, event: Event) -> None:
        pass


class JsonDisplay(_Plain):
    """Every event as one line of JSON; what a person should know besides goes to stderr."""

    def take(self, event: Event) -> None:
        write(self.streams.out, to_json(event))
        for line in self.reporter.take(event):
            if line.kind in ("error", "end"):
                write(self.streams.err, _message(line.text))


class BarDisplay:
    """Lines above a bar that shows the present step, figures and the time left."""

    def __init__(self, streams: Streams, name: str) -> None:
        self.reporter = Reporter(name)
        self.console = VisibleConsole(streams.out)
        self.notice = ""
        self.task: Any = None
        self.pace = Pace()
        self.progress = _Bar(
            self.console,
            _Column(lambda task: Text(self.notice, "yellow") if self.notice else Text(task.description)),
            BarColumn(bar_width=None),
            _Column(lambda task: Text(f"{task.completed:,.0f}/{task.total or 0:,.0f}")),
            _Column(lambda task: Text(task.fields["figures"])),
            _Column(lambda task: Text(task.fields["left"], "cyan")),
            expand=True,
            transient=True,
            refresh_per_second=4,  # a busy drawing thread slows the training thread
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self.progress.start()
        self.task = self.progress.add_task("starting", total=None, figures="", left="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone
            self.progress.stop()

    def warn(self, text: str) -> None:
        self.console.print(Text(_message(f"warning: {text}"), "yellow"))

    def tell(self, text: str) -> None:
        self.notice = "stopping; Ctrl-C again leaves at once"

    def take(self, event: Event) -> None:
        for line in self.reporter.take(event):
            self.console.print(_styled(line))
        if isinstance(event, RunStarted):
            self.progress.update(self.task, total=event.steps, description="epoch 0")
        elif isinstance(event, Resumed | Continued):
            self.pace = Pace()
            self.progress.update(self.task, completed=event.step)
        elif isinstance(event, Trained):
            started = self.reporter.started
            total = started.steps if started else event.step
            self.pace.add(event.time, event.step)
            accuracy = "" if event.accuracy != event.accuracy else f"acc {percent(event.accuracy, 1)}  "
            self.progress.update(
                self.task,
                completed=event.step,
                description=f"epoch {short(event.epoch)}",
                figures=f"loss {figure(event.loss)}  {accuracy}{event.images_per_second:,.0f} img/s",
                left=self.pace.left(total - event.step),
            )


class Pace:
    """How fast steps go by, over the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, when: float, step: int) -> None:
        """Note that a step was done."""
        self._seen.append((when, step))
        while len(self._seen) > 2 and when - self._seen[0][0] > THROUGHPUT_SECONDS:
            self._seen.popleft()

    def left(self, steps: int) -> str:
        """``ETA 1:23`` for the steps that remain; empty until there is something to reckon from."""
        if len(self._seen) < 2:
            return ""
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return f"ETA {duration(steps * (now - began) / (last - first))}" if last > first and now > began else ""


class _Bar(Progress):
    def __init__(self, console: Console, *columns: ProgressColumn, **options: Any) -> None:
        self._console = console  # asked for a first picture before Progress has its own
        super().__init__(*columns, console=console, **options)

    def get_renderable(self) -> RenderableType:
        # Room for the terminal's own ^C: were it pushed to a line of its own, the bar would not be wiped away.
        return Constrain(super().get_renderable(), max(20, self._console.width - 3))


class _Column(ProgressColumn):
    def __init__(self, draw: Callable[[Task], Text]) -> None:
        super().__init__(table_column=Column(no_wrap=True))  # a second line would stay behind when the bar goes
        self._draw = draw

    def render(self, task: Task) -> Text:
        return self._draw(task)


def _styled(line: Line) -> Text:
    style = VERDICTS.get(line.verdict, "") if line.kind == "check" else STYLES.get(line.kind, "")
    return Text(_message(line.text), style)


def _message(text: str) -> str:
    """A line of what a run says, on one line, cut where nobody would read on."""
    return shortened(visible(text, keep=""))
