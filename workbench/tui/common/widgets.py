"""Texts, panes and lists that draw again, and send, only what changed; and a choice with all its values in sight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text as RichText
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style as ContentStyle
from textual.widget import Widget
from textual.widgets import Static

from workbench.tui.compat.composed import Composed
from workbench.visible import visible


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

    def show_any(self, content: Content) -> None:
        """Show a text; where it is empty, take no room."""
        self.show(content)
        if self.display != bool(content):
            self.display = bool(content)

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


def show_border(widget: Widget, title: Content | None = None, title_below: Content | None = None) -> None:
    """Put texts into a widget's border; None leaves one as it is, and the same again draws nothing.

    Textual draws, and sends, all that a widget holds with each text that its border is given.
    """
    if title is not None and title.markup != widget.border_title:
        widget.border_title = title
    if title_below is not None and title_below.markup != widget.border_subtitle:
        widget.border_subtitle = title_below


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


Cell = tuple[str, Style]
"""A character and its style; the second cell of a wide character is empty."""


NEAR = 12
"""Cells between two changes from which on it is shorter to move the cursor than to send them."""


def cells(parts: Iterable[tuple[str, Style]], width: int) -> list[Cell]:
    """Styled texts as exactly ``width`` cells, cut or filled with spaces."""
    found: list[Cell] = []
    for text, style in parts:
        for character in visible(text, keep=""):
            size = cell_len(character)
            if size == 0 or len(found) + size > width:
                continue
            found.append((character, style))
            found += [("", style)] * (size - 1)
    return found + [(" ", Style.null())] * (width - len(found))


def changed(before: Sequence[list[Cell]], after: Sequence[list[Cell]], top: int = 0) -> list[Region]:
    """The stretches of lines that differ; ``top`` is the first line's place."""
    regions = []
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        if old == new:
            continue
        start = end = -NEAR
        for place, (a, b) in enumerate(zip(old, new, strict=True)):
            if a == b:
                continue
            if place - end >= NEAR:
                if start >= 0:
                    regions.append(Region(start, top + number, end - start + 1, 1))
                start = place
            end = place
        regions.append(Region(start, top + number, end - start + 1, 1))
    return regions


def strip(line: Sequence[Cell], base: Style) -> Strip:
    """A line as Textual draws it, on a background."""
    segments: list[Segment] = []
    run, style = "", Style.null()
    for character, its in line:
        if its != style and run:
            segments.append(Segment(run, base + style))
            run = ""
        style = its
        run += character
    if run:
        segments.append(Segment(run, base + style))
    return Strip(segments, len(line))


class CursorLines(Composed, ScrollView, can_focus=True):
    """Lines of which one is under the cursor; below ``HEADING`` lines that stay. A subclass draws and moves."""

    BINDINGS = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home,g", "move(-1000000)", show=False),
        Binding("end,G", "move(1000000)", show=False),
    ]
    HEADING = 0

    cursor = reactive(0, repaint=False)

    def action_move(self, by: int) -> None:
        """Move the cursor by some lines."""
        raise NotImplementedError

    def action_page(self, direction: int) -> None:
        """Move by what is visible."""
        self.action_move(direction * max(1, self.size.height - self.HEADING - 1))

    def refresh_row(self, number: int) -> None:
        """Draw one line anew."""
        self.refresh(Region(0, number + self.HEADING - self.scroll_offset.y, self.size.width, 1))

    def watch_has_focus(self, value: bool) -> None:
        super().watch_has_focus(value)
        self.refresh_row(self.cursor)

    def under_cursor(self, base: Style, cursor: Style) -> Style:
        """The style of the cursor's line; without the focus only its background."""
        return base + (cursor if self.has_focus else Style(bgcolor=cursor.bgcolor, dim=False))


class Choice(Composed, Widget, can_focus=True):
    """Shows ``chosen  other  other``; where they have no room, only the chosen one between arrows."""

    COMPONENT_CLASSES = {"choice--chosen", "choice--other"}
    BINDINGS = [
        Binding("left", "move(-1)", show=False),
        Binding("right,space", "move(1)", show=False),
    ]

    value: reactive[str] = reactive("")

    class Changed(Message):
        """Another value was chosen."""

        def __init__(self, choice: Choice, value: str) -> None:
            super().__init__()
            self.choice = choice
            self.value = value

    def __init__(self, values: Sequence[str], value: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.values = list(values)
        self.set_reactive(Choice.value, value)

    def action_move(self, by: int) -> None:
        """Choose a neighbour; after the last comes the first."""
        place = self.values.index(self.value) if self.value in self.values else -1
        self.value = self.values[(place + by) % len(self.values)]

    def watch_value(self, value: str) -> None:
        self.post_message(self.Changed(self, value))

    def on_click(self, event: events.Click) -> None:
        if not self._fits():
            self.action_move(1)
            return
        x = 0
        for value in self.values:
            x += len(value) + 2
            if event.x < x:
                self.value = value
                return

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Cells for all values."""
        return sum(len(v) + 2 for v in self.values)

    def _fits(self) -> bool:
        return self.get_content_width(self.size, self.size) <= self.size.width

    def render(self) -> RichText:
        chosen = self.get_component_rich_style("choice--chosen", partial=True)
        other = self.get_component_rich_style("choice--other", partial=True)
        if not self._fits():
            return RichText.assemble(("‹", other), (f" {self.value} ", chosen), ("›", other), no_wrap=True)
        parts: list[tuple[str, Style]] = [(f" {v} ", chosen if v == self.value else other) for v in self.values]
        return RichText.assemble(*parts, no_wrap=True)
