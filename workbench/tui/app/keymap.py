"""A user's own keys: the ``[keys]`` tables of the settings, checked against the actions that there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from workbench.recipe.errors import Problem, nearest, quoted
from workbench.recipe.validation import shown
from workbench.settings import SettingsError, UserSettings
from workbench.tui.common.actions import ACTIONS, Action, Where, actions

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
