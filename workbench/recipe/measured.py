"""What was measured of the recipes that come along, kept beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workbench.format import short

MEASURED = "measured.jsonl"
"""Beside the packaged recipes: one measurement a line.

recipe; epochs (how many of the recipe's were trained), or steps where it was less than a useful part of one; ours and,
if a plain PyTorch script was measured beside it, plain: mean and std of the test accuracy after the epochs (as shares
of 1), or of the training loss over the second half of the steps (nats), and seeds; off: techniques that were switched
off in both; machine, versions, date.
"""


def measurements(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Every measurement of a folder's recipes by the recipe's name, the longest trainings first."""
    file = folder / MEASURED
    found: dict[str, list[dict[str, Any]]] = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        measured = json.loads(line)
        found.setdefault(measured["recipe"], []).append(measured)
    for several in found.values():
        several.sort(key=lambda measured: -measured.get("epochs", 0))
    return found


def in_words(measured: dict[str, Any], epochs: float) -> str:
    """What was found, and after which part of the recipe's epochs if it was not the whole."""
    plain = measured.get("plain")
    if steps := measured.get("steps"):
        theirs = f" (plain script: {_loss(plain)})" if plain else ""
        return f"training loss {_loss(measured['ours'])} over steps {steps // 2 + 1}–{steps}{theirs}"
    text = _accuracy(measured["ours"])
    if measured["epochs"] < epochs:
        text += f" after {short(measured['epochs'])} of {short(epochs)} epochs"
    if plain:
        text += f" (plain script: {_accuracy(plain)})"
    return text


def on_what(measured: dict[str, Any]) -> str:
    """The machine, what was switched off, the versions and the date."""
    off = f"without {' and '.join(measured['off'])}; " if measured.get("off") else ""
    return f"{measured['machine']}; {off}{measured['versions']}; {measured['date']}"


def seeds(measured: dict[str, Any]) -> str:
    """``42–46``, ``7`` or ``1, 3``."""
    numbers = measured["ours"]["seeds"]
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]}–{numbers[-1]}"
    return ", ".join(map(str, numbers))


def _accuracy(part: dict[str, Any]) -> str:
    mean, std = 100 * part["mean"], 100 * part["std"]
    return f"{mean:.1f} ± {std:.1f} %" if len(part["seeds"]) > 1 else f"{mean:.1f} %"


def _loss(part: dict[str, Any]) -> str:
    return f"{part['mean']:.2f} ± {part['std']:.2f}" if len(part["seeds"]) > 1 else f"{part['mean']:.2f}"
