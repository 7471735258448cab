"""What other threads tell the app: past events, posted and never waited for."""

from __future__ import annotations

from collections.abc import Callable

from textual.message import Message

from workbench.preview.protocol import Reply
from workbench.tui.preview_client import PreviewEnded
from workbench.tui.run_lister import Reading
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
    """What the driver says about the GPUs, in a few words."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words


class RunsRead(Message):
    """The folder of runs was looked at."""

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.reading = reading


class WorkDone(Message):
    """A thread has done some work; ``then`` goes on with it on the screen."""

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__()
        self.then = then
