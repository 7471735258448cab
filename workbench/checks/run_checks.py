"""The checks of one run from before its first step to after its last evaluation, as the training loop calls them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.checks.base import chosen, failed
from workbench.checks.outcome import Outcome, Predictions
from workbench.checks.preflight import preflight
from workbench.checks.watching import Watching
from workbench.engine.observer import Observer
from workbench.evaluation.results import write_results
from workbench.events import CheckFinished, Evaluated, Noted, Trained

if TYPE_CHECKING:
    from torch import Tensor

    from workbench.engine.build import Build
    from workbench.engine.replay import Finding
    from workbench.step import Batch, StepContext


class RunChecks(Observer):
    """One run's checks. on: false makes none, and leaves the results of the last evaluation as they are.

    folder: the run's directory, for what checks leave there; None: nowhere.
    """

    name = "checks"

    def __init__(self, build: Build, folder: Path | None = None, *, on: bool = True) -> None:
        self._build = build
        self._folder = folder
        self._on = on
        self._watching = Watching(build, chosen(build.recipe, "during") if on else (), folder)
        self._history: list[tuple[int, float]] = []
        self._predictions = Predictions()

    def before(self) -> Iterator[CheckFinished]:
        if self._on:
            yield from preflight(self._build)

    def due(self, context: StepContext) -> bool:
        return self._watching.due(context)

    def observe(self, context: StepContext) -> None:
        self._watching.observe(context)

    def trained(self, event: Trained) -> Iterator[CheckFinished]:
        self._history.append((event.step, event.accuracy))
        yield from self._watching.judge(event)

    def diverged(self, finding: Finding) -> Iterator[CheckFinished]:
        yield from self._watching.diverged(finding)
        yield from self._watching.unjudged()

    def stopped(self) -> Iterator[CheckFinished]:
        yield from self._watching.unjudged()

    def answered(self, batch: Batch, logits: Tensor) -> None:
        self._predictions.add(batch, logits)

    def evaluated(self, event: Evaluated) -> Iterator[CheckFinished | Noted]:
        results = self._predictions.results(self._build, event.step, event.loss, event.accuracy)
        if self._folder is not None:
            try:
                write_results(self._folder / "evaluation.json", results)
            except OSError as error:  # the weights are worth more, and are still to be saved
                yield Noted(message=str(error))
        outcome = Outcome(self._build, results, tuple(self._history))
        yield from self._watching.review(outcome)
        yield from self._watching.unjudged()
        for spec in chosen(self._build.recipe, "after") if self._on else ():
            try:
                result = spec.review(outcome)
            except Exception as error:
                result = failed(error)
            if result is not None:
                yield spec.event(result)

    def state_dict(self) -> dict[str, Any]:
        return self._watching.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._watching.load_state_dict(state)
