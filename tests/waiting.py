"""Waiting in tests for what another thread or process brings about.

A wait ends when it has come about. How long that takes is the machine's affair, which other programs use too; so the
limit only says when to give up, and no test judges by it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from textual.pilot import Pilot

GIVE_UP = 180.0
"""Seconds; beside eight busy programs on two cores, what takes a second was seen to take twenty."""


def wait_for(what: Callable[[], Any], seconds: float = GIVE_UP, *, look: float = 0.02) -> Any:
    """Look every so many seconds until something is true, and return it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"it did not come about within {seconds:g} s"
        time.sleep(look)
    return found


async def until(pilot: Pilot[str], condition: Callable[[], bool], seconds: float = GIVE_UP) -> None:
    """Wait in an app's test for something that another thread or process brings about."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not come about within {seconds:g} s"
        await pilot.pause(0.02)  # not until idle: timers may keep the app from that


def quickest(attempt: Callable[[], float], enough: float, tries: int = 8) -> float:
    """The shortest of several attempts' seconds, no more of them than it takes to have one that is short enough.

    What is slow by itself is slow each time; what other programs hold up is not.
    """
    shortest = attempt()
    for _ in range(tries - 1):
        if shortest <= enough:
            break
        shortest = min(shortest, attempt())
    return shortest


async def at_rest(pilot: Pilot[str], happened: list[Any], seconds: float = 0.8, tries: int = 10) -> bool:
    """Whether there comes a stretch of so many seconds in which nothing happens.

    What is still to be done after the last key takes its time on a busy machine; what happens again and again does so
    in every stretch.
    """
    for _ in range(tries):
        happened.clear()
        await pilot.pause(seconds)
        if not happened:
            return True
    return False
