"""The step as one bar of phases, with a line above that says whose it is and a legend below."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from workbench.tui.composed import Composed
from workbench.tui.profile_texts import Piece, legend, step_bar
from workbench.tui.widgets.pane import Line, Text


class StepBar(Composed, Vertical):
    """What did not change sends nothing, and of what did only the cells that are others."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._caption = Line(id="step-caption")
        self._above, self._below = Line(classes="step-phases"), Line(classes="step-phases")
        self._legend = Text(id="step-legend")
        self._remark = Line(id="step-remark")
        self._parts: Sequence[Piece] = ()

    def compose(self) -> ComposeResult:
        yield self._caption
        yield self._above
        yield self._below
        yield self._legend
        yield self._remark

    def show(self, caption: Content, parts: Sequence[Piece], remark: str = "") -> None:
        """Show a step; without parts only the caption, and what there is to remark."""
        self._caption.show(caption)
        self._remark.display = bool(remark)
        self._remark.show(Content.styled(remark, "$warning"))
        self._parts = parts
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        room = self.content_size.width
        for line in (self._above, self._below, self._legend):
            line.display = bool(self._parts)
        if room <= 0 or not self._parts:
            return
        above, below = step_bar(self._parts, room, ascii=self.app.has_class("-ascii"))
        self._above.show(above)
        self._below.show(below)
        self._legend.show(legend(self._parts, room))

    @property
    def plain(self) -> str:
        """All that is shown, without styles."""
        return "\n".join(line.plain for line in (self._caption, self._above, self._below, self._legend, self._remark))
