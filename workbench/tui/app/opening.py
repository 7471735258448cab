"""Opening the screens with the user's settings and what the terminal can show, whichever way they were asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench import paths
from workbench.devices import parse
from workbench.recipe import Recipe
from workbench.recipe.errors import InputError, Problem, nearest, quoted
from workbench.recipe.plugins import load_plugins
from workbench.runs.store.directory import RunDirectory
from workbench.settings import Judge, Screens, SettingsError, UserSettings, read_settings
from workbench.tui.app.keymap import keymap, keymap_problems


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


JUDGES: tuple[Judge, ...] = (keymap_problems, theme_problems, plugin_problems)
"""What only the screens know of settings."""


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
