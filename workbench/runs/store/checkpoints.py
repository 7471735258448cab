"""A run's checkpoints without torch: what one says of itself, and going on from another than the last."""

from __future__ import annotations

import os
import pickle
import shutil
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from workbench.runs.errors import RunError, cannot_write
from workbench.runs.store.directory import RunDirectory
from workbench.storage.atomic import written_aside
from workbench.storage.digest import file_verdict, verdict
from workbench.storage.locks import Claim
from workbench.storage.regular import MIDDLING, open_regular


@dataclass(frozen=True)
class Glance:
    """step: updates done. recipe: the digest of the resolved recipe that it belongs to."""

    step: int
    recipe: str


def glance(path: Path) -> Glance:
    """Look at a whole checkpoint. Executes nothing in the file. Raises RunError with one line, FileNotFoundError."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            if verdict(file.fileno()) == "damaged":
                raise RunError(f"{path}: is damaged: its content is not what its digest says")
            with zipfile.ZipFile(file) as archive:
                about = next(found for found in archive.infolist() if found.filename.endswith("/data.pkl"))
                if about.file_size > MIDDLING:
                    raise ValueError("too large")
                state = _Outline(BytesIO(archive.read(about))).load()
        return Glance(_checked(state["step"], int), _checked(state["recipe"], str))
    except (FileNotFoundError, RunError):
        raise
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # whatever a file that is no checkpoint makes of it
        raise RunError(f"{path}: not a readable checkpoint: it is damaged, or another kind of file") from error


def _checked(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind):
        raise ValueError("another type")
    return value


class _Anything:
    """Stands for whatever is not looked at, and takes whatever is put into it."""

    def __init__(self, *given: Any, **named: Any) -> None:
        pass

    def __setitem__(self, key: Any, value: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class _Outline(pickle.Unpickler):
    """Numbers, texts and plain containers as they are; in the place of all else, tensors too, nothing."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        return _Anything

    def persistent_load(self, pid: Any, /) -> Any:
        return None


ASIDE = "last.aside"
"""What the last checkpoint is called once a run goes on from another one."""


def fall_back(run: RunDirectory, name: str) -> None:
    """Make a checkpoint the one that a run goes on from; the last one stays beside it, as ``last.aside.pt``.

    name: such as ``best``. Raises RunError if there is no such one, if it is damaged, or if the run is at work.
    """
    chosen, last = run.checkpoints / f"{name}.pt", run.checkpoints / "last.pt"
    if name == "last":
        return
    there = sorted(path.stem for path in run.checkpoints.glob("*.pt"))
    if name not in there:
        have = f"it has {', '.join(there)}" if there else "it has none"
        raise RunError(f"run '{run.name}' has no checkpoint '{name}'; {have}")
    try:
        if file_verdict(chosen) == "damaged":
            raise RunError(f"{chosen}: is damaged: its content is not what its digest says")
        claim = Claim(run.lock_file)
        try:
            if not claim.take():
                raise RunError(f"run '{run.name}' is at work; stop it first: workbench stop {run.name}")
            if last.exists():
                twin(last, run.checkpoints / f"{ASIDE}.pt")
            with written_aside(last) as partial:  # in one step: there is a last checkpoint at any time
                twin(chosen, partial)
        finally:
            claim.give_back()
    except OSError as error:
        raise cannot_write(last, error) from error


def twin(source: Path, target: Path) -> None:
    """A second name, which takes no room; a copy where the disk knows no such thing."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
