"""Training a run from the command line: in this process, shown as it goes, or in one that is left running."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import IO

from workbench.commands.display import Display, SilentDisplay, make_display
from workbench.commands.options import Settings
from workbench.commands.output import complain, on_terminal, say, say_json, terminal_width
from workbench.commands.profile_text import read_phases, step_lines
from workbench.commands.streams import interruptible, own_streams
from workbench.control import Control
from workbench.events import Event
from workbench.filesystem import FULL
from workbench.runs.launch import detach as launch
from workbench.runs.store.directory import RunDirectory
from workbench.runs.training.execute import execute
from workbench.runs.training.writer import abandon_all
from workbench.storage.regular import MIDDLING, open_regular


def train_here(
    directory: RunDirectory,
    settings: Settings,
    device: str,
    *,
    as_json: bool,
    quiet: bool,
    checks: bool = True,
    phases: bool = False,
) -> str:
    """Train a run in this process and show it; returns its final state."""
    control = Control()
    if phases:
        control.measure("phases", math.inf)
    resume = directory.started()
    if not as_json and not quiet:
        say(f"run: {directory.path}")
    logged = directory.log_file.stat().st_size if directory.log_file.exists() else 0
    with own_streams(directory.log_file) as streams:
        name = name_to_type(directory, settings)
        if quiet and _same_file(streams.out, directory.log_file):
            display: Display = SilentDisplay(streams, name)
        else:
            display = make_display(streams, name, as_json=as_json, quiet=quiet)
        showing = _Showing(display, control)
        with display, interruptible(control.stop, display.tell, abandon_all):
            state = execute(
                directory,
                device=device,
                data_root=settings.data_root,
                resume=resume,
                control=control,
                on_event=showing,
                checks=checks,
            )
    if showing.broken and state == "stopped":
        complain(f"{showing.broken}: stopped; go on with: workbench run --resume {name_to_type(directory, settings)}")
    if phases and not as_json and not quiet and (measured := read_phases(directory.profile)) is not None:
        for line in step_lines(measured, terminal_width() if on_terminal() else 80):
            say(line)
    if settings.debug and state == "failed" and (text := _written_since(directory.log_file, logged)):
        complain(text)
    return state


def _same_file(out: IO[str], log: Path) -> bool:
    """Whether what is printed goes to the log, as that of a process in the background does."""
    try:
        return os.path.samestat(os.fstat(out.fileno()), os.stat(log))
    except (OSError, ValueError):
        return False


def _written_since(log: Path, start: int) -> str:
    try:
        descriptor = open_regular(log)
    except OSError:
        return ""
    try:
        return os.pread(descriptor, MIDDLING, start).decode(errors="replace").rstrip()
    finally:
        os.close(descriptor)


class _Showing:
    """Hands events to a display until nobody reads any more; then the run is stopped, with a checkpoint."""

    def __init__(self, display: Display, control: Control) -> None:
        self.display = display
        self.control = control
        self.broken = ""

    def __call__(self, event: Event) -> None:
        if self.broken:
            return
        try:
            self.display.take(event)
        except (OSError, ValueError) as error:
            full = isinstance(error, OSError) and error.errno in FULL
            self.broken = f"what is printed cannot be written ({error})" if full else "nobody reads any more"
            self.control.stop()


def name_to_type(directory: RunDirectory, settings: Settings) -> str:
    """What to type for a run: its name where that is enough, else its path."""
    return directory.name if settings.runs_option is None else str(directory.path)


def leave_running(directory: RunDirectory, settings: Settings, device: str, as_json: bool, *, checks: bool) -> None:
    pid = launch(directory, device, settings.data_root, directory.started(), _absolute(settings.plugins), checks=checks)
    if as_json:
        say_json({"run": directory.name, "path": directory.path.resolve(), "pid": pid})
    elif on_terminal():
        say(f"{directory.name} trains in the background (pid {pid})")
        say(f"follow it with: workbench watch {name_to_type(directory, settings)}")
        say(f"end it with:    workbench stop {name_to_type(directory, settings)}")
    else:
        say(directory.name)
        complain(f"follow it with: workbench watch {name_to_type(directory, settings)}")


def _absolute(paths: list[Path]) -> list[Path]:
    return [path.resolve() for path in paths]
