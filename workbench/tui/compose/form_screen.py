"""The form that edits one part of a recipe: a row for each parameter, judged while one types; what opens it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Input

from workbench.recipe import Recipe
from workbench.tui.common.screens import ButtonDialog
from workbench.tui.common.services import Services
from workbench.tui.common.texts import MUTED
from workbench.tui.common.widgets import Choice, Text
from workbench.tui.compat.composed import Composed
from workbench.tui.compose.forms import Entry, Field, Subject, apply, subject, warnings
from workbench.tui.compose.paths import PathInput


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

    def __init__(self, field: Field, entry: Entry, roots: Sequence[Path]) -> None:
        super().__init__(classes="field -long" if field.parameter.kind == "text" else "field")
        self.field = field
        self.entry = entry
        self._text = Text(classes="field--hint")
        self._reset = Reset(classes="field--reset")
        parameter = field.parameter
        if parameter.kind == "switch":
            self._editor: Choice | Input = Choice(["yes", "no"], "yes" if entry else "no")
        elif parameter.choices:
            self._editor = Choice([str(c) for c in parameter.choices], str(entry))
        elif parameter.path:
            self._editor = PathInput(str(entry), roots=roots, placeholder="Tab completes")
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


class FormScreen(ButtonDialog[Recipe | None]):
    """Returns the edited recipe, or None if nothing is to change. roots: where relative paths are looked for."""

    BINDINGS = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("enter", "apply", "Apply", show=False),
        Binding("up", "app.focus_previous", show=False, priority=True),  # not for the pane, where it scrolls
        Binding("down", "app.focus_next", show=False, priority=True),
        Binding("ctrl+r", "reset", "Default", show=False, priority=True),
    ]

    def __init__(self, recipe: Recipe, place: str, roots: Sequence[Path] = ()) -> None:
        super().__init__()
        self.recipe = recipe
        self._roots = roots
        self.form: Subject = subject(recipe, place)
        self.entries: dict[str, Entry] = {f.key: f.entry for f in self.form.fields}
        self.edited: Recipe | None = recipe

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog form"):
            yield Text(id="form-about")
            yield VerticalScroll(*self._rows(), id="form-fields", can_focus=False)
            yield Text(id="form-detail")
            with Horizontal(classes="buttons"):
                yield Button("Apply  ⏎", id="apply", variant="primary", compact=True)
                yield Button("Cancel  esc", id="cancel", compact=True)
                yield Button("Default  ^r", id="reset", compact=True)

    def on_mount(self) -> None:
        dialog = self.query_one(".form")
        dialog.border_title = Content(self.form.title)
        self.query_one("#form-about", Text).show(Content(" ".join(self.form.about.partition("\n\n")[0].split())))
        for button in self.query(Button):
            button.can_focus = False  # keys do all this; tab goes through the fields
        self._focus_first()
        self._judge()

    def _rows(self) -> list[FieldRow]:
        return [FieldRow(field, self.entries[field.key], self._roots) for field in self.form.fields]

    def _focus_first(self) -> None:
        rows = list(self.query(FieldRow))
        skip = 1 if self.form.place != "new" and rows and rows[0].field.key in ("enabled", self.form.chooser) else 0
        if rows:
            rows[min(skip, len(rows) - 1)].editor.focus()

    @on(FieldRow.Changed)
    async def _changed(self, event: FieldRow.Changed) -> None:
        event.stop()
        self.entries[event.key] = event.entry
        if event.key == self.form.chooser:
            await self._rebuild(str(event.entry))
        self._judge()

    async def _rebuild(self, choice: str) -> None:
        """Another model or data source has other parameters; entries that both have stay."""
        typed = self.entries
        self.form = subject(self.recipe, self.form.place, choice)
        known = {f.key: f for f in self.form.fields}
        self.entries = {key: typed.get(key, f.entry) for key, f in known.items()}
        fields = self.query_one("#form-fields", VerticalScroll)
        first, *others = list(fields.query(FieldRow))
        with self.app.batch_update():
            await fields.remove_children(others)
            await fields.mount(*self._rows()[1:])
        first.editor.focus()
        self.query_one("#form-about", Text).show(Content(" ".join(self.form.about.partition("\n\n")[0].split())))

    def _judge(self) -> None:
        self.edited, wrong = apply(self.recipe, self.form, self.entries)
        doubts = warnings(self.edited, self.form) if self.edited is not None else {}
        for row in self.query(FieldRow):
            row.judge(wrong.get(row.field.key, ""), doubts.get(row.field.key, ""))
        self._detail(wrong, doubts)

    @on(events.DescendantFocus)
    def _focus_moved(self) -> None:
        self._judge()

    def _detail(self, wrong: dict[str, str], doubts: dict[str, str]) -> None:
        row = self._focused_row()
        parts: list[Content] = []
        if row is not None:
            parameter = row.field.parameter
            parts.append(Content(row.field.about(row.entry)))
            default = row.field.default_entry
            words = "" if parameter.choices else parameter.asked + (f" {parameter.unit}" if parameter.unit else "")
            if parameter.optional:
                words += ", or nothing" if words else "or nothing"
            if default not in (None, ""):
                words += "; " if words else ""
                words += f"default {'yes' if default is True else 'no' if default is False else default}"
            parts.append(Content.styled(words, MUTED))
            if (error := wrong.get(row.field.key)) is not None:
                parts[-1] = Content.styled(f"✗ {error}", "$error")
            elif (doubt := doubts.get(row.field.key) or doubts.get("")) is not None:
                parts[-1] = Content.styled(f"! {doubt}", "$warning")
        self.query_one("#form-detail", Text).show(Content("\n").join(parts))

    @on(PathInput.Several)
    def _several(self, event: PathInput.Several) -> None:
        event.stop()
        self.query_one("#form-detail", Text).show(Content.styled("  ".join(event.names), MUTED))

    def _focused_row(self) -> FieldRow | None:
        node = self.focused
        return next((row for row in self.query(FieldRow) if node is not None and row.editor is node), None)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_apply()

    def action_apply(self) -> None:
        """Take the entries, if there is nothing wrong with them."""
        self._judge()
        if self.edited is not None:
            self.dismiss(self.edited)
            return
        self.app.bell()
        wrong = next((row for row in self.query(FieldRow) if row.has_class("-wrong")), None)
        if wrong is not None:
            wrong.editor.focus()

    def action_cancel(self) -> None:
        """Leave everything as it was."""
        self.dismiss(None)

    def action_reset(self) -> None:
        """The default of the parameter in focus."""
        row = self._focused_row()
        if row is not None:
            row.reset()


def edit(app: Services, place: str, then: Callable[[], object]) -> None:
    """Edit a part of the recipe being composed. then: where that changed it."""

    def edited(recipe: Recipe | None) -> None:
        if recipe is not None and app.editor.change(recipe):
            then()

    app.push_screen(FormScreen(app.editor.recipe, place, app.settings.roots), edited)


def toggle(app: Services, place: str, then: Callable[[], object]) -> None:
    """Switch a technique or a check of it; one that needs parameters first is edited."""
    section, _, name = place.partition(".")
    if app.editor.toggle(name) if section == "techniques" else app.editor.toggle_check(name):
        then()
    else:
        edit(app, place, then)
