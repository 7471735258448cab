"""Opening the screens with the user's settings, whichever way they were asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from workbench import places
from workbench.devices import parse
from workbench.recipe import Recipe
from workbench.recipe.errors import InputError, Problem, nearest, quoted
from workbench.recipe.plugins import load_plugins
from workbench.runs.directory import RunDirectory
from workbench.settings import Judge, SettingsError, UserSettings, read_settings
from workbench.tui.keymap import keymap, keymap_problems
from workbench.tui.terminal_kind import ascii_only, choose_colours


def open_where_left() -> None:
    """Open the screens as ``workbench`` alone does: places and device from environment and settings."""
    need_terminal()
    user = read_user()
    plugins = load_plugins(user.places.plugins)
    runs, data_root = places.runs_root(None, user.places.runs), places.data_root(None, user.places.data_root)
    open_screens(user, runs, data_root, parse(user.places.device), plugins)


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

    from workbench.tui.app import run_app

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
    )


def need_terminal() -> None:
    """Raises InputError where there is nobody to look at screens."""
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise InputError("the screens need a terminal; workbench --help lists the commands that work without one")


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
    from workbench.tui.theme import theme_names

    names, theme = theme_names(), user.screens.theme
    if theme in names:
        return []
    known = nearest(theme, names, list_all=0) or "; known: " + ", ".join(names)
    return [user.problem("screens.theme", f"there is no theme {quoted(theme)}{known}")]


def plugin_problems(user: UserSettings) -> list[Problem]:
    """Plugins that are not there."""
    missing = [name for name in user.places.plugins if not Path(name).expanduser().is_file()]
    return [user.problem("plugins", f"there is no file {quoted(name)}") for name in missing]


JUDGES: tuple[Judge, ...] = (keymap_problems, theme_problems, plugin_problems)
"""What only the screens know of settings."""
