"""What other threads tell the app: past events, posted and never waited for."""

from __future__ import annotations

from textual.message import Message

from workbench.preview.protocol import Reply
from workbench.runs.directory import RunDirectory
from workbench.tui.preview_client import PreviewEnded
from workbench.tui.training import Training


class PreviewHeard(Message):
    """The preview process said something."""

    def __init__(self, reply: Reply | PreviewEnded) -> None:
        super().__init__()
        self.reply = reply


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
    """What the driver says about the GPUs, in a few words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words
