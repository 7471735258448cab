"""Where text enters Textual: what a terminal would obey becomes visible there, whoever's widget shows it.

Textual takes out five control characters and passes the others on to the terminal, ESC among them, as if they had no
width. There are two gates. Every text that Textual lays out becomes a ``Content``: there it gets its visible form, so
that it is measured and wrapped as it will be seen. Lines that widgets draw cell by cell pass a filter on their way out.
"""

from __future__ import annotations

from functools import wraps

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.content import Content, Span
from textual.filter import LineFilter

from workbench.visible import HOSTILE, OBEYED, visible, visible_places


class VisibleLines(LineFilter):
    """Shows what a terminal would obey, each segment in the cells that it has; links lead nowhere and are dropped."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if not any(_hostile(segment) for segment in segments):
            return segments
        return [_shown(segment) if _hostile(segment) else segment for segment in segments]


def _hostile(segment: Segment) -> bool:
    text, style, _ = segment
    return OBEYED.search(text) is not None or (style is not None and style.link is not None)


def _shown(segment: Segment) -> Segment:
    text, style, _ = segment
    return Segment(set_cell_size(visible(text, keep=""), cell_len(text)), style.update_link(None) if style else None)


def guard_content() -> None:
    """Let every ``Content`` made of a text in this process begin with its visible form. Doing it twice does nothing."""
    if hasattr(Content.__init__, "__wrapped__"):
        return
    plain = Content.__init__

    @wraps(plain)
    def init(
        self: Content,
        text: str = "",
        spans: list[Span] | None = None,
        cell_length: int | None = None,
        strip_control_codes: bool = True,
    ) -> None:
        if strip_control_codes and text and HOSTILE.search(text):
            text, places = visible_places(text)
            spans = [Span(places[min(s.start, len(places) - 1)], places[min(s.end, len(places) - 1)], s.style)
                     for s in spans or ()]  # fmt: skip
            cell_length = None
        plain(self, text, spans, cell_length, strip_control_codes)

    Content.__init__ = init  # type: ignore[method-assign]
