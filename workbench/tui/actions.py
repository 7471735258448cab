"""Every action once: its keys, its name in the footer, its sentence. Bindings, footer, help and palette read this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding, BindingType

Where = Literal["compose", "run", "runs", "app"]


@dataclass(frozen=True)
class Action:
    """Something that a user can do. ``name`` is the method ``action_name`` with arguments, on the screen or the app.

    title: in the footer, empty where it has no place there. palette: offered in the command palette.
    """

    where: Where
    name: str
    keys: str
    about: str
    title: str = ""
    display: str = ""
    palette: bool = True

    @property
    def shown_key(self) -> str:
        """The first key as it is written for people."""
        first = self.keys.split(",")[0]
        names = {"question_mark": "?", "slash": "/", "space": "space", "enter": "⏎", "left": "←", "right": "→"}
        return self.display or names.get(first, first.replace("ctrl+", "^"))

    @property
    def full_name(self) -> str:
        """For ``run_action``."""
        return f"{'app' if self.where == 'app' else 'screen'}.{self.name}"


ACTIONS: tuple[Action, ...] = (
    Action("compose", "toggle_technique", "space", "Switch the technique under the cursor on or off", "on/off"),
    Action("compose", "edit", "enter", "Edit the parameters under the cursor", "edit"),
    Action("compose", "filter", "slash", "Show only lines that contain some words", "filter"),
    Action("compose", "view(1)", "v,right,l", "Next pane at the right: card, preview, changes", "view", "v"),
    Action("compose", "view(-1)", "left,h", "Previous pane at the right", display="←", palette=False),
    Action("compose", "run", "r", "Train this recipe", "run"),
    Action("compose", "open", "o", "Open a recipe: a packaged one, one of your own, or any file", "open"),
    Action("compose", "save", "s", "Save the recipe", "save"),
    Action("compose", "save_as", "S", "Save the recipe under another name", display="S"),
    Action("compose", "undo", "u,ctrl+z", "Undo the last change", "undo"),
    Action("compose", "redo", "U,ctrl+y", "Redo what was undone", display="U"),
    Action("compose", "scroll(1)", "ctrl+d", "Scroll the pane at the right down", palette=False),
    Action("compose", "scroll(-1)", "ctrl+u", "Scroll the pane at the right up", palette=False),
    Action("run", "pause", "p", "Pause the run, or let it go on", "pause"),
    Action("run", "stop", "s", "Stop the run at a checkpoint", "stop"),
    Action("run", "checkpoint", "c", "Save a checkpoint now", "checkpoint"),
    Action("run", "log_scale", "l", "Show the loss on a logarithmic scale, or back", "log scale"),
    Action("run", "scroll(1)", "j", "Scroll the log down", palette=False),
    Action("run", "scroll(-1)", "k", "Scroll the log up", palette=False),
    Action("runs", "watch", "enter", "Watch the run under the cursor on the Run screen", "watch"),
    Action("runs", "select", "space", "Select the run under the cursor for the chart and the comparison", "select"),
    Action("runs", "filter", "slash", "Show only some runs, such as state:finished acc>0.9 resnet", "filter"),
    Action("runs", "sort", "s", "Sort by the next column", "sort"),
    Action("runs", "reverse", "S", "Sort the other way round", display="S"),
    Action("runs", "view", "v", "Below the table: details, chart, or nothing", "view"),
    Action("runs", "metric", "m", "The chart's next figure: accuracies, losses", display="m"),
    Action("runs", "x_axis", "x", "The chart over epochs, steps or training time", display="x"),
    Action("runs", "baseline", "b", "Compare all runs with this one, or no longer", "pin"),
    Action("runs", "load", "l", "Load the run's recipe into Compose", "load"),
    Action("runs", "go_on", "c", "Continue a stopped, lost or failed run here", display="c"),
    Action("runs", "tags", "t", "Tag the selected runs, or the one under the cursor", display="t"),
    Action("runs", "note", "n", "Write a note about the run under the cursor", display="n"),
    Action("runs", "delete", "d", "Delete the selected runs, or the one under the cursor", "delete"),
    Action("runs", "clear", "escape", "Away with the filter, then with the selection", display="esc"),
    Action("runs", "scroll(1)", "ctrl+d", "Scroll the details down", palette=False),
    Action("runs", "scroll(-1)", "ctrl+u", "Scroll the details up", palette=False),
    Action("app", "show('compose')", "1", "Compose: put a recipe together"),
    Action("app", "show('run')", "2", "Run: watch the training"),
    Action("app", "show('runs')", "4", "Runs: find, compare and keep them"),
    Action("app", "help", "question_mark,f1", "All keys", "help", "?"),
    Action("app", "leave", "q,ctrl+q,ctrl+c", "Leave the workbench", "quit"),
)


def bindings(where: Where) -> list[BindingType]:
    """The bindings of a screen or of the app."""
    return [
        Binding(a.keys, a.name, a.about, show=bool(a.title), key_display=a.shown_key)
        for a in ACTIONS
        if a.where == where
    ]


def actions(where: Where) -> list[Action]:
    """The actions that can be taken on a screen, its own first."""
    return [a for a in ACTIONS if a.where == where] + [a for a in ACTIONS if a.where == "app"]
