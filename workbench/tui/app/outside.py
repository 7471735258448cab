"""What the app asks of the world around it; a test puts its own answers in their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workbench.devices import Gpu, Trouble
from workbench.tui.app.descriptors import Descriptors
from workbench.tui.app.training import Execute


@dataclass(frozen=True)
class Outside:
    """gpus, trouble: ask the driver. The commands are started as processes of their own. descriptors: None where the
    terminal is not ours. execute: trains a run; None for the engine's own.
    """

    gpus: Callable[[], list[Gpu]]
    trouble: Callable[[], Trouble | None]
    doctor_command: Sequence[str]
    preview_command: Sequence[str]
    profile_command: Sequence[str]
    check_command: Sequence[str]
    descriptors: Descriptors | None
    execute: Execute | None
