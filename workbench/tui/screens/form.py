"""The form that edits one part of a recipe."""

from __future__ import annotations

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Input

from workbench.recipe import Recipe
from workbench.tui.forms import Entry, Subject, apply, subject, warnings
from workbench.tui.screens.base import Dialog
from workbench.tui.widgets.field_row import FieldRow
from workbench.tui.widgets.pane import Text

MUTED = "$muted"


class FormScreen(Dialog[Recipe | None]):
    """Returns the edited recipe, or None if nothing is to change."""

    BINDINGS = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("enter", "apply", "Apply", show=False),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
        Binding("ctrl+r", "reset", "Default", show=False, priority=True),
    ]

    def __init__(self, recipe: Recipe, place: str) -> None:
        super().__init__()
        self.recipe = recipe
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
        return [FieldRow(field, self.entries[field.key]) for field in self.form.fields]

    def _focus_first(self) -> None:
        rows = list(self.query(FieldRow))
        skip = 1 if rows and rows[0].field.key in ("enabled", self.form.chooser) and len(rows) > 1 else 0
        if rows:
            rows[skip].editor.focus()

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
            parts.append(Content(parameter.description))
            default = row.field.default_entry
            words = f"{parameter.expected}" + (f" {parameter.unit}" if parameter.unit else "")
            if parameter.optional:
                words += ", or nothing"
            if default not in (None, ""):
                words += f"; default {'yes' if default is True else 'no' if default is False else default}"
            parts.append(Content.styled(words, MUTED))
            if (error := wrong.get(row.field.key)) is not None:
                parts[-1] = Content.styled(f"✗ {error}", "$error")
            elif (doubt := doubts.get(row.field.key) or doubts.get("")) is not None:
                parts[-1] = Content.styled(f"! {doubt}", "$warning")
        self.query_one("#form-detail", Text).show(Content("\n").join(parts))

    def _focused_row(self) -> FieldRow | None:
        node = self.focused
        return next((row for row in self.query(FieldRow) if node is not None and row.editor is node), None)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_apply()

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        await self.run_action(f"screen.{event.button.id}")

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
