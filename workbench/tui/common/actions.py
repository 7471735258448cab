"""Every action once: its keys, its name in the footer, its sentence. Bindings, footer, help and palette read this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from textual.binding import BindingType

Where = Literal["compose", "run", "profile", "runs", "app"]


@dataclass(frozen=True)
class Action:
    """Something that a user can do. ``name`` is the method ``action_name`` with arguments, on the screen or the app.

    title: in the footer, empty where it has no place there. palette: offered in the command palette. instead_of: the id
    of an action that may have the same key, since only one of both can be done at any time.
    """

    where: Where
    name: str
    keys: str
    about: str
    title: str = ""
    display: str = ""
    palette: bool = True
    instead_of: str = ""

    @property
    def id(self) -> str:
        """Its name in a keymap: ``compose.run``, ``compose.view_next`` for ``view(1)``, ``app.show_run``."""
        name, _, given = self.name.rstrip(")").partition("(")
        suffix = {"1": "next", "-1": "previous"}.get(given, given.strip("'"))
        return ".".join((self.where, f"{name}_{suffix}" if suffix else name))

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
    Action(
        "compose", "toggle_technique", "space", "Switch the technique or check under the cursor on or off", "on/off"
    ),
    Action("compose", "edit", "enter", "Edit the parameters under the cursor", "edit"),
    Action("compose", "filter", "slash", "Show only lines that contain some words", "filter"),
    Action("compose", "view(1)", "v,right,l", "Next pane at the right: card, preview, samples, changes", "view", "v"),
    Action("compose", "view(-1)", "left,h", "Previous pane at the right", display="←", palette=False),
    Action("compose", "fix", "f", "Solve the first conflict"),
    Action("compose", "diff", "d", "Show what differs from the recipe as loaded, or go back"),
    Action("compose", "roll", "a", "Draw the augmentations of the samples anew"),
    Action("compose", "devices", "D", "Choose the device: the GPUs, what is free, who else uses them"),
    Action("compose", "run", "r", "Train this recipe", "run"),
    Action("compose", "open", "o", "Open a recipe: a packaged one, one of your own, or any file", "open"),
    Action("compose", "new", "N", "Start a new recipe: a data source and a model", display="N"),
    Action("compose", "edit_text", "E", "Edit the recipe's TOML in $VISUAL or $EDITOR", display="E"),
    Action("compose", "drop_claims", "x", "Drop [expect], where it speaks of other data or another model"),
    Action("compose", "range_test", "t", "Range test: which learning rates suit, as a chart"),
    Action("compose", "overfit_test", "b", "Overfit test: can the network learn one batch by heart?"),
    Action("compose", "save", "s", "Save the recipe", "save"),
    Action("compose", "save_as", "S", "Save the recipe under another name", display="S"),
    Action("compose", "undo", "u", "Undo the last change", "undo"),
    Action("compose", "redo", "U,ctrl+y", "Redo what was undone", display="U"),
    Action("compose", "scroll(1)", "ctrl+d", "Scroll the pane at the right down", palette=False),
    Action("compose", "scroll(-1)", "ctrl+u", "Scroll the pane at the right up", palette=False),
    Action("compose", "copy", "y", "Copy the recipe as TOML to the clipboard"),
    Action("run", "start", "r", "Train the recipe of Compose, where no run is shown", "run"),
    Action("run", "pause", "p", "Pause the run, or let it go on", "pause"),
    Action("run", "stop", "s", "Stop the run at a checkpoint", "stop"),
    Action("run", "checkpoint", "c", "Save a checkpoint of the run at work", "checkpoint"),
    Action(
        "run",
        "go_on",
        "c",
        "Continue a run that stopped, from its last checkpoint",
        "continue",
        instead_of="run.checkpoint",
    ),
    Action("run", "more_charts", "v", "Show the next two charts", "view"),
    Action("run", "full", "f,enter", "Show the chart in focus full screen, or all again", "full"),
    Action("run", "zoom_in", "plus,equals_sign", "Zoom in, around the cursor or the end", "zoom", "+"),
    Action("run", "zoom_out", "minus", "Zoom out", display="-"),
    Action("run", "whole", "0", "Show the whole run"),
    Action("run", "cursor_left", "left", "Read values off the charts: cursor to the left", palette=False),
    Action("run", "cursor_right", "right", "Cursor to the right", palette=False),
    Action("run", "pan_left", "shift+left", "Show what lies to the left", display="⇧←", palette=False),
    Action("run", "pan_right", "shift+right", "Show what lies to the right", display="⇧→", palette=False),
    Action("run", "smoother", "full_stop", "Smooth the training curves more", display="."),
    Action("run", "rougher", "comma", "Smooth the training curves less", display=","),
    Action("run", "results", "e", "How each class was recognised; mistakes as pictures", "results"),
    Action("run", "log_scale", "l", "Logarithmic scale in the chart in focus, or back", "log"),
    Action("run", "x_axis", "x", "Count epochs, time or steps on the x axis", "x axis"),
    Action("run", "back", "escape", "Hide the cursor; leave full screen", display="esc", palette=False),
    Action("run", "scroll(1)", "j", "Scroll the log down", palette=False),
    Action("run", "scroll(-1)", "k", "Scroll the log up", palette=False),
    Action("run", "copy", "y", "Copy the command that trains the same again"),
    Action("profile", "measure", "p", "Measure the recipe of Compose and say what limits it", "profile"),
    Action("profile", "try", "t", "Try the suggested change: both recipes in turns", "try"),
    Action("profile", "keep", "a", "Keep the tried change; u in Compose takes it back", "keep"),
    Action("profile", "view", "v", "The next pane: verdict, stacks, operators, parts", "view"),
    Action("profile", "stacks", "s", "Sample the Python stacks of the running training", "stacks"),
    Action("profile", "trace", "o", "Trace some steps of the running training: its operators", "trace"),
    Action("profile", "code", "c", "Stacks of your code and your network, or of all code", "code"),
    Action("profile", "fold", "space,enter", "Fold or unfold the branch of the stacks under the cursor"),
    Action("profile", "other_step", "x", "The step of the run, or that of the measured recipe", display="x"),
    Action("profile", "cancel", "escape", "End the measurement", display="esc"),
    Action("profile", "scroll(1)", "ctrl+d", "Scroll the pane down", palette=False),
    Action("profile", "scroll(-1)", "ctrl+u", "Scroll the pane up", palette=False),
    Action("runs", "watch", "enter", "Watch the run under the cursor on the Run screen", "watch"),
    Action("runs", "select", "space", "Select the run under the cursor for chart and comparison", "select"),
    Action("runs", "filter", "slash", "Show only some runs: state:finished acc>0.9 lr>0.05 +cutout", "filter"),
    Action("runs", "sort", "s", "Sort by the next column", "sort"),
    Action("runs", "reverse", "S", "Sort the other way round", display="S"),
    Action("runs", "group", "G", "Fold runs that differ by seed only into mean ± spread", "group"),
    Action("runs", "unfold", "right", "Open the group under the cursor", palette=False),
    Action("runs", "fold", "left", "Close the group under the cursor", palette=False),
    Action("runs", "columns", "o", "Choose the columns: fields, or any key of the recipes", display="o"),
    Action("runs", "view", "v", "Below the table: details, chart, or nothing", "view"),
    Action("runs", "metric", "m", "The chart's next figure: accuracies, losses", display="m"),
    Action("runs", "x_axis", "x", "The chart over epochs, steps or training time", display="x"),
    Action("runs", "baseline", "b", "Compare all runs with this one, or no longer", "pin"),
    Action("runs", "load", "l", "Load the run's recipe into Compose", "load"),
    Action("runs", "go_on", "c", "Continue an unfinished run, or train a finished one longer", display="c"),
    Action("runs", "tags", "t", "Tag the selected runs, or the one under the cursor", display="t"),
    Action("runs", "note", "n", "Write a note about the run under the cursor", display="n"),
    Action("runs", "copy", "y", "Copy the command that trains the same again"),
    Action("runs", "delete", "d", "Delete the selected runs, or the one under the cursor", "delete"),
    Action("runs", "undo", "u", "Bring back what was deleted last", display="u"),
    Action("runs", "clear", "escape", "Away with the filter, then with the selection", "clear", "esc"),
    Action("runs", "scroll(1)", "ctrl+d", "Scroll the details down", palette=False),
    Action("runs", "scroll(-1)", "ctrl+u", "Scroll the details up", palette=False),
    Action("app", "show('compose')", "1", "Compose: put a recipe together"),
    Action("app", "show('run')", "2", "Run: watch the training"),
    Action("app", "show('profile')", "3", "Profile: see where the time goes, try what makes it faster"),
    Action("app", "show('runs')", "4", "Runs: find, compare and keep them"),
    Action("app", "help", "question_mark,f1", "All keys", "help", "?"),
    Action("app", "slow_link", "B", "Slow link: send figures every 5 seconds, or every second again"),
    Action("app", "redraw", "ctrl+l", "Draw the whole screen again", display="^l"),
    Action("app", "leave", "q,ctrl+q", "Leave the workbench", "quit"),
    Action("app", "interrupt", "ctrl+c", "Copy the selected text; without any, ask whether to leave", palette=False),
    Action("app", "suspend", "ctrl+z", "Suspend the workbench; fg in the shell brings it back", palette=False),
)


def bindings(where: Where) -> list[BindingType]:
    """The bindings of a screen or of the app, with the keys they have unless a keymap says otherwise."""
    from textual.binding import Binding

    return [
        Binding(a.keys, a.name, a.about, show=bool(a.title), key_display=a.shown_key, id=a.id)
        for a in ACTIONS
        if a.where == where
    ]


def actions(where: Where, keymap: Mapping[str, str] = {}) -> list[Action]:
    """The actions that can be taken on a screen, its own first; ``keymap`` gives some of them other keys, by id."""
    found = [a for a in ACTIONS if a.where == where] + [a for a in ACTIONS if a.where == "app" != where]
    return [replace(a, keys=keymap[a.id], display="") if a.id in keymap else a for a in found]
