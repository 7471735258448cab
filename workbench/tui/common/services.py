"""What the command line and the user's file said, for the whole session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workbench.settings import Screens


@dataclass(frozen=True)
class Settings:
    """Places and device in use, and how the screens are to look.

    device: ``"auto"``, ``"cpu"`` or ``"cuda:N"``. plugins: files that are loaded. ascii: charts and frames do
    without braille and box drawing. keymap: the user's keys by action id.
    """

    runs: Path
    data_root: Path
    device: str = "auto"
    plugins: tuple[Path, ...] = ()
    screens: Screens = field(default_factory=Screens)
    ascii: bool = False
    keymap: Mapping[str, str] = field(default_factory=dict)
