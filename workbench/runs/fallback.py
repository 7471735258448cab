"""Going on from another checkpoint than the last one. Torch-free."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from workbench.runs.directory import RunDirectory
from workbench.runs.errors import RunError
from workbench.runs.files import Claim, cannot_write
from workbench.storage.digest import file_verdict

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
            partial = last.with_name(".last.partial")
            if last.exists():
                twin(last, run.checkpoints / f"{ASIDE}.pt")
            twin(chosen, partial)
            partial.replace(last)  # in one step: there is a last checkpoint at any time
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
