"""A run's curves on the command line: with colours in a terminal, as plain lines in a pipe."""

from __future__ import annotations

from rich.text import Text

from workbench.commands.output import VisibleConsole, ascii_only, on_terminal, terminal_width
from workbench.printing import say
from workbench.tui.charts.plot import titled
from workbench.tui.charts.viewport import Viewport
from workbench.tui.common.palette import Colour, Palette
from workbench.tui.run.plots import plots, progress_of
from workbench.tui.run.view import RunView

SHOWN = ("Loss", "Accuracy")
WIDTH, WIDEST, HEIGHT = 80, 120, 14
"""Columns in a pipe, the most in a terminal, and lines of a chart."""


def say_curves(view: RunView) -> None:
    """Print loss and accuracy over the epochs; nothing for a run without a step."""
    if not view.version:
        return
    width = min(terminal_width(), WIDEST) if on_terminal() else WIDTH
    palette = Palette(ascii=ascii_only())
    viewport = Viewport()
    for plot in plots(view, viewport.smoothing):
        if plot.title not in SHOWN or not any(len(series.values) for series in plot.series):
            continue
        rows, _ = plot.draw(width, HEIGHT, viewport, progress_of(view), palette)
        if not rows:  # too narrow
            continue
        name, figures = titled(plot.title, plot.figures(None, palette), width)
        title = [(name, None), *((f.sign + f.name + f.value, f.colour) for f in figures)]
        say()
        for row in (title, *rows):
            _say_row(row)


def _say_row(row: list[tuple[str, Colour | None]]) -> None:
    if not on_terminal():
        say("".join(text for text, _ in row).rstrip())
        return
    parts = [(text, "" if colour is None else _style(colour)) for text, colour in row]
    VisibleConsole().print(Text.assemble(*parts), overflow="crop", no_wrap=True)


def _style(colour: Colour) -> str:
    return f"color({colour})" if isinstance(colour, int) else "rgb({},{},{})".format(*colour)
