"""Where lies what can be made or fetched again."""

from __future__ import annotations

from pathlib import Path


def user_cache(name: str) -> Path:
    """A file or folder of that name in the user's folder for caches; it need not be there."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("workbench", appauthor=False)) / name
