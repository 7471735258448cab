"""The checks during a run: they look on while it trains, and speak when their verdict changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.checks.base import Check, CheckObserver, Result, failed
from workbench.events import CheckFinished, Trained, Verdict

if TYPE_CHECKING:
    from workbench.checks.outcome import Outcome
    from workbench.engine.build import Build
    from workbench.engine.replay import Finding
    from workbench.step import StepContext

RARER = 10
"""Looks into steps are so much rarer where these are recorded: one that is looked into runs without its graph."""


class Watching:
    """Some checks at work on one training."""

    def __init__(self, build: Build, specs: Iterable[Check], folder: Path | None = None) -> None:
        self._folder = folder
        self._verdicts: dict[str, Verdict] = {}
        self._watches: list[tuple[Check, CheckObserver]] = []
        for spec in specs:
            watch = spec.watch(build)
            if build.execution.recorded and hasattr(spec, "every") and _looks_into_steps(watch):
                spec = spec.model_copy(update={"every": RARER * spec.every})
                watch = spec.watch(build)
            if watch is not None:
                self._watches.append((spec, watch))

    def due(self, context: StepContext) -> bool:
        """Whether one of them sees something in this step."""
        return any(watch.due(context) for _, watch in self._watches)

    def observe(self, context: StepContext) -> None:
        """Have those look that see something in it."""
        for _, watch in self._watches:
            if watch.due(context):
                watch.observe(context)

    def judge(self, trained: Trained) -> Iterator[CheckFinished]:
        """What changed at a point of the curves."""
        for spec, watch in self._watches:
            yield from self._changed(spec, partial(watch.judge, trained))

    def diverged(self, finding: Finding) -> Iterator[CheckFinished]:
        """What there is to say of a training that diverged."""
        for spec, watch in self._watches:
            yield from self._changed(spec, partial(watch.diverged, finding, self._folder))

    def review(self, outcome: Outcome) -> Iterator[CheckFinished]:
        """The last words of those that have one, whether their verdict is another or the same on other grounds."""
        for spec, watch in self._watches:
            yield from self._changed(spec, partial(watch.review, outcome), always=True)

    def unjudged(self) -> Iterator[CheckFinished]:
        """Those that have said nothing until the end of the run, most of them that they could not judge."""
        for spec, watch in self._watches:
            if spec.name not in self._verdicts:
                yield from self._changed(spec, watch.stopped)

    def state_dict(self) -> dict[str, Any]:
        """Verdicts and what the checks remember, as plain values."""
        return {
            spec.name: {
                "verdict": self._verdicts.get(spec.name),
                **{name: _plain(getattr(watch, name)) for name in watch.remembers},
            }
            for spec, watch in self._watches
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a part of the run ended; checks that it did not have begin anew."""
        for spec, watch in self._watches:
            kept = state.get(spec.name, {})
            if kept.get("verdict") is not None:
                self._verdicts[spec.name] = kept["verdict"]
            for name in watch.remembers:
                if name in kept:
                    value, present = kept[name], getattr(watch, name)
                    setattr(watch, name, deque(value, present.maxlen) if isinstance(present, deque) else value)

    def _changed(
        self, spec: Check, ask: Callable[[], Result | None], *, always: bool = False
    ) -> Iterator[CheckFinished]:
        try:
            result = ask()
        except Exception as error:
            result = failed(error)
        if result is not None and (always or self._verdicts.get(spec.name) != result.verdict):
            self._verdicts[spec.name] = result.verdict
            yield spec.event(result)


def _looks_into_steps(watch: CheckObserver | None) -> bool:
    return watch is not None and type(watch).due is not CheckObserver.due


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, deque) else value
