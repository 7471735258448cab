"""What a run does before its first loss, stage by stage, where its charts will be."""

from __future__ import annotations

from textual.content import Content

from workbench.format import duration
from workbench.runs.store import status as stages
from workbench.runs.store.status import Stage
from workbench.tui.common.texts import MUTED, NOTHING, Part
from workbench.tui.run.tracking import Tracked

WORDS = {
    stages.PROCESS: "starting a process",
    stages.TORCH: "loading torch",
    stages.CHECKPOINT: "reading the checkpoint",
    stages.DATA: "reading the images",
    stages.NETWORK: "building the network",
    stages.THREADS: "choosing the number of threads",
    stages.CHECKS: "checking the recipe",
    stages.STEPS: "first steps",
}

SOMETIMES = (stages.PROCESS, stages.CHECKPOINT)
"""Not every run has them: they are shown once they have begun."""


def loading(tracked: Tracked, now: float) -> Content:
    """The stages that are over, that at work and those to come, with their seconds up to ``now``."""
    if not tracked.known:
        return NOTHING
    done = tracked.status.stages if tracked.status is not None else ()
    if not tracked.live and not done:
        return Content.styled("It ended before its first loss: there is nothing to draw.", MUTED)
    if not done and tracked.status is not None and tracked.state == "queued":
        done = (Stage(stages.PROCESS, tracked.status.started),)
    until = now if tracked.live else tracked.status.heartbeat if tracked.status is not None else now
    parts: list[Part] = [("Before the first loss\n\n", "bold")]
    for number, stage in enumerate(done, 1):
        over = number < len(done)
        ends = done[number].began if over else until
        sign, style = ("✓", "$success") if over else ("●", "bold $primary") if tracked.live else ("✗", "bold $error")
        seconds = max(0.0, ends - stage.began)
        words = WORDS.get(stage.name, stage.name)
        parts += [(f"{sign} ", style), (f"{words:<32}", "" if over else "bold"), (f"{_brief(seconds):>8}\n", MUTED)]
    if tracked.live:
        begun = {stage.name for stage in done}
        last = max((stages.STAGES.index(name) for name in begun if name in stages.STAGES), default=-1)
        parts += [(f"· {WORDS[name]}\n", MUTED) for name in stages.STAGES[last + 1 :] if name not in SOMETIMES]
        parts.append(("\nThe charts begin with the first loss.", MUTED))
    return Content.assemble(*parts)


def at_work(tracked: Tracked) -> str:
    """The stage that a live run is in before its next loss; "" once there is one."""
    done = tracked.status.stages if tracked.status is not None and tracked.live else ()
    return WORDS.get(done[-1].name, done[-1].name) if done else ""


def _brief(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)
