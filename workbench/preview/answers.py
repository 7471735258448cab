"""What the preview process computes, with the engine's own code. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from workbench.checks.preflight import report
from workbench.engine.build import Build, build, parameter_counts
from workbench.preview.protocol import Checks, Reply, Request, Static
from workbench.recipe import Recipe, read_recipe
from workbench.recipe.plugins import load_plugin

POINTS = 200
"""Points of the learning-rate curve."""


class Answers:
    """Answers requests; remembers the last data set, so that a toggle does not read it again."""

    def __init__(self) -> None:
        self._source: _Remembered | None = None

    def __call__(self, request: Request) -> Iterator[Reply]:
        """Yield the wanted stages. Raises what reading, loading and building raise."""
        for plugin in request.plugins:
            load_plugin(Path(plugin))
        recipe = self._remembering(read_recipe(request.recipe))
        built = build(recipe, request.device, Path(request.data_root))
        try:
            if "static" in request.stages:
                yield static(request.id, built)
            if "checks" in request.stages:
                found = report(built)
                yield Checks(request.id, found["initial_loss"], found["expected_initial_loss"], found["checks"])
        finally:
            built.close()

    def _remembering(self, recipe: Recipe) -> Recipe:
        if self._source is None or not self._source.same(recipe.data_source):
            self._source = _Remembered(recipe.data_source)
        return recipe.model_copy(update={"data_source": self._source})


class _Remembered:
    """A data source that reads its files once for each place."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._loaded: dict[Path, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def same(self, source: Any) -> bool:
        return type(source) is type(self._source) and bool(source == self._source)

    def load(self, root: Path, report: Callable[[str], None] = lambda message: None) -> Any:
        if root not in self._loaded:
            self._loaded = {root: self._source.load(root, report)}
        return self._loaded[root]


def static(number: int, built: Build) -> Static:
    """Parameters, steps and the learning-rate curve of a build."""
    counts = parameter_counts(built.model)
    rates = [(s / built.steps_per_epoch, built.learning_rate(s)) for s in sample_steps(built.steps)]
    return Static(
        id=number,
        parameters=sum(counts.values()),
        parameters_by_part=counts,
        steps_per_epoch=built.steps_per_epoch,
        steps=built.steps,
        learning_rates=[[round(epoch, 4), float(f"{rate:.6g}")] for epoch, rate in rates],
    )


def sample_steps(steps: int, points: int = POINTS) -> list[int]:
    """At most ``points`` steps from 0 to the last, evenly."""
    if steps <= points:
        return list(range(steps))
    return [round(i * (steps - 1) / (points - 1)) for i in range(points)]
