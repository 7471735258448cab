"""The run on the Run screen, whoever trains it."""

from __future__ import annotations

import math

from workbench.events import Diverged, Failed, PhasesMeasured
from workbench.format import duration
from workbench.profiling.saved import Saved
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.machine import Sample
from workbench.runs.store.status import ACTIVE, ENDED, Status
from workbench.sentences import Sentence
from workbench.tui.run.follower import Follower, Pinned, Waiting
from workbench.tui.run.view import RunView
from workbench.visible import shortened

BEGINS_WITHIN = 5.0
"""Seconds after which a run without a status is not one that begins just now."""

REASON = 300
"""Characters of a reason that leave room for what to do about it; the log has more of it."""


class Tracked:
    """A follower and what its readings add up to."""

    def __init__(self, run: RunDirectory, interval: float = 1.0) -> None:
        self.run = run
        self.view = RunView()
        self.state = "queued"
        self.status: Status | None = None
        self.waiting: Waiting | None = None
        self.saved = Saved()
        self.pinned = Pinned()
        self.asked = ""
        self.problem = ""
        self._checkpoints = 0
        self._read = False
        self._was_live = self._ended = False
        self._follower = Follower(run, interval)

    def start(self) -> None:
        """Begin to follow."""
        self._follower.start()

    def follow_every(self, seconds: float) -> None:
        """Read that often from now on."""
        self._follower.interval = seconds

    def stop(self) -> None:
        """Stop following."""
        self._follower.stop()

    def hurry(self) -> None:
        """Read now instead of at the next turn."""
        self._follower.hurry()

    def ask(self, what: str) -> None:
        """Something was asked of the run and is shown until it is done."""
        self.asked = what
        self._checkpoints = self.view.checkpoints
        self._follower.hurry()

    def drain(self) -> bool:
        """Take in what is new; False if nothing is."""
        changed = False
        for reading in self._follower.take():
            changed |= bool(reading.events or reading.log or reading.fresh or reading.state != self.state)
            changed |= reading.status != self.status or bool(reading.machine)
            if reading.fresh is not None:
                self.view = reading.fresh
            else:
                self.view.feed(reading.events)
                self.view.feed_machine(reading.machine)
            for text in reading.log:
                self.view.say(Sentence(text, "quiet"))
            changed |= reading.waiting != self.waiting or reading.saved is not None
            self.saved = reading.saved or self.saved
            changed |= reading.pinned is not None
            self.pinned = reading.pinned or self.pinned
            changed |= reading.problem != self.problem
            self.problem = reading.problem
            self._read = True
            self.state, self.status, self.waiting = reading.state, reading.status, reading.waiting
            self._was_live |= self.live
            if self._was_live and self.state in ENDED:
                self._was_live, self._ended = False, True
        if self.asked and self._done():
            self.asked, changed = "", True
        return changed

    def ended_now(self) -> bool:
        """Whether the run has come to an end since this was asked last, having been seen alive before."""
        ended, self._ended = self._ended, False
        return ended

    def _done(self) -> bool:
        match self.asked:
            case "pause":
                return self.state != "running"
            case "continue":
                return self.state != "paused"
            case "checkpoint":
                return self.view.checkpoints > self._checkpoints or self.state not in ACTIVE
            case _:
                return self.state not in ACTIVE

    def elapsed(self, now: float) -> float:
        """Seconds since the run's first event; before it, since its process started; nan while it waits for that."""
        if self.waiting is not None:
            return math.nan
        if self.view.begun or self.status is None:
            return self.view.elapsed(now)
        return max(0.0, now - self.status.started)

    @property
    def live(self) -> bool:
        """Whether there is still something to wait for."""
        return self.state in ACTIVE

    @property
    def waits(self) -> bool:
        """Whether it stands in the queue."""
        return self.waiting is not None

    @property
    def phases(self) -> PhasesMeasured | None:
        """Where the time of its steps goes, as measured last."""
        return self.view.phases

    @property
    def sample(self) -> Sample | None:
        """What its machine does just now."""
        return self.view.machine.newest

    def can_go_on(self, now: float) -> bool:
        """Whether it stands still and a process of this machine could take it up where it is."""
        if self.problem or not self._read:
            return False
        return self.view.goes_on(self.state) or self._never_started(now)

    def _never_started(self, now: float) -> bool:
        idle = self._read and self.state == "queued" and self.status is None and self.waiting is None
        return idle and now - self.run.created > BEGINS_WITHIN

    @property
    def known(self) -> bool:
        """Whether its directory was read already."""
        return self._read

    @property
    def loads(self) -> bool:
        """Whether nothing was learned yet, so that there is nothing to draw."""
        return self.view.trained is None and self.waiting is None

    def advice(self, now: float, key: str = "c") -> tuple[str, str]:
        """Why the run stands still and what to do; two empty texts if all is well. key: that makes it go on."""
        name, ended = self.run.name, self.view.ended
        if self.problem:
            return f"{self.problem}.", ""
        resume = f"{key}, or workbench run --resume {name}"
        if isinstance(ended, Diverged):
            bf16 = "bf16 in mixed_precision needs no loss scale. " if ended.what == "loss scale" else ""
            return (
                f"Diverged at step {ended.step:,}: {shortened(ended.reason, REASON)}.",
                f"{bf16}Change the recipe in Compose (1), switch on gradient_clipping for instance, and run again (r).",
            )
        if isinstance(ended, Failed) or self.state == "failed":
            text = ended.error if isinstance(ended, Failed) else self.status.message if self.status else ""
            again = "Change the recipe in Compose (1) and run again (r)"
            what = f"{again}, or go on with: {resume}" if self.view.goes_on("failed") else f"{again}."
            return f"Failed: {shortened(text, REASON)}", what
        if self.waiting is not None:
            if self.waiting.what == "its start":
                return "Queued; it begins now.", ""
            return f"Queued, place {self.waiting.place}: waits for {self.waiting.what}.", "s takes it out of the queue."
        if self._never_started(now):
            return "This run was never started.", f"Start it with: {resume}"
        if self.state == "lost":
            return "The process that trained this run is gone.", f"Go on from its last checkpoint with: {resume}"
        if self.state == "stalled":
            age = duration(now - self.status.heartbeat) if self.status else "a while"
            return f"No sign of life for {age}, though its process exists.", "It may be waiting for a disk or a device."
        if self.state == "stopped":
            return "Stopped at a checkpoint.", f"Go on with: {resume}"
        if self.state == "unknown":
            if self.status is not None and not self.status.host:
                return f"{self.status.message}.", ""
            host = self.status.host if self.status else "another machine"
            return f"This run belongs to {host}; whether it is alive cannot be seen from here.", ""
        if failing := self.view.failing():
            more = f" (+{len(failing) - 1} more)" if len(failing) > 1 else ""
            return f"{failing[0].name} failed{more}: {failing[0].reason}.", _sentence(failing[0].advice)
        return "", ""


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""
