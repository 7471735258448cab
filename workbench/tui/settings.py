"""What the command line said, for the whole session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Places and device in use. device: ``"auto"``, ``"cpu"`` or ``"cuda:N"``. plugins: files that are loaded."""

    runs: Path
    data_root: Path
    device: str = "auto"
    plugins: tuple[Path, ...] = ()
