"""One parameter in a form: its name, its value, and what is expected of it."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from workbench.tui.composed import Composed
from workbench.tui.forms import Entry, Field
from workbench.tui.widgets.choice import Choice
from workbench.tui.widgets.pane import Text

MUTED = "$muted"


class Reset(Text):
    """Brings the default back with a click."""

    class Wanted(Message):
        """It was clicked."""

    def on_click(self) -> None:
        self.post_message(self.Wanted())


class FieldRow(Composed, Horizontal):
    """A switch and a choice show all their values, anything else is typed."""

    class Changed(Message):
        """The entry is another one now."""

        def __init__(self, key: str, entry: Entry) -> None:
            super().__init__()
            self.key = key
            self.entry = entry

    def __init__(self, field: Field, entry: Entry) -> None:
        super().__init__(classes="field")
        self.field = field
        self.entry = entry
        self._text = Text(classes="field--hint")
        self._reset = Reset(classes="field--reset")
        parameter = field.parameter
        if parameter.kind == "switch":
            self._editor: Choice | Input = Choice(["yes", "no"], "yes" if entry else "no")
        elif parameter.choices:
            self._editor = Choice([str(c) for c in parameter.choices], str(entry))
        else:
            placeholder = "left out" if parameter.optional else ""
            self._editor = Input(str(entry), placeholder=placeholder, compact=True)

    def compose(self) -> ComposeResult:
        name = Text(classes="field--name")
        name.show(Content(self.field.key))
        yield name
        yield self._editor
        yield self._reset
        yield self._text

    def on_mount(self) -> None:
        self.judge("", "")

    @property
    def editor(self) -> Choice | Input:
        """The widget that takes the focus."""
        return self._editor

    def put(self, entry: Entry) -> None:
        """Set the entry as if it had been typed."""
        if isinstance(self._editor, Input):
            self._editor.value = str(entry)
        elif isinstance(entry, bool):
            self._editor.value = "yes" if entry else "no"
        else:
            self._editor.value = entry

    def judge(self, error: str, warning: str) -> None:
        """Show what is wrong with the entry, or else its unit and bounds."""
        parameter = self.field.parameter
        self.set_class(bool(error), "-wrong")
        if error:
            hint = Content.styled(f"✗ {error}", "$error")
        elif warning:
            hint = Content.styled(f"! {warning}", "$warning")
        else:
            hint = Content.styled(" ".join(filter(None, (parameter.unit, parameter.bounds))), MUTED)
        self._text.show(hint)
        default = self.field.default_entry
        self._reset.show(Content("↺" if default is not None and self.entry != default else ""))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._take(event.value)

    @on(Choice.Changed)
    def _chosen(self, event: Choice.Changed) -> None:
        event.stop()
        self._take(event.value == "yes" if self.field.parameter.kind == "switch" else event.value)

    @on(Reset.Wanted)
    def _reset_wanted(self, event: Reset.Wanted) -> None:
        event.stop()
        self.reset()

    def reset(self) -> None:
        """Bring the default back."""
        if self.field.default_entry is not None:
            self.put(self.field.default_entry)

    def _take(self, entry: Entry) -> None:
        if entry != self.entry:
            self.entry = entry
            self.post_message(self.Changed(self.field.key, entry))
