"""What a person says about runs: tags and a note in a run's ``user.toml``, and the one run that is the baseline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from workbench.runs.errors import RunError, cannot_write, replace_text
from workbench.runs.store.directory import RunDirectory
from workbench.storage import toml
from workbench.storage.regular import read_text

TAG = re.compile(r"\w[\w.+/-]{0,39}")
BASELINE = ".baseline"
"""In the folder of runs: the name of the baseline. One small file, so that there can never be two of them."""


@dataclass(frozen=True)
class Notes:
    """Tags and note of a run. ``problem``: why its file cannot be read; one line, empty if it can."""

    tags: tuple[str, ...] = ()
    note: str = ""
    problem: str = ""


def read_notes(run: RunDirectory) -> Notes:
    """A run's notes; empty ones if nobody has written any. Entries of a wrong type are left out and said."""
    try:
        found = _read(run)
    except RunError as error:
        return Notes(problem=str(error))
    tags, note = found.get("tags", []), found.get("note", "")
    wrong = [key for key, value, kind in (("tags", tags, list), ("note", note, str)) if not isinstance(value, kind)]
    problem = f"{run.notes_file}: {' and '.join(wrong)}: not of the right type; mend or delete the file"
    known = tags if isinstance(tags, list) else []
    return Notes(
        tuple(dict.fromkeys(tag for tag in known if isinstance(tag, str) and TAG.fullmatch(tag))),
        note if isinstance(note, str) else "",
        problem if wrong else "",
    )


def write_tags(run: RunDirectory, tags: Iterable[str]) -> None:
    """Replace a run's tags. Raises RunError for one that cannot be a tag."""
    _write(run, "tags", [checked_tag(tag) for tag in dict.fromkeys(tags)])


def write_note(run: RunDirectory, note: str) -> None:
    """Replace a run's note; an empty one takes it away. Raises RunError."""
    _write(run, "note", note.strip())


def split_tags(text: str) -> list[str]:
    """The tags of a line of text, separated by commas or spaces. Raises RunError for one that cannot be a tag."""
    return [checked_tag(tag) for tag in dict.fromkeys(text.replace(",", " ").split())]


def checked_tag(text: str) -> str:
    """The tag itself. Raises RunError with what a tag looks like."""
    if TAG.fullmatch(text) is None:
        raise RunError(
            f"'{text}' cannot be a tag: write a word of at most 40 letters, digits and . _ + / - that begins with a "
            "letter or digit"
        )
    return text


def baseline(root: Path) -> str:
    """The name of the baseline among the runs in a folder; "" if there is none."""
    try:
        name = read_text(root / BASELINE).strip()
    except (OSError, ValueError):
        return ""
    usable = name and "/" not in name and name not in (".", "..")
    return name if usable and RunDirectory(root / name).exists() else ""


def pin(root: Path, name: str) -> None:
    """Make a run the baseline of its folder; "" takes the pin away. Raises RunError."""
    if name:
        replace_text(root / BASELINE, name + "\n")
        return
    try:
        (root / BASELINE).unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(root / BASELINE, error) from error


def _read(run: RunDirectory) -> dict[str, Any]:
    try:
        return toml.loads(read_text(run.notes_file))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise RunError(f"{run.notes_file}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        what = " ".join(str(error).split())
        raise RunError(f"{run.notes_file}: is not TOML: {what}; mend or delete the file") from error


def _write(run: RunDirectory, key: str, value: str | Sequence[str]) -> None:
    """Replace one entry and keep the others, those that this version does not know among them."""
    found = {k: v for k, v in _read(run).items() if k != key} | ({key: value} if value else {})
    if found or run.notes_file.exists():
        replace_text(run.notes_file, tomli_w.dumps(found))
