"""A scrolling pane of text with a border; a text that did not change is not drawn again."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.strip import Strip
from textual.style import Style as ContentStyle
from textual.widgets import Static

from workbench.tui.composed import Composed
from workbench.tui.widgets.cells import Cell, cells, changed, strip


class Text(Composed, Static):
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


class Line(Text):
    """A Text of one line, for what changes every second: only the cells that are others are sent."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._cells: list[Cell] = []

    def show(self, content: Content, *, layout: bool = False) -> None:
        """Show a text, if it is another one."""
        if content.is_same(self._shown):
            return
        self._shown = content
        before, self._cells = self._cells, self._new_cells()
        if len(before) == len(self._cells):
            self.refresh(*changed([before], [self._cells]))
        else:
            self.refresh()

    def _new_cells(self) -> list[Cell]:
        parts = self._shown.render(parse_style=self.app.stylesheet.parse_style, end="")
        return cells([(text, style.rich_style if style else Style.null()) for text, style in parts], self.size.width)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_attached:
            self._cells = self._new_cells()

    def on_resize(self) -> None:
        """Cut it anew."""
        self._cells = self._new_cells()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        base = self.rich_style
        return strip(self._cells, base) if y == 0 and self._cells else Strip.blank(self.size.width, base)


def tabs(titles: Mapping[str, Content], current: str) -> Content:
    """The titles of panes of which one is in front, in a border: a click on another calls the screen's show_view."""
    return Content(" │ ").join(
        title.stylize("bold") if view == current else title.stylize(_click(f"screen.show_view('{view}')"))
        for view, title in titles.items()
    )


def _click(action: str) -> ContentStyle:
    return ContentStyle.from_meta({"@click": action})


class Pane(Composed, VerticalScroll, can_focus=False):
    """A bordered pane with one text in it."""

    BINDINGS = [Binding("j", "scroll_down", show=False), Binding("k", "scroll_up", show=False)]

    def __init__(self, *, title: str = "", id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=f"pane {classes or ''}".strip())
        self.border_title = Content(title)
        self.text = Text(classes="pane--text")

    def compose(self) -> ComposeResult:
        yield self.text

    def show(self, content: Content) -> None:
        """Show a text, if it is another one."""
        self.text.show(content)
