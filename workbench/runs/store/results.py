"""Reading the results of a run's last evaluation, ``evaluation.json`` in its directory."""

from __future__ import annotations

from pathlib import Path

from workbench.evaluation.results import AnotherFormat, Results, from_json
from workbench.filesystem import exists, why
from workbench.runs.errors import RunError
from workbench.storage.digest import Damaged
from workbench.storage.regular import LARGE, read_bytes


def load_results(path: Path) -> Results:
    """The results in a file, whole as they were written. Raises RunError: what is wrong, and what else is."""
    instead = "the last evaluation's figures are in events.jsonl: workbench show"
    try:
        return from_json(read_bytes(path, LARGE))
    except OSError as error:
        if not exists(path):
            raise RunError(f"{path}: is not there; it is written after the last evaluation") from None
        raise RunError(f"{path}: cannot be read: {why(error, path)}; {instead}") from error
    except AnotherFormat as error:
        raise RunError(f"{path}: {error}; {instead}") from None
    except Damaged as error:
        raise RunError(f"{path}: is damaged: {error}; {instead}") from error
    except ValueError as error:
        raise RunError(f"{path}: is damaged: it is not what an evaluation writes; {instead}") from error
