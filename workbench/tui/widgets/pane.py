"""A scrolling pane of text with a border; a text that did not change is not drawn again."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static


class Text(Static):
    """A Static that ignores what it shows already: even an identical update costs kilobytes on the wire."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes, markup=False)
        self._shown = Content("")

    def show(self, content: Content, *, layout: bool = True) -> None:
        """Show a text, if it is another one. One of the same height is painted without a layout of the whole screen."""
        if not content.is_same(self._shown):
            before, self._shown = self._shown, content
            self.update(content, layout=layout and not self._same_room(before, content))

    def _same_room(self, before: Content, after: Content) -> bool:
        width = self.content_size.width
        if not width or not self.is_attached or (self.styles.is_auto_width and before.cell_length != after.cell_length):
            return False
        return before.get_height({}, width) == after.get_height({}, width)

    @property
    def plain(self) -> str:
        """What is shown, without styles."""
        return self._shown.plain


class Pane(VerticalScroll, can_focus=False):
    """A bordered pane with one text in it."""

    BINDINGS = [Binding("j", "scroll_down", show=False), Binding("k", "scroll_up", show=False)]

    def __init__(self, *, title: str = "", id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=f"pane {classes or ''}".strip())
        self.border_title = title
        self.text = Text(classes="pane--text")

    def compose(self) -> ComposeResult:
        yield self.text

    def show(self, content: Content) -> None:
        """Show a text, if it is another one."""
        self.text.show(content)
