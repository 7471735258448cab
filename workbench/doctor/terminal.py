"""The terminal: what it says of itself, and what the screens can make of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from workbench.doctor.finding import Finding, Level, numbers
from workbench.doctor.worker import Failure
from workbench.graphics import SIXEL, has_encoder, protocol

GROUP = "terminal"

NARROW, SHORT = 80, 24
SLOW, VERY_SLOW = 0.08, 0.25
"""Seconds from a question to the terminal to its answer: above the first one feels it, above the second it hurts."""

VARIABLES = ("TERM", "COLORTERM", "NO_COLOR", "LC_ALL", "LC_CTYPE", "LANG", "TMUX", "STY", "SSH_CONNECTION")


def variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Those of an environment that say something of the terminal."""
    return {name: environment[name] for name in VARIABLES if name in environment}


@dataclass(frozen=True)
class Tmux:
    """The tmux around this process. clipboard: its option set-clipboard; client: what the terminal around it can do.

    "" for what it does not say.
    """

    version: str = ""
    clipboard: str = ""
    client: str = ""


@dataclass(frozen=True)
class Answers:
    """What a terminal answers. seconds: of each question that asks for nothing else; attributes: its DA1 answer.

    name: by XTVERSION; kitty: whether it shows pictures by Kitty's protocol; truecolor: whether it keeps a colour of 24
    bits. None where it does not say.
    """

    seconds: tuple[float, ...] = ()
    attributes: tuple[int, ...] = ()
    name: str = ""
    kitty: bool = False
    truecolor: bool | None = None
    synchronised: bool | None = None


NO_ANSWERS = Answers()


@dataclass(frozen=True)
class Terminal:
    """All that is known. tty: whether there is one; columns, rows: its size, 0 without; asked: whether it was asked."""

    tty: bool
    columns: int = 0
    rows: int = 0
    variables: Mapping[str, str] | None = None
    tmux: Tmux | None = None
    answers: Answers = NO_ANSWERS
    asked: bool = False


def tmux() -> Tmux:
    """What the tmux around this process is set to. Raises OSError, subprocess.SubprocessError without it."""

    def tell(*arguments: str) -> str:
        done = subprocess.run(
            ["tmux", *arguments], capture_output=True, stdin=subprocess.DEVNULL, timeout=2, env=dict(os.environ)
        )
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""

    return Tmux(
        version=tell("-V").removeprefix("tmux "),
        clipboard=tell("show-options", "-sv", "set-clipboard"),
        client=tell("display-message", "-p", "#{client_termfeatures}"),
    )


def judge(found: Terminal | Failure) -> list[Finding]:
    """The lines of the group."""
    if isinstance(found, Failure):
        return [Finding(GROUP, "terminal", "note", found.reason, "it is not known what the screens can show")]
    if not found.tty:
        text, meaning = "not a terminal", "run it in the terminal that the screens will use to have it looked at"
        return [Finding(GROUP, "terminal", "note", text, meaning)]
    lines = [_size(found), _colours(found), _locale(found), *_pictures(found), *_tmux(found)]
    return [*lines, *_latency(found)]


def _size(found: Terminal) -> Finding:
    text = f"{found.columns}×{found.rows}" + (f", {found.answers.name}" if found.answers.name else "")
    if found.columns < NARROW or found.rows < SHORT:
        remedy = f"make the window {NARROW}×{SHORT} or larger, or its font smaller"
        return Finding(GROUP, "size", "warn", text, f"the screens need {NARROW}×{SHORT}", remedy)
    wide = found.columns >= 160 and found.rows >= 48
    meaning = "every pane is on screen" if wide else "enough; from 160×48 on all panes stand side by side"
    return Finding(GROUP, "size", "ok", text, meaning)


def _colours(found: Terminal) -> Finding:
    seen = found.variables or {}
    if seen.get("NO_COLOR"):
        return Finding(GROUP, "colours", "note", "NO_COLOR is set", "the screens are without colour, as it asks")
    term, told = seen.get("TERM", ""), seen.get("COLORTERM", "").lower()
    if told in ("truecolor", "24bit") or term.endswith(("-direct", "-truecolor")):
        if found.answers.truecolor is False:
            text, meaning = f"COLORTERM={told}, but it keeps no colour of 24 bits", "colours may be wrong"
            return Finding(GROUP, "colours", "warn", text, meaning, 'in the settings: [screens] colours = "256"')
        return Finding(GROUP, "colours", "ok", "16 million", "")
    if term in ("dumb", "unknown", ""):
        text, meaning = f"TERM={term or '(not set)'}", "no colours, and the screens may not be drawn at all"
        remedy = "export TERM=xterm-256color if the terminal is a modern one"
        return Finding(GROUP, "colours", "warn", text, meaning, remedy)
    count = "256" if "256" in term else "16"
    if found.answers.truecolor:
        text = f"16 million, but TERM={term} and COLORTERM={told or '(not set)'} say {count}"
        remedy = 'in the settings: [screens] colours = "truecolor"; or export COLORTERM=truecolor'
        return Finding(GROUP, "colours", "warn", text, "SSH often hides it: curves look alike", remedy)
    meaning = "themes are shown in the nearest of them" + (": ansi-dark suits better" if count == "16" else "")
    return Finding(GROUP, "colours", "note", f"{count} (TERM={term})", meaning)


def _locale(found: Terminal) -> Finding:
    seen = found.variables or {}
    name = next((name for name in ("LC_ALL", "LC_CTYPE", "LANG") if seen.get(name)), "")
    value = seen.get(name, "")
    text = f"{name}={value}" if name else "none is set"
    plain = value.upper() in ("C", "POSIX") or ("." in value and "UTF" not in value.upper())
    if plain:
        meaning = "charts and frames are drawn in ASCII"
        return Finding(GROUP, "locale", "warn", text, meaning, "export LC_ALL=C.UTF-8")
    return Finding(GROUP, "locale", "ok", text, "charts are drawn in braille dots")


def _pictures(found: Terminal) -> list[Finding]:
    if not found.asked:
        return []
    if not found.answers.attributes:
        text, meaning = "it answers no question", "it is not known what it can show; the screens need no answer"
        return [Finding(GROUP, "pictures", "note", text, meaning)]
    sixel = SIXEL in found.answers.attributes
    ways = [name for name, there in (("Kitty", found.answers.kitty), ("Sixel", sixel)) if there]
    text = f"{' and '.join(ways)} graphics" if ways else "neither Kitty's nor Sixel graphics"
    way = protocol(found.answers.attributes, found.answers.name, found.answers.kitty, has_encoder())
    if way:
        return [Finding(GROUP, "pictures", "ok", text, "samples and mistakes are shown in real pixels")]
    meaning = "samples and mistakes are shown in half-blocks"
    if sixel:
        meaning += "; in real pixels with: pip install textual-image (Python 3.12 or newer)"
    return [Finding(GROUP, "pictures", "ok", text, meaning)]


def _tmux(found: Terminal) -> list[Finding]:
    around = found.tmux
    if around is None:
        if (found.variables or {}).get("STY"):
            text, meaning = "screen is around it", "y copies only where screen passes OSC 52 on, which it seldom does"
            return [Finding(GROUP, "screen", "note", text, meaning)]
        return []
    text = f"{around.version or 'of an unknown version'}, set-clipboard {around.clipboard or 'unknown'}"
    old = numbers(around.version)[:2] < (3, 2)
    if old and around.version:
        meaning = "what y copies stays in tmux (prefix ]): before 3.2 it hands nothing on"
        return [Finding(GROUP, "tmux", "note", text, meaning)]
    if around.client and "clipboard" not in around.client.split(","):
        meaning = "tmux takes the terminal around it for one without a clipboard: what y copies stays in tmux"
        remedy = "tmux set -as terminal-features ',*:clipboard', then attach again"
        return [Finding(GROUP, "tmux", "warn", text, meaning, remedy)]
    if around.clipboard == "off":
        meaning = "y reaches the clipboard by tmux's own command; OSC 52 of other programs is lost"
        return [Finding(GROUP, "tmux", "note", text, meaning)]
    return [Finding(GROUP, "tmux", "ok", text, "what y copies reaches the clipboard")]


def _latency(found: Terminal) -> list[Finding]:
    if not found.answers.seconds:
        return []
    middle = sorted(found.answers.seconds)[len(found.answers.seconds) // 2]
    text = f"{1000 * middle:.0f} ms from a question to its answer"
    level: Level = "ok" if middle < SLOW else "note" if middle < VERY_SLOW else "warn"
    meaning = {"ok": "keys feel immediate", "note": "keys are felt to be late", "warn": "a slow line"}[level]
    remedy = 'send less: B in the screens, or [screens] link = "slow" in the settings' if level == "warn" else ""
    return [Finding(GROUP, "line", level, text, meaning, remedy)]
