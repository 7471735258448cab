"""What a checkpoint says of itself, without torch and without its tensors."""

from __future__ import annotations

import os
import pickle
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from workbench.runs.errors import RunError
from workbench.storage.digest import verdict
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
