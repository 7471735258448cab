"""What other threads tell the app: past events, posted and never waited for."""

from __future__ import annotations

from textual.message import Message

from workbench.devices import Gpu
from workbench.preview.protocol import Reply
from workbench.runs.speed import Speed
from workbench.tui.preview_client import PreviewEnded
from workbench.tui.training import Training


class PreviewHeard(Message):
    """The preview process said something."""

    def __init__(self, reply: Reply | PreviewEnded) -> None:
        super().__init__()
        self.reply = reply


class TrainingMoved(Message):
    """The training thread has made its run, or has ended."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training


class GpusSeen(Message):
    """What the driver says about the GPUs."""

    def __init__(self, gpus: list[Gpu]) -> None:
        super().__init__()
        self.gpus = gpus


class SpeedsRead(Message):
    """How fast the runs in the folder were."""

    def __init__(self, speeds: list[Speed]) -> None:
        super().__init__()
        self.speeds = speeds
