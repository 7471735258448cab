"""What is wrong with a recipe: every problem at once, each with its place and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from workbench.visible import shortened


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. ``path`` is dotted (``techniques.sgd.learning_rate``); ``line`` counts from 1."""

    path: str
    message: str
    line: int | None = None
    where: str = ""

    def __str__(self) -> str:
        place = self.where + (f":{self.line}" if self.line else "")
        # Each part cut by itself: a key of a thousand characters leaves room for what is wrong with it.
        return ": ".join(part for part in (place, shortened(self.path, 120), shortened(self.message)) if part)

    def at(self, where: str, line: int | None) -> Problem:
        """The same problem with the file and line where it stands."""
        return replace(self, where=where, line=line)


class RecipeError(Exception):
    """A recipe that cannot be used; ``problems`` holds every reason found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class InputError(Exception):
    """Something on the command line that cannot be meant; one line."""


def quoted(name: object) -> str:
    """A name as it stands in a message: in quotes, not too long."""
    return f"'{shortened(str(name), 60)}'"


def nearest(name: object, known: Sequence[str], *, list_all: int = 12, cutoff: float = 0.6) -> str:
    """``"; did you mean 'x'?"`` for a name that is close to a known one, else the known ones if they are few."""
    alike = [k for k in known if k.lower() == str(name).lower()]  # SGD, AdamW
    close = alike or difflib.get_close_matches(str(name)[:200], known, n=1, cutoff=cutoff)
    if close:
        return f"; did you mean '{close[0]}'?"
    if known and len(known) <= list_all:
        return f"; known: {', '.join(known)}"
    return ""
