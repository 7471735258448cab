"""A user's settings: one TOML file in the platform's config folder, read as strictly as a recipe. Torch-free."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from workbench.devices import DeviceError
from workbench.devices import parse as parse_device
from workbench.filesystem import why
from workbench.recipe.errors import Problem
from workbench.recipe.lines import Lines
from workbench.recipe.specs import Table, parameter
from workbench.recipe.validation import Complain, parse, shown, validate
from workbench.storage.regular import read_text

T = TypeVar("T", bound=Table)


class SettingsError(Exception):
    """A settings file that cannot be used; ``problems`` holds every reason found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class Defaults(Table):
    """What the command line takes where neither an option nor a variable says otherwise."""

    runs: str = parameter("", description="folder of runs; else ./runs")
    data_root: str = parameter("", description="folder of data sets; else the platform's cache folder")
    device: str = parameter("auto", description="auto, cpu or cuda:N")
    plugins: tuple[str, ...] = parameter((), description="Python files with techniques, models and data sources")


class Screens(Table):
    """How the screens look and how much they send."""

    theme: str = parameter(
        "workbench", description="colours: workbench, workbench-light, ansi-dark, ansi-light, nord, …"
    )
    colours: Literal["auto", "truecolor", "256", "16"] = parameter(
        "auto",
        description="what the terminal can show, which SSH often hides; the variable NO_COLOR takes all away",
    )
    charts: Literal["auto", "braille", "ascii"] = parameter(
        "auto", description="ascii for fonts without braille dots; auto: ascii on a Linux console or without UTF-8"
    )
    pictures: Literal["auto", "blocks", "kitty", "sixel"] = parameter(
        "auto",
        description="samples and mistakes in real pixels (Kitty or Sixel) where the terminal says that it can; blocks: "
        "in characters",
    )
    link: Literal["normal", "slow"] = parameter(
        "normal",
        description="slow: figures and charts every 5 s instead of every second; keys as fast as ever",
    )
    bell: bool = parameter(
        True, description="ring when a run ends that took over a minute, or while another window is in front"
    )
    notify: Literal["auto", "off", "9", "777"] = parameter(
        "auto", description="the same as a notification of the desktop: which sequence (OSC) the terminal knows"
    )
    on_end: str = parameter(
        "", description="a command for each run that ends on the screens; told WORKBENCH_RUN and WORKBENCH_STATE"
    )
    restore: bool = parameter(True, description="open on the recipe and the view that were left in this folder")


@dataclass(frozen=True)
class UserSettings:
    """Everything that the file says. keys: the tables under ``[keys]``, checked by whoever knows the actions."""

    path: Path
    defaults: Defaults = field(default_factory=Defaults)
    screens: Screens = field(default_factory=Screens)
    keys: dict[str, Any] = field(default_factory=dict)
    lines: Lines = field(default_factory=lambda: Lines(""))

    def problem(self, path: str, message: str) -> Problem:
        """Something that is wrong with a dotted path, at its line."""
        return Problem(path, message, self.lines.find(path), str(self.path))


def settings_file() -> Path:
    """Where the settings are: WORKBENCH_SETTINGS, else ``settings.toml`` in the platform's config folder."""
    if given := os.environ.get("WORKBENCH_SETTINGS"):
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_config_dir("workbench", appauthor=False)) / "settings.toml"


Judge = Callable[[UserSettings], Iterable[Problem]]
"""Finds what is wrong with settings that only others understand: actions, themes."""


def read_settings(path: Path | None = None, judges: Iterable[Judge] = ()) -> UserSettings:
    """The settings in a file, the user's own if none is given; the defaults where there is none.

    judges: asked even where something is wrong already; then with the defaults in its place.
    Raises SettingsError with every problem found.
    """
    path = path or settings_file()
    try:
        text = read_text(path)
    except FileNotFoundError:
        return UserSettings(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = why(error, path) if isinstance(error, OSError) else "is not a UTF-8 text"
        raise SettingsError([Problem("", f"cannot be read: {reason}", None, str(path))]) from None
    tables = parse(text, str(path))
    if isinstance(tables, Problem):
        raise SettingsError([tables])
    found = UserSettings(path, lines=Lines(text))
    problems: list[Problem] = []

    def complain(key: str, message: str) -> None:
        problems.append(found.problem(key, message))

    def table(key: str) -> dict[str, Any]:
        value = tables.get(key, {})
        if isinstance(value, dict):
            return value
        complain(key, f"expected a table, written [{key}], found {shown(value)}")
        return {}

    top = {key: value for key, value in tables.items() if key not in ("screens", "keys")}
    defaults = _usable(Defaults, "", top, complain, ("screens", "keys"))
    screens = _usable(Screens, "screens", table("screens"), complain)
    try:
        parse_device(defaults.device)
    except DeviceError as error:
        complain("device", str(error).replace("--device ", ""))
    found = UserSettings(path, defaults, screens, table("keys"), found.lines)
    problems += [problem for judge in judges for problem in judge(found)]
    if problems:
        raise SettingsError(sorted(problems, key=lambda problem: problem.line or 0))
    return found


def _usable(kind: type[T], path: str, values: dict[str, Any], complain: Complain, also: Sequence[str] = ()) -> T:
    """A table, after complaining of what is wrong with it; the defaults stand in for that, so that the rest is seen."""
    wrong: set[str] = set()

    def note(key: str, message: str) -> None:
        wrong.add(key)
        complain(key, message)

    spec = validate(kind, path, values, note, also, _at_home)
    if spec is None:
        right = {k: v for k, v in values.items() if ".".join(filter(None, (path, k))) not in wrong}
        spec = validate(kind, path, {k: v for k, v in right.items() if k in kind.model_fields}, lambda *_: None)
    return spec or kind()


def _at_home(key: str) -> str:
    """Where a key that stands in the wrong table belongs."""
    if key in Defaults.model_fields:
        return "; it belongs at the top of the file, above every table"
    return "; it belongs in [screens]" if key in Screens.model_fields else ""
