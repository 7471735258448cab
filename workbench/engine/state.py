"""Checkpoints: everything that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch

from workbench.engine.build import Build
from workbench.recipe import recipe_digest
from workbench.storage.atomic import written_aside
from workbench.storage.digest import TRAILER, SealedWriter, file_verdict
from workbench.storage.regular import NoRoom, open_regular

FORMAT = 2
"""Every checkpoint of this format ends in its digest."""

UNSEALED = 1
"""The format of earlier versions, which wrote no digest."""


class CheckpointError(Exception):
    """A checkpoint that is missing, broken or of another recipe; one line."""


class Checkpoints:
    """The ``last.pt`` and ``best.pt`` of one run.

    folder: in the run's directory, or what says where it is now. look: sees whether that has changed; called before and
    after an attempt to save. note: what there is to say about the checkpoint that was read last; mostly empty.
    """

    def __init__(self, folder: Path | Callable[[], Path], look: Callable[[], object] = lambda: None) -> None:
        self.note = ""
        self._folder = folder
        self._look = look

    @property
    def folder(self) -> Path:
        """Where the checkpoints are; it need not exist."""
        return self._folder if isinstance(self._folder, Path) else self._folder()

    def save(self, name: str, state: dict[str, Any]) -> Path:
        """Write aside with its digest, flush to the disk, rename: a file of this name is always a whole checkpoint.

        Raises NoRoom, also where the run's directory is gone; it is never made anew.
        """
        self._look()
        cleared = False
        while True:
            folder = self.folder
            path = folder / f"{name}.pt"
            try:
                self._save(path, state)
                return path
            except OSError as error:
                self._look()
                if self.folder != folder:
                    continue
                if isinstance(error, FileNotFoundError) and not cleared:
                    cleared = True  # somebody emptied the folder, or took it away, while this was being written
                else:
                    raise NoRoom(error, path, size_of(state)) from error

    def _save(self, path: Path, state: dict[str, Any]) -> None:
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)  # of a killed process, or something that is no file
        with written_aside(path, flush=True, partial=partial), partial.open("xb") as file:
            writer = SealedWriter(file)
            try:
                torch.save(state, cast(BinaryIO, writer))
            except RuntimeError:
                if writer.error is None:
                    raise
                raise writer.error from None
            writer.seal()

    def load(self, name: str = "last") -> dict[str, Any] | None:
        """A saved state on the CPU, exactly as it was saved, or None if there is none. Executes nothing in the file.

        Raises CheckpointError, with the other checkpoint to go on from, if there is one.
        """
        path = self.folder / f"{name}.pt"
        try:
            path.stat()
        except FileNotFoundError:
            if path.is_symlink():  # to go on from the start would lose what the link stands for
                raise CheckpointError(f"{path}: is a link to {path.readlink()}, which is not there") from None
            return None
        except OSError as error:
            if error.errno != errno.ELOOP:  # who may not look at the folder cannot tell what is in it
                raise
            raise CheckpointError(
                f"{path}: not a readable checkpoint: {error.strerror}; {self._instead(name)}"
            ) from None
        try:
            state, self.note = _read(path)
        except CheckpointError as error:
            raise CheckpointError(f"{error}; {self._instead(name)}") from error
        return state

    def _instead(self, name: str) -> str:
        run = self.folder.parent
        for path in sorted(self.folder.glob("*.pt")):
            if path.stem != name:
                with contextlib.suppress(CheckpointError):
                    step = int(_read(path)[0]["step"])
                    return f"go on from {path.name} (step {step:,}): workbench run --resume {run} --from {path.stem}"
        return f"there is no other checkpoint; train it anew: workbench run {run}"


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """A state, and what there is to say about it."""
    try:
        found = file_verdict(path)
        if found == "damaged":
            raise CheckpointError(f"{path}: is damaged: its content is not what its digest says")
        with os.fdopen(open_regular(path), "rb") as file:
            if file.read(4) != b"PK\x03\x04":
                raise CheckpointError(f"{path}: not a readable checkpoint: it is another kind of file")
            file.seek(0)
            state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path}: not a readable checkpoint: {error.strerror or error}") from error
    except CheckpointError:
        raise
    except Exception as error:  # torch says what its own code met, not what is wrong
        raise CheckpointError(f"{path}: not a readable checkpoint: it is damaged, or its end is missing") from error
    number = state.get("format") if isinstance(state, dict) else None
    if number not in (FORMAT, UNSEALED):
        raise CheckpointError(f"{path}: has checkpoint format {number}, this workbench reads {UNSEALED} and {FORMAT}")
    if number == FORMAT and found == "unsealed":
        raise CheckpointError(f"{path}: is damaged: its end is missing, and with it its digest")
    note = "an earlier version wrote {} without a digest: whether it is undamaged cannot be told; the next has one"
    return state, note.format(path.name) if found == "unsealed" else ""


def size_of(state: dict[str, Any]) -> int:
    """Bytes that a state has as a checkpoint."""
    counter = _Counter()
    torch.save(state, cast(BinaryIO, counter))
    return counter.bytes + TRAILER


class _Counter:
    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: bytes | memoryview) -> int:
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        pass


def capture(build: Build, step: int, **parts: Any) -> dict[str, Any]:
    """The state of a build after so many updates; ``parts`` are the loop's own (meter, guard, …)."""
    state: dict[str, Any] = {
        "format": FORMAT,
        "recipe": recipe_digest(build.recipe),
        "step": step,
        "model": build.model.state_dict(),
        "optimizer": build.optimizer.state_dict(),
        "kept": {name: kept.state_dict() for name, kept in build.in_checkpoints.items()},
        "scaler": build.precision.scaler.state_dict(),
        "generator": torch.random.get_rng_state(),
        **parts,
    }
    if build.device.type == "cuda":
        state["cuda_generator"] = torch.cuda.get_rng_state(build.device)
    return state


def restore(build: Build, state: dict[str, Any]) -> int:
    """Put a captured state back into a freshly built recipe and torch's global generators; how many updates it had."""
    if state.get("recipe") != recipe_digest(build.recipe):
        raise CheckpointError("the checkpoint belongs to another recipe; a run's recipe.toml must not be changed")
    with fitting():
        _put_back(build, state)
        return int(state["step"])


@contextlib.contextmanager
def fitting() -> Iterator[None]:
    """Put parts of a state back in it: what goes wrong becomes a CheckpointError."""
    try:
        yield
    except (KeyError, ValueError, TypeError, RuntimeError, AttributeError, IndexError) as error:
        raise CheckpointError("the checkpoint does not fit its recipe: a part is missing or of another size") from error


def _put_back(build: Build, state: dict[str, Any]) -> None:
    build.model.load_state_dict(state["model"])
    # whether steps are recorded is a matter of where they run, as it is where they go on
    recorded = [{"capturable": group["capturable"]} if "capturable" in group else {} for group in _groups(build)]
    build.optimizer.load_state_dict(state["optimizer"])
    for group, own in zip(_groups(build), recorded, strict=True):
        group.update(own)
    for name, kept in build.in_checkpoints.items():
        kept.load_state_dict(state["kept"][name])
    build.precision.scaler.load_state_dict(state["scaler"])
    torch.random.set_rng_state(state["generator"])
    if build.device.type == "cuda" and "cuda_generator" in state:
        torch.cuda.set_rng_state(state["cuda_generator"], build.device)


def _groups(build: Build) -> list[dict[str, Any]]:
    return build.optimizer.param_groups
