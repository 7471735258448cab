"""What can be done here: the commands that the palette finds, by title and by meaning, and the help with every key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message

from workbench.tui.common.actions import Action, Where, actions
from workbench.tui.common.screens import Dialog
from workbench.tui.common.widgets import Text
from workbench.tui.common.words import place


@dataclass(frozen=True)
class Command:
    """One line of the palette. words: what else it may be asked for as. foreign: it is another screen's."""

    title: str
    help: str
    words: str
    run: Callable[[], object]
    foreign: bool = False


class Commanded(Protocol):
    """What the palette asks of the app."""

    def commands(self) -> list[Command]:
        """All that can be done now."""


ALSO = {
    "compose.toggle_technique": "enable disable switch check",
    "compose.edit": "change parameters values settings form",
    "compose.filter": "search find",
    "compose.diff": "changes compare differences",
    "compose.roll": "samples augmentation redraw random",
    "compose.devices": "gpu gpus cuda cpu card hardware doctor",
    "compose.run": "start begin run launch go",
    "compose.open": "load file new recipe choose",
    "compose.save": "write file store keep toml",
    "compose.save_as": "write file store name rename copy export",
    "compose.undo": "back revert",
    "compose.redo": "again forward",
    "compose.copy": "clipboard yank export toml share",
    "compose.fix": "error problem repair resolve",
    "run.start": "begin launch new go",
    "run.pause": "wait hold resume continue",
    "run.stop": "end cancel abort kill quit",
    "run.checkpoint": "save write weights",
    "run.go_on": "resume restart",
    "run.results": "confusion matrix mistakes errors evaluation accuracy",
    "run.full": "maximise enlarge fullscreen chart",
    "run.x_axis": "time steps epochs",
    "run.log_scale": "logarithm",
    "run.copy": "clipboard rerun reproduce",
    "profile.measure": "speed performance benchmark slow bottleneck time",
    "profile.try": "test compare faster",
    "profile.keep": "accept apply save",
    "profile.stacks": "python functions sample flame",
    "profile.trace": "operators kernels perfetto",
    "profile.cancel": "stop abort",
    "runs.watch": "open show view follow",
    "runs.filter": "search find query",
    "runs.delete": "remove trash erase",
    "runs.undo": "restore undelete trash recover",
    "runs.load": "open recipe",
    "runs.go_on": "resume longer extend epochs",
    "runs.group": "fold seeds mean spread average",
    "runs.baseline": "compare pin reference difference",
    "runs.select": "compare mark overlay",
    "runs.tags": "label",
    "runs.note": "comment write describe",
    "runs.sort": "order",
    "runs.clear": "reset all unselect remove filter",
    "runs.copy": "clipboard rerun reproduce",
    "app.show_compose": "recipe techniques edit model data",
    "app.show_run": "training charts loss accuracy curves log",
    "app.show_profile": "speed performance slow",
    "app.show_runs": "delete remove compare history results list tag note resume",
    "app.help": "shortcuts bindings keyboard manual",
    "app.slow_link": "ssh bandwidth network lag",
    "app.redraw": "refresh repaint garbage clear",
    "app.leave": "quit exit close end bye",
}
"""What else an action may be asked for as, by its id, in lower case."""

COLOURS = "theme themes colors dark light palette appearance settings"
"""The same for the choice of colours, which is no action of the registry."""

ELSEWHERE = frozenset({
    "compose.run", "compose.open", "compose.save", "compose.save_as", "compose.devices", "profile.measure",
    "runs.filter",
})  # fmt: skip
"""Actions that the command palette finds on every screen."""

Run = Callable[[Action], Callable[[], Awaitable[None]]]
"""How an action of the screen in front, or of another one, is done."""

NAMES = {"compose": "Compose", "run": "Run", "profile": "Profile", "runs": "Runs"}


def commands(where: Where, keymap: Mapping[str, str], possible: Callable[[Action], bool], run: Run) -> list[Command]:
    """Those of a screen and of the app that are possible now, then those of other screens that make sense from here."""
    found = []
    for action in actions(where, keymap):
        if action.palette and possible(action):
            name, _, rest = action.about.partition(":")
            shown = rest.strip() or f"key {action.shown_key}"
            found.append(Command(name, shown, ALSO.get(action.id, ""), run(action)))
    for other, name in NAMES.items():
        for action in actions(cast(Where, other), keymap) if other != where else ():
            if action.id in ELSEWHERE:
                title = f"{name}: {action.about.partition(':')[0]}"
                found.append(
                    Command(title, f"key {action.shown_key} there", ALSO.get(action.id, ""), run(action), True)
                )
    return found


def meets(asked: str, title: str, words: str) -> float:
    """How well whole words, or their beginnings, answer what was asked for: 0 not at all, 1 by other words, 2 by title,
    2.5 from its first word on.

    Every word that was asked for must begin one of them.
    """
    wanted = asked.lower().split()
    begins = [word.strip(".,:;") for word in title.lower().split()]
    if not wanted:
        return 0.0
    if all(any(word.startswith(each) for word in begins) for each in wanted):
        return 2.5 if begins[0].startswith(wanted[0]) else 2.0
    begins += words.split()
    return 1.0 if all(any(word.startswith(each) for word in begins) for each in wanted) else 0.0


class Commands(Provider):
    """Whole words count for more than letters in their order, and the screen in front for more than another."""

    async def discover(self) -> Hits:
        """All that can be done on the screen in front."""
        for command in cast(Commanded, self.app).commands():
            if not command.foreign:
                yield DiscoveryHit(command.title, command.run, help=command.help)

    async def search(self, query: str) -> Hits:
        """What was asked for, by title or by meaning; only where no word is met, by letters in their order."""
        matcher, known = self.matcher(query), cast(Commanded, self.app).commands()
        met = [(meets(query, command.title, command.words), command) for command in known]
        if not any(how for how, _ in met):
            met = [(matcher.match(command.title) / 100, command) for command in known if not command.foreign]
        for how, command in met:
            if how > 0:
                score = 100 * how - (50 if command.foreign else 0)
                yield Hit(score, matcher.highlight(command.title), command.run, text=command.title, help=command.help)


def places_in_words(runs: Path, data_root: Path, device: str) -> Content:
    """The places and the device in use."""
    return Content.assemble(
        ("\n  runs    ", "bold"), place(runs, 60), ("\n  data    ", "bold"), place(data_root, 60),
        ("\n  device  ", "bold"), device,
    )  # fmt: skip


class HelpLine(Text):
    """One action."""

    class Chosen(Message):
        """It was clicked."""

        def __init__(self, action: Action) -> None:
            super().__init__()
            self.action = action

    def __init__(self, action: Action) -> None:
        super().__init__(classes="help-line")
        self.shown_action = action
        self.show(Content.assemble((f" {action.shown_key:>6}  ", "bold $primary"), action.about))

    def on_click(self) -> None:
        self.post_message(self.Chosen(self.shown_action))


class HelpScreen(Dialog[Action | None]):
    """Returns the action that was clicked, or None."""

    BINDINGS = [Binding("escape,question_mark,f1,q,enter", "close", show=False)]

    def __init__(self, actions: Sequence[Action], places: Content) -> None:
        super().__init__()
        self._actions = actions
        self._places = places

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog help") as dialog:
            dialog.border_title = "Keys"
            dialog.border_subtitle = "esc closes · a click does it · ^p finds every action"
            for action in self._actions:
                yield HelpLine(action)
            places = Text(classes="help-places")
            places.show(self._places)
            yield places

    @on(HelpLine.Chosen)
    def _chosen(self, event: HelpLine.Chosen) -> None:
        event.stop()
        self.dismiss(event.action)

    def action_close(self) -> None:
        """Close without doing anything."""
        self.dismiss(None)
