"""The keys of the screens, and the user's settings."""

from __future__ import annotations

from typing import get_args

from workbench.commands import options
from workbench.commands.output import say, say_json, say_table
from workbench.format import toml
from workbench.recipe.parameters import parameters
from workbench.settings import Defaults, Screens


def keys_command(as_json: options.Json = False, debug: options.Debug = False) -> None:
    """List every key of the screens, with the names that a keymap uses.

    A keymap is a table in the settings file (workbench settings says where that is):

    \b
      \\[keys.compose]
      run = "f5"
      undo = ["u", "ctrl+u"]

    \b
    Examples:
      workbench keys
      workbench keys --json | jq '.[] | select(.screen == "run")'
    """
    from workbench.tui.app.opening import keymap, read_user, typed
    from workbench.tui.common.actions import ACTIONS, Where

    user = read_user()
    own = keymap(user)
    found = sorted(ACTIONS, key=lambda action: get_args(Where).index(action.where))
    keys = {action.id: [typed(key) for key in own.get(action.id, action.keys).split(",")] for action in found}
    if as_json:
        say_json([{"screen": a.where, "action": a.id, "keys": keys[a.id], "about": a.about} for a in found])
        return
    rows = [(action.id, " ".join(keys[action.id]), action.about) for action in found]
    say_table(("action", "keys", "what it does"), rows, wrap="what it does")


def settings_command(as_json: options.Json = False, debug: options.Debug = False) -> None:
    """Show the settings: where their file is, what can be set, and what is set.

    \b
    Examples:
      workbench settings
      workbench settings --json | jq -r .file
    """
    from workbench.tui.app.opening import read_user

    user = read_user()
    if as_json:
        values = user.defaults.model_dump() | {"screens": user.screens.model_dump(), "keys": user.keys}
        say_json({"file": user.path, "exists": user.path.exists()} | values)
        return
    say(f"# {user.path}{'' if user.path.exists() else ' (not there yet: these are the defaults)'}")
    for kind, table in ((Defaults, user.defaults), (Screens, user.screens)):
        if kind is Screens:
            say("\n[screens]")
        for name, parameter in parameters(kind).items():
            choices = f" ({', '.join(parameter.choices)})" if parameter.choices else ""
            say(f"# {parameter.description}{choices}")
            say(f"{name} = {toml(getattr(table, name))}")
    say('\n# other keys, by the names that workbench keys lists, such as [keys.compose] run = "f5"')
    for where, table_of in user.keys.items():
        say(f"[keys.{where}]")
        for name, keys in table_of.items():
            say(f"{name} = {toml(keys)}")
