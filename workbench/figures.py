"""Figures in words, as results, logs and narrations write them."""

from __future__ import annotations


def percent(share: float | None) -> str:
    """``98.76 %``, or a dash for what is unknown or not a number."""
    return "—" if share is None or share != share else f"{100 * share:.2f} %"


def figure(value: float | None) -> str:
    """A loss: ``0.1234``, ``2.75e+20``, or a dash for what is unknown or not a number."""
    if value is None or value != value:
        return "—"
    return f"{value:.4f}" if abs(value) < 10_000 else f"{value:.3g}"


def short(number: float) -> str:
    """``3`` or ``2.5``."""
    return f"{round(number, 2):g}" if number < 1e5 else f"{number:,.0f}"


def duration(seconds: float) -> str:
    """``0:42``, ``1:02:03`` or ``2 d 03:04:05``."""
    whole = max(0, round(seconds))
    days, rest = divmod(whole, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    if days:
        return f"{days} d {hours:02}:{minutes:02}:{seconds:02}"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
