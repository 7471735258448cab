"""Train what a run directory holds, in the calling thread, and write everything that happens into it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.control import Control
from workbench.devices import choose
from workbench.events import Diverged, Event, Failed, Finished, Noted, Resumed, Stopped
from workbench.out_of_memory import because_of
from workbench.paths import data_root as default_data_root
from workbench.recipe import Recipe, write_recipe
from workbench.runs.errors import CannotWrite, RunError, cannot_write, replace_text
from workbench.runs.store.continuation import START, read_continuation
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import CHECKPOINT, CHECKS, DATA, NETWORK, STEPS, THREADS, TORCH
from workbench.runs.training.failure import explain, instead, resumable
from workbench.runs.training.writer import RunWriter
from workbench.storage.regular import NoRoom

if TYPE_CHECKING:
    from workbench.engine.build import Build

log = logging.getLogger(__name__)

ENDS: dict[type[Event], str] = {Finished: "finished", Stopped: "stopped", Diverged: "diverged", Failed: "failed"}


def execute(
    run: RunDirectory,
    *,
    device: str = "auto",
    data_root: Path | None = None,
    resume: bool = False,
    control: Control | None = None,
    on_event: Callable[[Event], None] | None = None,
    checks: bool = True,
) -> str:
    """Train ``run.recipe()`` from its start or from its last checkpoint.

    device: ``"auto"``, ``"cpu"`` or ``"cuda:N"``. on_event hears every event after it is written, in this thread or in
    one for which this one waits.
    checks: whether to check before, during and after the training.
    Returns ``"finished"``, ``"stopped"``, ``"diverged"`` or ``"failed"``. What can go wrong with recipes, data,
    devices and memory becomes a Failed event; RunError is raised if another process trains this run, if the disk is
    full (the run is then stopped at its last checkpoint), or if the run's directory went away meanwhile.
    """
    control = control or Control()
    end, chosen = "failed", device
    writer = RunWriter(run, control)

    def say(event: Event) -> None:
        writer.write(event)
        if on_event is None:
            return
        while writer.notices:
            on_event(Noted(message=writer.notices.pop(0)))
        if not (writer.trouble and isinstance(event, Stopped | Finished)):  # it has not ended as it was meant to
            on_event(event)

    try:
        with writer:
            try:
                writer.stage(TORCH)
                chosen = choose(device)
                for event in _events(
                    writer, chosen, data_root or default_data_root(None), resume, control, say, checks
                ):
                    say(event)
                    end = ENDS.get(type(event), end)
            except (CannotWrite, NoRoom) as error:
                raise RunError(writer.break_off(_no_room(error))) from error
            except Exception as error:
                message, change = explain(error, run, chosen, writer.left()), instead(error, run)
                if message is None:
                    log.exception("the run failed")
                    traceback.print_exc()
                    message = (
                        f"{type(error).__name__}: {' '.join(str(error).split())[:500]}; the traceback is in log.txt"
                    )
                again = resumable(error, chosen, started=writer.status.step > 0)
                say(Failed(error=message, resumable=again, instead=change))
                end = "failed"
    except BaseException:
        writer.abandon()  # interrupted while it was being entered or left, perhaps
        raise
    if writer.trouble:
        command = "show" if end == "finished" else "run --resume"
        advice = f"; {'see' if end == 'finished' else 'go on with'}: workbench {command} {writer.run.path}"
        raise RunError(writer.trouble + (advice if writer.run != run else ""))
    return end


def _no_room(error: CannotWrite | NoRoom) -> str:
    if isinstance(error, NoRoom):
        return str(cannot_write(Path(error.filename), error, error.needed))
    return str(error)


def _events(
    writer: RunWriter,
    chosen: str,
    data_root: Path,
    resume: bool,
    control: Control,
    say: Callable[[Event], None],
    checks: bool,
) -> Iterator[Event]:
    run = writer.run

    from workbench.checks.run_checks import RunChecks
    from workbench.data.workers import make_ready
    from workbench.engine.backend import backend
    from workbench.engine.build import build
    from workbench.engine.continuing import continued, take_over
    from workbench.engine.device_fallback import resolve_for_device
    from workbench.engine.state import CheckpointError, Checkpoints
    from workbench.engine.threads import use_threads
    from workbench.engine.train import train
    from workbench.engine.train_state import TrainState
    from workbench.profiling.instruments import Instruments

    checkpoints = Checkpoints(lambda: writer.run.checkpoints, look=writer.look)
    if resume:
        writer.stage(CHECKPOINT)
    saved = checkpoints.load() if resume else None
    how = read_continuation(run)
    if how is not None and saved is None:
        saved = checkpoints.load(START)
        if saved is None:
            raise CheckpointError(f"{run.checkpoints / START}.pt is gone, from which this run was to go on")
    recipe, notes = resolve_for_device(run.recipe(), chosen)
    if notes and saved is not None:
        recipe = run.recipe()
        notes = ["this device only emulates the run's 16-bit format; a run that goes on keeps it, slow as it is"]
    if resume and saved is None:
        say(Resumed(step=0))
        say(Noted(message="there was no checkpoint yet; the run starts from its beginning"))
    if checkpoints.note:
        say(Noted(message=checkpoints.note))
    if recipe.data.pipeline == "loader" and recipe.data.workers:
        make_ready()
    instruments = Instruments(run.profile)
    with backend(recipe, chosen):
        with because_of("", 0):
            writer.stage(DATA)
            built = build(
                recipe,
                chosen,
                data_root,
                lambda message: say(Noted(message=message)),
                data_read=lambda: writer.stage(NETWORK),
            )
        try:
            writer.stage(THREADS)
            threads = use_threads(built)
            if threads.seconds:
                notes.append(str(threads))
            for note in [*notes, *built.dataset.notes]:
                say(Noted(message=note))
            built = built.with_(recipe=_of_this_machine(recipe, threads.count))
            _write_out(writer, built)
            if how is not None and saved is not None:
                built = built.with_(schedule=continued(built.schedule, how))
                saved = take_over(built, saved, how)
            state = TrainState.of(built)
            run_checks = RunChecks(built, run.path, on=checks, before_over=lambda: writer.stage(STEPS))
            observers = (run_checks, instruments)
            writer.stage(CHECKS if saved is None else STEPS)
            yield from train(built, control, checkpoints, saved, observers=observers, state=state)
            if state.execution != built.execution:
                _write_out(writer, built.with_(execution=state.execution))
        finally:
            instruments.close()
            built.close()


def _of_this_machine(recipe: Recipe, threads: int) -> Recipe:
    """The recipe with every choice of this machine that changes the last bits or more."""
    if recipe.train.threads is not None:
        return recipe
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"threads": threads})})


def _write_out(writer: RunWriter, built: Build) -> None:
    """The recipe as it is trained, in the run's directory."""
    writer.look()  # a directory that went away meanwhile is not made anew
    file, text = writer.run.recipe_file, write_recipe(built.recipe, built.execution)
    if file.read_text(encoding="utf-8") != text:
        replace_text(file, text)
