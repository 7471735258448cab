"""Probes that misbehave, to be asked by a worker."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """What one of them found."""

    text: str
    pair: tuple[int, int] | None = None


def good(text: str) -> Fact:
    print("what a library prints\n{}")
    os.write(1, b"and what C prints\n")
    return Fact(text, (1, 2))


def hangs() -> Fact:
    time.sleep(1000)
    return Fact("")


def dies() -> Fact:
    os.write(2, b"\nterminate called\n")
    os.abort()


def leaves() -> Fact:
    os._exit(7)


def raises() -> Fact:
    raise RuntimeError("CUDA error:\n\x1b]52;c;AAAA\x07 unknown")


def floods() -> Fact:
    return Fact("x" * (1 << 23))
