"""What is said of an error that ended a run: what happened, what is left, what to do."""

from __future__ import annotations

from pathlib import Path

from workbench.device_lost import ASSERT, lost, may_be_lost, remedy
from workbench.devices import DeviceError
from workbench.filesystem import FULL
from workbench.format import gib_of
from workbench.out_of_memory import TooLarge, out_of_memory, with_causes
from workbench.recipe import Recipe, RecipeError
from workbench.recipe.execution import part_setting
from workbench.runs.errors import RunError, cannot_write
from workbench.runs.store.directory import RunDirectory


def gave_way(error: Exception, device: str) -> str:
    """What a GPU said that is lost for this process; "" where it is well, or was none.

    Words of a library that do not tell are not believed: the device itself is asked.
    """
    if said := lost(error):
        return said
    if not device.startswith("cuda") or not may_be_lost(error):
        return ""
    import torch

    try:
        torch.cuda.synchronize(device)
    except RuntimeError as its_error:
        return lost(its_error)
    return ""


def explain(error: Exception, run: RunDirectory, device: str, saved: str) -> str | None:
    """One line for an error that a user can do something about; None for one that is ours.

    device: where the run was, or was to be. saved: what there is to go on from, as a clause.
    """
    from workbench.data.base import DataError
    from workbench.engine.build import BuildError
    from workbench.engine.state import CheckpointError
    from workbench.registered import TechniqueError

    if said := gave_way(error, device):
        return f"{device} gave way: {said}; {saved}; {remedy(said)}"
    known = DataError | BuildError | DeviceError | RecipeError | RunError | TechniqueError
    if isinstance(error, known):
        return str(error).strip().splitlines()[-1]  # what comes from a loader worker has its traceback above
    if out_of_memory(error):
        return f"{_too_little(error, run, device)}; {saved}"
    if isinstance(error, CheckpointError):
        return str(error)
    if isinstance(error, OSError) and error.errno in FULL:
        return str(cannot_write(Path(error.filename or run.path / "log.txt"), error))
    if isinstance(error, OSError) and error.errno is not None:
        return f"{error.filename or run.path}: {error.strerror}"
    return None


def instead(error: Exception, run: RunDirectory) -> str:
    """The change of the recipe to try after an error for want of memory, as ``key=value``; "" where none would help."""
    from workbench.data.base import DataError

    if not out_of_memory(error):
        return ""
    if isinstance(error, DataError):  # the set lies on the device
        return "data.pipeline=loader"
    key, size = _blamed(error, run.recipe())
    return f"{key}={size // 2}" if size > 1 else ""


def resumable(error: Exception, device: str, *, started: bool) -> bool:
    """Whether going on may end otherwise: what failed lies outside of the recipe, and there are steps to go on from.

    A recipe stays as it is when its run goes on, and so do its errors, those of its plugins, and memory that is too
    small for it.
    """
    import torch

    from workbench.data.base import DataError

    if said := gave_way(error, device):
        return started and ASSERT not in said.lower()
    outside = isinstance(error, OSError | DataError | DeviceError | RunError | torch.AcceleratorError)
    return started and outside and not out_of_memory(error)


def _blamed(error: Exception, recipe: Recipe) -> tuple[str, int]:
    """The key whose size memory was too small for, and its value; of a step that is the batch, or the part of one."""
    found = next((each for each in with_causes(error) if isinstance(each, TooLarge)), None)
    if found is not None:
        return found.key, found.size
    size = recipe.data.batch_size
    if (parts := part_setting(recipe)) is not None and parts[1] < size:
        return parts
    return "data.batch_size", size


def _too_little(error: Exception, run: RunDirectory, device: str) -> str:
    key, size = _blamed(error, run.recipe())
    if change := instead(error, run):
        return f"out of memory at {key} = {size}: try --set {change}"
    what = f"at {key} = {size}, which cannot be less" if key else "before the first batch"
    return f"out of memory {what}{_free(device)}: choose another device, or make the network smaller"


def _free(device: str) -> str:
    """How much memory a GPU has left, as words to append."""
    if not device.startswith("cuda"):
        return ""
    import torch

    free, total = torch.cuda.mem_get_info(device)
    return f" ({device} has {gib_of(free, total, 2)} free)"
