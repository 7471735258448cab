"""The parameters of a part of a recipe in a few words: ``lr 0.05 · weight decay 5e-4 · momentum 0.9``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workbench.format import bare
from workbench.recipe.parameters import Parameter, parameters

BETWEEN = " · "
NOTHING: tuple[Any, ...] = (None, "", "nothing", "none", "off")
"""Values that stand for something that is off."""


@dataclass(frozen=True)
class Values:
    """``own``: what was chosen, by name; ``usual``: what has its default. Either may be empty."""

    own: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()

    def __str__(self) -> str:
        return BETWEEN.join(self.own + self.usual)


NONE = Values()


def values(spec: Any, leave_out: tuple[str, ...] = ()) -> Values:
    """What a spec has for its parameters; a default that stands for nothing (0, off) is not worth a word."""
    own: list[str] = []
    usual: list[str] = []
    for name, parameter in parameters(type(spec)).items():
        value = getattr(spec, name)
        if name in ("enabled", *leave_out):
            continue
        if parameter.required or value != parameter.default:
            own.append(_words(parameter, value))
        elif value not in NOTHING and value != 0:  # False, too
            usual.append(_words(parameter, value))
    return Values(tuple(own), tuple(usual))


def _words(parameter: Parameter, value: Any) -> str:
    if parameter.kind == "switch":
        return parameter.label if value else f"no {parameter.label}"
    if value is None:
        return f"no {parameter.label}"
    return f"{parameter.label} {short(value)}"


def short(value: Any) -> str:
    """A value as people write it: ``5e-4``, ``16, 32, 64``, ``norms and biases``."""
    if isinstance(value, tuple | list):
        return ", ".join(map(short, value))
    if isinstance(value, float) and 0 < abs(value) < 1e-3:
        mantissa, _, exponent = f"{value:e}".partition("e")
        if float(f"{mantissa}e{exponent}") == value:
            return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return bare(value).replace("_", " ") if isinstance(value, str) else bare(value)


def fitting(found: Values, room: int) -> tuple[str, str]:
    """Own and usual values as far as they have room, each of them whole; a ``…`` stands for the rest."""
    entries = found.own + found.usual
    whole = next((n for n in range(len(entries), 0, -1) if _length(entries, n) <= room), 0)
    if not whole:
        return "", ""
    own, usual = entries[: min(whole, len(found.own))], entries[len(found.own) : whole]
    rest = BETWEEN.rstrip() + "…" if whole < len(entries) else ""
    first = BETWEEN.join(own)
    second = (BETWEEN if own and usual else "") + BETWEEN.join(usual)
    return (first, second + rest)


def _length(entries: tuple[str, ...], count: int) -> int:
    rest = len(BETWEEN.rstrip()) + 1 if count < len(entries) else 0
    return len(BETWEEN.join(entries[:count])) + rest
