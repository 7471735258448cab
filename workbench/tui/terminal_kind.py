"""What the terminal can show, from the user's settings and the environment. To be asked before Textual is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping

from workbench.settings import Screens

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
    spoken = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environment.get(name))), "")
    plain = spoken.upper() in ("C", "POSIX") or ("." in spoken and "UTF" not in spoken.upper())
    return plain or environment.get("TERM", "") in NO_BRAILLE
