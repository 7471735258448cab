"""Which run another one goes on from, and how: one small file in its directory. Torch-free."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from workbench.engine.continuing import Continuation
from workbench.runs.errors import RunError, replace_text
from workbench.runs.store.directory import RunDirectory
from workbench.storage.json_text import dumps
from workbench.storage.regular import read_bytes

START = "start"
"""The checkpoint of the other run, as the new one calls it."""


@dataclass(frozen=True)
class _Parent:
    """What the file of a run that goes on from another one holds. run: the other one's name."""

    run: str
    how: Continuation


_ADAPTER = TypeAdapter(_Parent)


def write_continuation(run: RunDirectory, parent: str, how: Continuation) -> None:
    """Say in a new run's directory which run it goes on from, by its name, and how. Raises CannotWrite."""
    replace_text(run.continues_file, dumps(_Parent(parent, how), indent=2) + "\n")


def read_continuation(run: RunDirectory) -> Continuation | None:
    """How a run goes on from another one; None for one that begins at its beginning. Raises RunError."""
    found = _read(run)
    return found.how if found is not None else None


def parent_name(run: RunDirectory) -> str:
    """The name of the run that this one continues, "" for none or where it cannot be read."""
    with suppress(RunError):
        found = _read(run)
        return found.run if found is not None else ""
    return ""


def _read(run: RunDirectory) -> _Parent | None:
    try:
        return _ADAPTER.validate_json(read_bytes(run.continues_file), strict=True)
    except FileNotFoundError:
        return None
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_url=False)[0]["loc"]))
        raise RunError(
            f"{run.continues_file}: does not say what the run goes on from{where and f' ({where})'}"
        ) from None
    except OSError as error:
        raise RunError(f"{run.continues_file}: cannot be read: {error.strerror or error}") from error
