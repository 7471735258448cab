"""What the preview process computes, with the engine's own code. Imports torch."""

from __future__ import annotations

import base64
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.checks.preflight import report
from workbench.engine.build import build, parameter_counts
from workbench.engine.cost import multiply_adds_of_last
from workbench.engine.device_fallback import resolve_for_device
from workbench.engine.planned import planned
from workbench.engine.samples import samples
from workbench.engine.summary import BuildSummary, build_summary
from workbench.preview.protocol import Checks, PreviewRequest, Reply, Samples, Static
from workbench.recipe import Recipe, read_recipe
from workbench.recipe.plugins import load_plugin
from workbench.recipe.registries import TECHNIQUES


class Answers:
    """Answers requests, in as many threads as there are stages; remembers the last data set and what was counted last.

    Only ``checks`` draws from torch's global generator, and it is one thread.
    """

    def __init__(self) -> None:
        self._lock, self._counting = threading.Lock(), threading.Lock()
        self._warm = False
        self._source: _Remembered | None = None
        self._counted: dict[str, int | None] = {}

    def __call__(self, request: PreviewRequest) -> Reply:
        """Answer. Raises what reading, loading and building raise."""
        with self._lock:
            for plugin in request.plugins:
                load_plugin(Path(plugin))
            recipe = self._remembering(read_recipe(request.recipe))
        root = Path(request.data_root)
        if request.stage == "samples":
            pixels, labels = samples(recipe, root, request.count, request.side, request.roll, enlarge=request.enlarge)
            return Samples(
                request.id, pixels.shape[1], base64.b64encode(pixels.numpy().tobytes()).decode("ascii"), labels
            )
        if request.stage == "checks":
            return _checks(request, recipe, root)
        found = build_summary(recipe, root)
        answered = static(request.id, found, self._multiply_adds(found))
        if not self._warm:
            self._warm = True
            threading.Thread(target=_warm_up, args=(recipe, root), daemon=True, name="warm-up").start()
        return answered

    def _multiply_adds(self, found: BuildSummary) -> int | None:
        """Counting takes most of an answer's time, and most toggles leave the network as it is."""
        with self._counting:
            if found.architecture not in self._counted:
                self._counted = dict([*self._counted.items()][-8:])
                self._counted[found.architecture] = multiply_adds_of_last(found.model, found.image_shape)
            return self._counted[found.architecture]

    def _remembering(self, recipe: Recipe) -> Recipe:
        if self._source is None or not self._source.same(recipe.data_source):
            self._source = _Remembered(recipe.data_source)
        return recipe.model_copy(update={"data_source": self._source})


class _Remembered:
    """A data source that reads its files once for each place."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._loaded: dict[Path, Any] = {}
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def same(self, source: Any) -> bool:
        return type(source) is type(self._source) and bool(source == self._source)

    def load(self, root: Path, report: Callable[[str], None] = lambda message: None) -> Any:
        with self._lock:
            if root not in self._loaded:
                self._loaded = {root: self._source.load(root, report)}
            return self._loaded[root]


def static(number: int, found: BuildSummary, count: int | None) -> Static:
    """Parameters, multiply-adds, steps and the learning-rate curve."""
    parts = parameter_counts(found.model)
    return Static(
        id=number,
        parameters=sum(parts.values()),
        parameters_by_part=parts,
        multiply_adds=count,
        steps_per_epoch=found.steps_per_epoch,
        steps=found.steps,
        learning_rates=[
            [round(step / found.steps_per_epoch, 4), float(f"{rate:.6g}")]
            for step, rate in planned(found.learning_rate, found.steps, found.steps_per_epoch)
        ],
        training_images=found.training_images,
    )


def _warm_up(recipe: Recipe, root: Path) -> None:
    """Try every technique once while nobody waits: what it imports late takes up to half a second the first time."""
    for spec in TECHNIQUES:
        with contextlib.suppress(
            Exception
        ):  # some cannot stand beside this recipe; there is nothing to learn from that
            build_summary(recipe.with_technique(spec()), root)


def _checks(request: PreviewRequest, recipe: Recipe, root: Path) -> Checks:
    recipe, notes = resolve_for_device(recipe, request.device)
    built = build(recipe, request.device, root)
    try:
        found = report(built)
        notes = [*notes, *built.dataset.notes]
    finally:
        built.close()
    return Checks(request.id, found["initial_loss"], found["expected_initial_loss"], found["checks"], notes)
