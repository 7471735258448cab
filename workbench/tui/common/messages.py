"""What other threads tell the app: past events, posted and never waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.message import Message

from workbench.devices import Gpu, Trouble
from workbench.preview.protocol import Reply
from workbench.runs.directory import RunDirectory
from workbench.runs.speed import Speed
from workbench.tui.app.training import Training
from workbench.tui.compose.preview_client import PreviewEnded

if TYPE_CHECKING:
    from workbench.tui.common.dialogs import ConfirmScreen
    from workbench.tui.profile.profiling import Heard, ProfileChild
    from workbench.tui.runs.lister import Reading


class PreviewHeard(Message):
    """The preview process said something."""

    def __init__(self, reply: Reply | PreviewEnded) -> None:
        super().__init__()
        self.reply = reply


class ProfileHeard(Message):
    """A measurement of the composed recipe said something."""

    def __init__(self, child: ProfileChild, heard: Heard) -> None:
        super().__init__()
        self.child = child
        self.heard = heard


class LiveRunSeen(Message):
    """A run that is at work already was found when the screens opened."""

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self.run = run


class TrainingMoved(Message):
    """The training thread has made its run, or has ended."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training


class GpusSeen(Message):
    """What the driver says about the GPUs, and why they cannot be used, if so."""

    def __init__(self, gpus: list[Gpu], trouble: Trouble | None) -> None:
        super().__init__()
        self.gpus = gpus
        self.trouble = trouble


class SpeedsRead(Message):
    """How fast the runs in the folder were."""

    def __init__(self, speeds: list[Speed]) -> None:
        super().__init__()
        self.speeds = speeds


class DeviceFree(Message):
    """A GPU that no run holds was found, for a run that is wanted while another is being trained here.

    dialog: the question that it is for.
    """

    def __init__(self, dialog: ConfirmScreen, device: str) -> None:
        super().__init__()
        self.dialog = dialog
        self.device = device


class RunSent(Message):
    """A run was queued or started in another process, or could not be; one line for the user."""

    def __init__(self, text: str, *, failed: bool = False) -> None:
        super().__init__()
        self.text = text
        self.failed = failed


class QueueMoved(Message):
    """The queue began a run, could not begin one, or goes on; one line for the user."""

    def __init__(self, text: str, run: RunDirectory | None = None, *, failed: bool = False) -> None:
        super().__init__()
        self.text = text
        self.run = run
        self.failed = failed


class RunsRead(Message):
    """The folder of runs was looked at."""

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.reading = reading


class ThreadBroke(Message):
    """An exception ended one of the app's own threads; one line for the user."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class WorkDone(Message):
    """A thread has done some work; ``then`` goes on with it on the screen."""

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__()
        self.then = then
