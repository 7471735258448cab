"""The workbench's colours: quiet greys, blue for what is chosen and for training, amber for tests and changes."""

from __future__ import annotations

from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from workbench.tui.common.palette import Colour, Palette

WORKBENCH = Theme(
    name="workbench",
    primary="#6cb6ff",
    secondary="#b083f0",
    accent="#e3b341",
    foreground="#d3dae3",
    background="#0f1318",
    surface="#151b22",
    panel="#1f2731",
    success="#6bc46d",
    warning="#e3b341",
    error="#f47067",
    dark=True,
    variables={
        "muted": "#8793a0",
        "border": "#39444f",
        "border-blurred": "#2d3640",
        "input-selection-background": "#6cb6ff 35%",
        "block-cursor-text-style": "none",
        "scrollbar": "#39444f",
        "scrollbar-background": "#0f1318",
        "scrollbar-background-hover": "#0f1318",
        "scrollbar-background-active": "#0f1318",
    },
)

WORKBENCH_LIGHT = Theme(
    name="workbench-light",
    primary="#0a5fb4",
    secondary="#7a3fb0",
    accent="#8f5a00",
    foreground="#1f262d",
    background="#fbfcfd",
    surface="#f0f3f6",
    panel="#dde4ea",
    success="#1f7a35",
    warning="#8f5a00",
    error="#b3261e",
    dark=False,
    variables={
        "muted": "#5c6873",
        "border": "#9aa7b3",
        "border-blurred": "#c2ccd5",
        "input-selection-background": "#0a5fb4 25%",
        "block-cursor-text-style": "none",
        "scrollbar": "#b5c0ca",
        "scrollbar-background": "#fbfcfd",
        "scrollbar-background-hover": "#fbfcfd",
        "scrollbar-background-active": "#fbfcfd",
    },
)

THEMES = (WORKBENCH, WORKBENCH_LIGHT)
"""Our own; Textual's stand beside them, ``ansi-dark`` and ``ansi-light`` with the terminal's own sixteen colours."""


def theme_names() -> list[str]:
    """Every theme, our own first."""
    return [theme.name for theme in THEMES] + [name for name in BUILTIN_THEMES if name not in {t.name for t in THEMES}]


MUTED = "#808a95"
"""Quiet text where a theme does not say its own: legible on dark and on light."""


ANSI_DARK = Palette(frame=8, raw=4, smooth=12, test=11, validation=13, text=7)
ANSI_LIGHT = Palette(frame=8, raw=14, smooth=4, test=1, validation=5, text=0)
"""With the terminal's own colours, whatever it shows for them."""


def palette(variables: dict[str, str]) -> Palette:
    """A chart's colours from the variables of the theme in use."""

    def colour(name: str) -> Color:
        return Color.parse(variables[name])

    if variables["background"] == "ansi_default":
        return ANSI_LIGHT if variables.get("ansi-background") == "ansi_white" else ANSI_DARK
    background, primary = colour("background"), colour("primary")
    return Palette(
        frame=_rgb(background.blend(colour("foreground"), 0.45)),
        raw=_rgb(background.blend(primary, 0.38)),
        smooth=_rgb(primary),
        test=_rgb(colour("accent")),
        validation=_rgb(colour("secondary")),
        text=_rgb(colour("foreground")),
    )


def _rgb(colour: Color) -> Colour:
    return colour.r, colour.g, colour.b
