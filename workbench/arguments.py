"""What the arguments of a command line say before anything is loaded that could read them properly."""

from __future__ import annotations

from collections.abc import Sequence

COMMANDLESS = ("--recipe", "--device", "--runs", "--data-root", "--plugin")
"""Options that may stand before a command, or alone, where they open the screens; each has a value."""

FLAGS = ("--debug",)
"""The same without a value."""


def opens_screens(arguments: Sequence[str]) -> bool:
    """Whether a command line opens the screens, as far as that can be told without reading it properly."""
    if arguments[:1] == ["watch"]:
        return not any(argument.startswith("-") for argument in arguments)
    rest = list(arguments)
    word = first_word(rest)
    if word is not None and names_file(rest[word]):
        del rest[word]
    while rest:
        name, equals, _ = rest.pop(0).partition("=")
        if name not in COMMANDLESS or (not equals and not rest):
            return False
        if not equals:
            rest.pop(0)
    return True


def first_word(arguments: Sequence[str]) -> int | None:
    """Where the word stands that is a command, or a recipe in a command's place; None where there is none."""
    place = 0
    while place < len(arguments):
        argument = arguments[place]
        name, equals, _ = argument.partition("=")
        if name in COMMANDLESS:
            place += 1 if equals else 2
        elif argument in FLAGS:
            place += 1
        else:
            return None if argument.startswith("-") else place
    return None


def names_file(word: str) -> bool:
    """Whether a word can only be a recipe's file: a command's name has neither the ending nor a slash."""
    return word.endswith(".toml") or "/" in word
