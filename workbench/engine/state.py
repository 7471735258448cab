"""Checkpoints: everything that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import torch

from workbench.engine.build import Build
from workbench.recipe import write_recipe

FORMAT = 1


class CheckpointError(Exception):
    """A checkpoint that is missing, broken or of another recipe; one line."""


class Checkpoints:
    """The ``last.pt`` and ``best.pt`` of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, name: str, state: dict[str, Any]) -> Path:
        """Write aside, flush to the disk, rename: a file of this name is always a whole checkpoint."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.pt"
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return path

    def load(self, name: str = "last") -> dict[str, Any] | None:
        """A saved state on the CPU, or None if there is none. Executes nothing that stands in the file."""
        path = self.folder / f"{name}.pt"
        try:
            path.stat()
        except FileNotFoundError:
            if path.is_symlink():  # to go on from the start would lose what the link stands for
                raise CheckpointError(f"{path}: is a link to {path.readlink()}, which is not there") from None
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise CheckpointError(f"{path}: not a readable checkpoint: {' '.join(str(error).split())[:200]}") from error
        if state.get("format") != FORMAT:
            raise CheckpointError(f"{path}: has checkpoint format {state.get('format')}, this workbench reads {FORMAT}")
        return state


def capture(build: Build, **parts: Any) -> dict[str, Any]:
    """The state of a build after ``build.step`` updates; ``parts`` are the loop's own (meter, guard, …)."""
    state: dict[str, Any] = {
        "format": FORMAT,
        "recipe": recipe_digest(build),
        "step": build.step,
        "model": build.model.state_dict(),
        "optimizer": build.optimizer.state_dict(),
        "kept": {name: kept.state_dict() for name, kept in build.kept.items()},
        "scaler": build.precision.scaler.state_dict(),
        "generator": torch.random.get_rng_state(),
        **parts,
    }
    if build.device.type == "cuda":
        state["cuda_generator"] = torch.cuda.get_rng_state(build.device)
    return state


def restore(build: Build, state: dict[str, Any]) -> None:
    """Put a captured state back into a freshly built recipe and torch's global generators."""
    if state["recipe"] != recipe_digest(build):
        raise CheckpointError("the checkpoint belongs to another recipe; a run's recipe.toml must not be changed")
    build.step = int(state["step"])
    build.model.load_state_dict(state["model"])
    build.optimizer.load_state_dict(state["optimizer"])
    for name, kept in build.kept.items():
        kept.load_state_dict(state["kept"][name])
    build.precision.scaler.load_state_dict(state["scaler"])
    torch.random.set_rng_state(state["generator"])
    if build.device.type == "cuda" and "cuda_generator" in state:
        torch.cuda.set_rng_state(state["cuda_generator"], build.device)


def recipe_digest(build: Build) -> str:
    """SHA-256 of the resolved recipe's text."""
    return hashlib.sha256(write_recipe(build.recipe).encode()).hexdigest()
