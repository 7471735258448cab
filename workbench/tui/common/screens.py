"""The kinds of screens, their first and last lines, and the dialogs that more than one of them opens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Generic, Literal, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Button, Input

from workbench.runs.errors import RunError
from workbench.tui.common.actions import Action, Where, actions
from workbench.tui.common.widgets import Text
from workbench.tui.compat.composed import Composed, when_ready

Result = TypeVar("Result")


class WorkbenchScreen(Composed, Screen[Result], Generic[Result]):
    """A screen of a mode."""


class Dialog(Composed, ModalScreen[Result], Generic[Result]):
    """A screen that lies over another one until it is answered."""


class ReadingDialog(Dialog[None]):
    """One that is read, scrolled and closed; its text lies in the only VerticalScroll."""

    BINDINGS = [
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
    ]

    def action_scroll(self, by: int) -> None:
        """Scroll the text."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def action_close(self) -> None:
        """Back to where one was."""
        self.dismiss(None)


class ConfirmScreen(Dialog[str]):
    """Returns the chosen answer's name; "" for the way out. Arrows and enter choose.

    loses: the names of answers after which something is gone, ends or stands still. Such an answer is never chosen in
    advance, and a question that has one is answered only by whoever can have seen it: the app gives it nothing that was
    typed or clicked before it was drawn, see :meth:`workbench.tui.app.terminal_app.TerminalApp.heeds`.
    """

    BINDINGS = [
        Binding("escape", "answer('')", show=False),
        Binding("up,left", "app.focus_previous", show=False),
        Binding("down,right", "app.focus_next", show=False),
    ]

    def __init__(
        self,
        title: str,
        question: str,
        answers: Sequence[tuple[str, str]],
        cancel: str = "Cancel",
        loses: Collection[str] = (),
    ) -> None:
        super().__init__()
        self._title = title
        self._question = question
        self._answers = [*answers, ("", cancel)]
        self.loses = frozenset(loses)
        self._chosen = next(name for name, _ in self._answers if name not in self.loses)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog confirm") as dialog:
            dialog.border_title = Content(self._title)
            yield Text(classes="question")
            for name, words in self._answers:
                yield self._button(name, words)

    def on_mount(self) -> None:
        self._fill()
        self.query_one(f"#{_id(self._chosen)}", Button).focus()

    def _button(self, name: str, words: str) -> Button:
        variant: Literal["primary", "default"] = "primary" if name == self._chosen else "default"
        return Button(Content(words), id=_id(name), variant=variant, compact=True)

    def tell(self, question: str) -> None:
        """Another text of the question: more is known now."""
        self._question = question
        self._fill_again()

    def offer(self, name: str, words: str) -> None:
        """One more answer, before the way out."""
        self._answers.insert(-1, (name, words))
        self._fill_again()

    @when_ready
    def _fill_again(self) -> None:
        self._fill()

    def _fill(self) -> None:
        """Show the question, and what was offered since the answers were composed."""
        self.query_one(".question", Text).show(Content(self._question))
        for name, words in self._answers:
            if not self.query(f"#{_id(name)}"):
                self.query_one(".confirm").mount(self._button(name, words), before=f"#{_id('')}")

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        name = (event.button.id or "").removeprefix("answer-")
        self.dismiss("" if name == "cancel" else name)

    def action_answer(self, name: str) -> None:
        """Choose by name."""
        self.dismiss(name)


def _id(name: str) -> str:
    return f"answer-{name or 'cancel'}"


class ButtonDialog(Dialog[Result]):
    """A dialog whose buttons bear the names of its actions."""

    @on(Button.Pressed)
    async def _pressed(self, event: Button.Pressed) -> None:
        event.stop()
        await self.run_action(f"screen.{event.button.id}")


class LineScreen(ButtonDialog[str | None]):
    """Returns what was written, or None. ``check`` raises RunError for what cannot be meant.

    hint: what to write. accept: what enter does, in a word.
    """

    BINDINGS = [Binding("escape", "cancel", show=False)]
    AUTO_FOCUS = "#line-text"

    def __init__(
        self,
        title: str,
        text: str,
        hint: str,
        check: Callable[[str], object] = lambda text: None,
        accept: str = "Save",
    ) -> None:
        super().__init__()
        self._title = title
        self._given = text
        self._hint = hint
        self._check = check
        self._accept = accept

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog line") as dialog:
            dialog.border_title = Content(self._title)
            yield Input(self._given, id="line-text", compact=True, select_on_focus=False)
            yield Text(id="line-hint")
            with Horizontal(classes="buttons"):
                yield Button(f"{self._accept}  ⏎", id="save", variant="primary", compact=True)
                yield Button("Cancel  esc", id="cancel", compact=True)

    def on_mount(self) -> None:
        self._say()

    def _say(self) -> str:
        """Say what is wrong with the text, or what to write; returns what is wrong."""
        try:
            self._check(self.query_one(Input).value)
        except RunError as error:
            self.query_one("#line-hint", Text).show(Content.styled(f"✗ {error}", "$error"))
            return str(error)
        self.query_one("#line-hint", Text).show(Content.styled(self._hint, "$muted"))
        return ""

    @on(Input.Changed)
    def _typed(self) -> None:
        self._say()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_save()

    def action_save(self) -> None:
        """Return the text, if it can be meant."""
        if not self._say():
            self.dismiss(self.query_one(Input).value)

    def action_cancel(self) -> None:
        """Leave everything as it was."""
        self.dismiss(None)


class KeyBar(Text):
    """One line of text. Textual's Footer builds a widget a key anew whenever the focus moves."""

    def __init__(self, where: Where, keymap: Mapping[str, str]) -> None:
        super().__init__(classes="key-bar")
        self._actions = [action for action in actions(where, keymap) if action.title]

    def on_mount(self) -> None:
        self.refresh_keys()

    def refresh_keys(self) -> None:
        """Dim what cannot be done at the moment."""
        parts: list[tuple[str, str]] = []
        for action in self._fitting():
            possible = self.screen.check_action(action.name, ()) is not None
            parts.append((f" {action.shown_key}", "bold $primary" if possible else "bold $primary 40%"))
            parts.append((f" {action.title}", "$foreground 75%" if possible else "$foreground 35%"))
        self.show(Content.assemble(*parts), layout=False)

    def on_resize(self) -> None:
        self.refresh_keys()

    def _fitting(self) -> list[Action]:
        """As many as have room, without those that the screen hides; help and quit stay to the last."""
        found = [action for action in self._actions if self.screen.check_action(action.name, ()) is not False]
        while found and sum(map(_cells, found)) > max(1, self.size.width):
            found.pop(next((i for i in reversed(range(len(found))) if found[i].where != "app"), -1))
        return found

    def action_at(self, x: int) -> Action | None:
        """The action whose key or name is in this column."""
        for action in self._fitting():
            x -= _cells(action)
            if x < 0:
                return action
        return None

    async def on_click(self, event: events.Click) -> None:
        action = self.action_at(event.x)
        if action is not None:
            await self.screen.run_action(action.full_name)


def _cells(action: Action) -> int:
    return len(action.shown_key) + len(action.title) + 2


SCREENS = {"compose": "1 Compose", "run": "2 Run", "profile": "3 Profile", "runs": "4 Runs"}


class Tab(Text):
    """A screen's name; a click goes there."""

    def __init__(self, mode: str) -> None:
        super().__init__(id=f"tab-{mode}", classes="tab")
        self.mode = mode

    async def on_click(self) -> None:
        await self.run_action(f"app.show('{self.mode}')")


class TopBar(Composed, Horizontal):
    """``active`` is the mode of the screen that it stands on."""

    def __init__(self, active: str) -> None:
        super().__init__(classes="top-bar")
        self._active = active

    def compose(self) -> ComposeResult:
        brand = Text(classes="brand")
        brand.show(Content("workbench"))
        yield brand
        for mode in SCREENS:
            tab = Tab(mode)
            tab.set_class(mode == self._active, "-active")
            tab.show(Content(SCREENS[mode]))
            yield tab
        yield Text(id="about")

    def show(self, about: Content, running: Content) -> None:
        """``about``: what the screen is about, at the right; ``running``: beside the tab of Run."""
        if not self.children:  # a timer may be faster than the first layout
            return
        self.query_one("#about", Text).show(about, layout=False)
        self.query_one("#tab-run", Text).show(Content.assemble(SCREENS["run"], running))
