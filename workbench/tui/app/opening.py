"""Opening the screens: the user's settings and own keys, judged, and what the terminal can show."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from workbench import paths
from workbench.devices import parse
from workbench.graphics import has_encoder
from workbench.recipe import Recipe
from workbench.recipe.errors import InputError, Problem, nearest, quoted
from workbench.recipe.plugins import load_plugins
from workbench.recipe.validation import shown
from workbench.runs.store.directory import RunDirectory
from workbench.settings import Judge, Screens, SettingsError, UserSettings, read_settings
from workbench.tui.common.actions import ACTIONS, Action, Where, actions


def open_where_left() -> None:
    """Open the screens as ``workbench`` alone does: places and device from environment and settings."""
    need_terminal()
    user = read_user()
    plugins = load_plugins(user.defaults.plugins)
    runs, data_root = paths.runs_root(None, user.defaults.runs), paths.data_root(None, user.defaults.data_root)
    open_screens(user, runs, data_root, parse(user.defaults.device), plugins)


def open_screens(
    user: UserSettings,
    runs: Path,
    data_root: Path,
    device: str,
    plugins: Sequence[Path],
    *,
    recipe: Recipe | None = None,
    recipe_path: Path | None = None,
    watch: RunDirectory | None = None,
) -> None:
    """Open the screens on a recipe or a run; without either, on what was left in this folder. Raises SettingsError."""
    choose_colours(user.screens)  # before Textual is imported
    if problems := [problem for judge in JUDGES for problem in judge(user)]:
        raise SettingsError(problems)

    from workbench.tui.app.lifecycle import run_app

    run_app(
        recipe=recipe,
        recipe_path=recipe_path,
        watch=watch,
        runs=runs,
        data_root=data_root,
        device=device,
        plugins=plugins,
        screens=user.screens,
        ascii=ascii_only(user.screens),
        keymap=keymap(user),
        in_browser=in_browser(),
    )


def need_terminal() -> None:
    """Raises InputError where there is nobody to look at screens."""
    if not in_browser() and not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise InputError("the screens need a terminal; workbench --help lists the commands that work without one")


def in_browser(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether ``workbench serve`` started this process: its pipes lead to a page in a browser."""
    return environment.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def read_user() -> UserSettings:
    """The user's settings, with what the screens need of them. Raises SettingsError with everything that is wrong."""
    try:
        user = read_settings()
    except SettingsError:
        return read_settings(judges=JUDGES)
    choose_colours(user.screens)  # before Textual is imported
    return read_settings(judges=JUDGES)


def theme_problems(user: UserSettings) -> list[Problem]:
    """A theme that does not exist."""
    from workbench.tui.app.theme import theme_names

    names, theme = theme_names(), user.screens.theme
    if theme in names:
        return []
    known = nearest(theme, names, list_all=0) or "; known: " + ", ".join(names)
    return [user.problem("screens.theme", f"there is no theme {quoted(theme)}{known}")]


def plugin_problems(user: UserSettings) -> list[Problem]:
    """Plugins that are not there."""
    missing = [name for name in user.defaults.plugins if not Path(name).expanduser().is_file()]
    return [user.problem("plugins", f"there is no file {quoted(name)}") for name in missing]


def picture_problems(user: UserSettings) -> list[Problem]:
    """Sixel without what encodes it."""
    if user.screens.pictures != "sixel" or has_encoder():
        return []
    wanted = (
        "needs textual-image (Python 3.12 or newer): pip install 'textual-image>=0.12'; or leave pictures at \"auto\""
    )
    return [user.problem("screens.pictures", f"Sixel {wanted}")]


COLOUR_SYSTEMS = {"truecolor": "truecolor", "256": "256", "16": "standard"}
NO_BRAILLE = ("linux", "vt100", "vt220", "ansi", "dumb")
"""Terminals whose fonts have no braille dots."""


def choose_colours(screens: Screens) -> None:
    """Tell Textual the number of colours, where the settings know better than the environment."""
    if screens.colours != "auto":
        os.environ["TEXTUAL_COLOR_SYSTEM"] = COLOUR_SYSTEMS[screens.colours]


def ascii_only(screens: Screens, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether charts and frames should do with ASCII."""
    if screens.charts != "auto":
        return screens.charts == "ascii"
    if in_browser(environment):
        return False
    spoken = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environment.get(name))), "")
    plain = spoken.upper() in ("C", "POSIX") or ("." in spoken and "UTF" not in spoken.upper())
    return plain or environment.get("TERM", "") in NO_BRAILLE


MODIFIERS = ("ctrl", "alt", "shift", "super", "meta", "hyper")
SIGNS = {
    "?": "question_mark", "/": "slash", ".": "full_stop", ",": "comma", "+": "plus", "-": "minus", "=": "equals_sign",
    "<": "less_than_sign", ">": "greater_than_sign", ":": "colon", ";": "semicolon", "!": "exclamation_mark",
    "*": "asterisk", "#": "number_sign", "@": "at", "$": "dollar_sign", "%": "percent_sign", "&": "ampersand",
    "(": "left_parenthesis", ")": "right_parenthesis", "[": "left_square_bracket", "]": "right_square_bracket",
    "{": "left_curly_bracket", "}": "right_curly_bracket", "_": "underscore", "'": "apostrophe", "|": "vertical_line",
    "~": "tilde", "^": "circumflex_accent", "`": "grave_accent", "\\": "backslash", '"': "quotation_mark",
}  # fmt: skip
"""Signs as they are typed, and what Textual calls their keys."""

NAMED = (
    "space", "enter", "tab", "escape", "backspace", "delete", "insert", "home", "end", "pageup", "pagedown", "up",
    "down", "left", "right", *(f"f{n}" for n in range(1, 25)), *SIGNS.values(),
)  # fmt: skip


def keymap(settings: UserSettings) -> dict[str, str]:
    """The user's keys by action id, several with commas between them, as Textual names them.

    ``[keys.compose] run = "f5"`` or ``run = ["f5", "R"]``. Raises SettingsError for an action or key that does not
    exist, and for a key that would mean two things on one screen.
    """
    found, problems = _keymap(settings)
    if problems:
        raise SettingsError(problems)
    return found


def keymap_problems(settings: UserSettings) -> list[Problem]:
    """What is wrong with the user's keys."""
    return _keymap(settings)[1]


def _keymap(settings: UserSettings) -> tuple[dict[str, str], list[Problem]]:
    problems: list[Problem] = []
    found: dict[str, str] = {}
    tables = {where: {a.id.partition(".")[2]: a for a in ACTIONS if a.where == where} for where in get_args(Where)}
    for where, table in settings.keys.items():
        path = f"keys.{where}"
        if where not in tables:
            problems.append(settings.problem(path, f"there is no screen {quoted(where)}{nearest(where, list(tables))}"))
        elif not isinstance(table, dict):
            problems.append(settings.problem(path, f"expected a table, written [{path}], found {shown(table)}"))
        else:
            for name, keys in table.items():
                action = tables[where].get(name)
                if action is None:
                    known = nearest(name, list(tables[where]), list_all=0) or "; workbench keys lists them"
                    problems.append(settings.problem(f"{path}.{name}", f"there is no action {quoted(name)}{known}"))
                    continue
                try:
                    found[action.id] = ",".join(_key(key) for key in _listed(keys))
                except ValueError as error:
                    problems.append(settings.problem(f"{path}.{name}", str(error)))
    problems += [settings.problem(f"keys.{action}", message) for action, message in _clashes(found)]
    return found, problems


def typed(key: str) -> str:
    """A key as people write it: ``/`` for ``slash``."""
    *modifiers, name = key.split("+")
    return "+".join((*modifiers, next((sign for sign, known in SIGNS.items() if known == name), name)))


def _listed(keys: Any) -> list[str]:
    keys = [keys] if isinstance(keys, str) else keys
    if not isinstance(keys, list | tuple) or not keys or not all(isinstance(key, str) for key in keys):
        raise ValueError(f'expected a key such as "f5" or a list of keys, found {shown(keys)}')
    return list(keys)


def _key(text: str) -> str:
    """A key as Textual names it: ``ctrl+s``, ``f5``, ``S``, ``question_mark``. Raises ValueError."""
    *modifiers, key = text.split("+") if text not in ("+", "") and not text.endswith("++") else [text]
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            raise ValueError(
                f"{quoted(text)} is no key: {quoted(modifier)} is no modifier{nearest(modifier, MODIFIERS)}"
            )
    name = SIGNS.get(key, key)
    if len(name) == 1 and name.isprintable() and not name.isspace():
        return "+".join((*modifiers, name))
    if name not in NAMED:
        raise ValueError(f"{quoted(text)} is no key{nearest(name, NAMED)}; examples: f5, ctrl+s, S, ?, space, pageup")
    return "+".join((*modifiers, name))


def _clashes(found: Mapping[str, str]) -> list[tuple[str, str]]:
    """Actions of the keymap whose key has another meaning where they can be taken, with a sentence."""
    clashes: dict[str, str] = {}
    for where in get_args(Where):
        taken: dict[str, Action] = {}
        for action in sorted(actions(where, found), key=lambda a: a.id in found):
            for key in action.keys.split(","):
                other = taken.setdefault(key, action)
                shared = other.id == action.instead_of or action.id == other.instead_of
                if other.id != action.id and action.id in found and not shared:
                    clashes.setdefault(
                        action.id, f"'{key}' is the key of {other.id} already; give that one another key in [keys], too"
                    )
    return sorted(clashes.items())


JUDGES: tuple[Judge, ...] = (keymap_problems, theme_problems, plugin_problems, picture_problems)
"""What only the screens know of settings."""
