"""Which exit code an error has, and the lines that a person reads about it."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from workbench import first_frame
from workbench.commands.output import complain
from workbench.data.base import DataError
from workbench.device_lost import lost, remedy
from workbench.devices import DeviceError
from workbench.filesystem import FULL, gone, why
from workbench.paths import recipe_folders
from workbench.recipe import RecipeError
from workbench.recipe.errors import InputError
from workbench.recipe.plugins import PluginError
from workbench.recipe.specs import SpecError
from workbench.runs.errors import RunError, RunNotFound
from workbench.settings import SettingsError
from workbench.tui.app.descriptors import ScreensBroke

FAILED, BAD_INPUT, CHECK_FAILED, INTERRUPTED = 1, 2, 3, 130

MOST_LINES = 50
"""Problems that a person reads before mending the first."""


def explain(error: Exception) -> tuple[int, list[str]]:
    """The exit code of an error and its lines for stderr. In a folder that was deleted, that is said too."""
    code, lines = _explained(error)
    if not isinstance(error, InputError | DeviceError | BrokenPipeError) and (lost := gone()) and lost not in lines:
        lines = [lost] if isinstance(error, OSError) else [*lines, lost]
    return code, lines


def _explained(error: Exception) -> tuple[int, list[str]]:
    if isinstance(error, RecipeError | SettingsError):
        return BAD_INPUT, [str(problem) for problem in error.problems]
    if isinstance(error, InputError | PluginError | SpecError | RunNotFound | DeviceError):
        return BAD_INPUT, [str(error)]
    if isinstance(error, RunError | DataError | ScreensBroke):
        return FAILED, [str(error)]
    if hasattr(error, "format_message"):  # typer's own: an unknown option, a missing argument
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "workbench"
        message = _flat(error.format_message()).rstrip(".")
        hint = _meant_as_recipe(message) or f"see: {command} --help"
        return int(getattr(error, "exit_code", BAD_INPUT)), [f"{message}; {hint}"]
    if said := lost(error):
        return FAILED, [f"the GPU gave way: {said}; {remedy(said)}"]
    if _from_engine(error):
        return FAILED, [_flat(str(error))]
    if isinstance(error, OSError) and error.errno in FULL:
        where = f"{error.filename}:" if error.filename else f"what is printed, or a file in {tempfile.gettempdir()},"
        return FAILED, [f"{where} cannot be written: {error.strerror}; make room there"]
    if isinstance(error, OSError) and error.strerror:
        return FAILED, [f"{error.filename}: {why(error, Path(error.filename))}" if error.filename else error.strerror]
    return FAILED, [f"unexpected {type(error).__name__}: {_flat(str(error))}; --debug shows where"]


def _meant_as_recipe(message: str) -> str:
    """What to write where a recipe's name stands in a command's place; "" for any other message."""
    found = re.match(r"No such command '(.+)'$", message)
    if found is None:
        return ""
    name = found[1]
    if name.endswith(".toml") or any(name in place.recipes for place in recipe_folders()):
        return f"'workbench run {name}' trains that recipe, 'workbench {name}' opens the screens on it"
    return ""


def _from_engine(error: Exception) -> bool:
    """Whether the engine says in one line what is wrong; it is only there to ask if it was imported."""
    names = (
        ("workbench.engine.build", "BuildError"),
        ("workbench.registered", "TechniqueError"),
        ("workbench.engine.state", "CheckpointError"),
        ("workbench.profiling.parts", "ProfileError"),
    )
    kinds = tuple(getattr(sys.modules[module], name) for module, name in names if module in sys.modules)
    return isinstance(error, kinds)


def _flat(text: str) -> str:
    return " ".join(text.split())


def report(error: Exception) -> int:
    """Say what is wrong on stderr, on the ordinary screen; returns the exit code."""
    first_frame.remove()
    code, lines = explain(error)
    for line in lines[:MOST_LINES]:
        complain(line)
    if len(lines) > MOST_LINES:
        complain(f"… and {len(lines) - MOST_LINES:,} problems more")
    return code
