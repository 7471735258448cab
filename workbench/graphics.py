"""Which way of showing pictures in real pixels a terminal has: what it is asked, and what follows from its answers."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Collection
from typing import Literal

Protocol = Literal["", "kitty", "sixel"]

WHO, ATTRIBUTES = "\x1b[>q", "\x1b[c"
"""The questions for a terminal's name (XTVERSION) and attributes (DA1).

Every terminal answers the second, so that it also says that what was asked before it was not understood.
"""
GRAPHICS = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
"""Kitty's question, whether it takes pictures. Some terminals print it."""

PLACEHOLDERS = {"kitty": (0, 28), "ghostty": (1, 0)}
"""Terminals with Kitty's Unicode placeholders, whose pictures are cells as others are, and since which version.

Others with Kitty's protocol lay pictures over the cells; those that are known have Sixel, too.
"""
SIXEL = 4
"""The attribute of a terminal (DA1) that says that it has Sixel."""


def has_placeholders(name: str) -> bool:
    """Whether a terminal that calls itself by this name (XTVERSION), such as ``kitty(0.32.2)``, has placeholders."""
    for known, least in PLACEHOLDERS.items():
        if match := re.match(rf"{known}\W(\d+)\.(\d+)", name.lower()):
            return (int(match[1]), int(match[2])) >= least
    return False


def has_encoder() -> bool:
    """Whether textual-image is installed, which encodes Sixel (``pip install 'workbench[pictures]'``)."""
    return importlib.util.find_spec("textual_image") is not None


def protocol(attributes: Collection[int], name: str, kitty: bool, encoder: bool) -> Protocol:
    """How the screens show pictures on a terminal with these attributes and this name; "": in half-blocks.

    kitty: whether it takes pictures by Kitty's protocol. encoder: whether there is one for Sixel.
    """
    if SIXEL in attributes and encoder:
        return "sixel"
    return "kitty" if kitty and has_placeholders(name) else ""
