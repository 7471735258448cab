"""How runs differ: in their recipes, in a few words or key by key, and in what came out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.format import bare
from workbench.paths import known_recipes
from workbench.recipe import Change, Recipe, RecipeError, difference, read_recipe_file
from workbench.recipe.difference import ABSENT
from workbench.runs.find.catalog import Entry
from workbench.runs.store.status import Status
from workbench.storage.file_cache import FileCache

NOT_COMPARED = ("seed", "train.threads", "plugins")
"""What distinguishes two runs of one recipe without making another recipe of it."""

SAME_NUMBERS = {"auto", "off", "graph"}
"""Values of ``train.compile`` with which the same operations are done."""

KEPT = 512
"""Recipes that are remembered."""


@dataclass(frozen=True)
class Metric:
    """A figure of a run. better: 1 where more is better, -1 where less is, 0 where neither.

    kind: "share" (of 1), "loss" (nats), "seconds", "rate" (images per second) or "count".
    """

    name: str
    kind: str
    better: int
    read: Callable[[Status], float | None]

    def of(self, entry: Entry) -> float | None:
        """The figure; None while it is unknown."""
        return self.read(entry.status) if entry.status is not None else None


METRICS = (
    Metric("test accuracy", "share", 1, lambda s: s.test_accuracy),
    Metric("test loss", "loss", -1, lambda s: s.test_loss),
    Metric("best validation", "share", 1, lambda s: s.best),
    Metric("training loss", "loss", 0, lambda s: s.loss),
    Metric("training time", "seconds", -1, lambda s: s.seconds),
    Metric("images/s", "rate", 1, lambda s: s.images_per_second),
    Metric("steps", "count", 0, lambda s: s.step),
)


def metric_change(metric: Metric, before: float | None, after: float | None) -> str:
    """From one figure to another: points of a share, nats, else per cent; "" where one of them is unknown."""
    if before is None or after is None:
        return ""
    if metric.kind == "share":
        return f"{100 * (after - before):+.2f}"
    if metric.kind == "loss":
        return f"{after - before:+.4f}"
    return f"{100 * (after / before - 1):+.0f} %" if before else ""


@dataclass(frozen=True)
class Facts:
    """What the recipe of a run says: what distinguishes it, in a few words, and its seed.

    problem: why the recipe cannot be read; one line.
    """

    words: str = ""
    seed: int | None = None
    problem: str = ""


class RecipeCache:
    """Recipes of runs and those that they are compared with; a file is read again only when it has changed."""

    def __init__(self) -> None:
        self._read: FileCache[Path, Recipe | RecipeError] = FileCache(KEPT)
        self._facts: FileCache[tuple[Path, ...], Facts] = FileCache(4 * KEPT)

    def read(self, path: Path) -> Recipe:
        """A recipe file. Raises RecipeError."""
        found = self._read.get(path, (path,), lambda before: _read(path))
        if isinstance(found, RecipeError):
            raise found
        return found

    def facts(self, entries: Iterable[Entry], baseline: Path | None) -> dict[str, Facts]:
        """For each run by name: how its recipe differs from the baseline's, or from the known one of its name.

        baseline: the recipe file of the baseline.
        """
        known = known_recipes() if baseline is None else {}
        return {entry.name: self._facts_of(entry, baseline or known.get(entry.recipe)) for entry in entries}

    def _facts_of(self, entry: Entry, reference: Path | None) -> Facts:
        path = entry.run.recipe_file
        files = (path,) if reference is None else (path, reference)
        return self._facts.get(files, files, lambda before: self._compare(path, reference))

    def _compare(self, path: Path, reference: Path | None) -> Facts:
        try:
            recipe = self.read(path)
        except RecipeError as error:
            return Facts(problem=str(error.problems[0]))
        try:
            before = recipe if reference is None else self.read(reference)
        except RecipeError:
            before = recipe
        return Facts(in_few_words(changes(before, recipe)), recipe.seed)


def _read(path: Path) -> Recipe | RecipeError:
    try:
        return read_recipe_file(path, consistent=False)
    except RecipeError as error:
        return error


def changes(before: Recipe, after: Recipe) -> list[Change]:
    """What distinguishes two recipes, seeds, threads and how steps are executed to the same numbers left out.

    A technique that is on in one only is one change, with its values; so is another model.
    """
    found = [
        change
        for change in difference(before, after)
        if change.path not in NOT_COMPARED
        and not (change.path == "train.compile" and {change.before, change.after} <= SAME_NUMBERS)
    ]
    other_model = any(change.path == "model.name" for change in found)
    switched = [c.path for c in found if c.path.startswith("techniques.") and c.path.count(".") == 1]
    kept = []
    for change in found:
        parent = change.path.rpartition(".")[0]
        if parent in switched or (other_model and parent == "model" and change.path != "model.name"):
            continue
        if change.path in switched:
            values = [c for c in found if c.path.startswith(f"{change.path}.")]
            change = Change(change.path, _values(change.before, values, 0), _values(change.after, values, 1))
        kept.append(change)
    return kept


def _values(value: Any, parameters: Sequence[Change], side: int) -> Any:
    """``on`` with its values, or the mark of absence."""
    if value == ABSENT:
        return ABSENT
    words = [f"{c.path.rpartition('.')[2]} {bare((c.before, c.after)[side])}" for c in parameters]
    return ", ".join(words) or "on"


def in_few_words(found: Sequence[Change]) -> str:
    """``+cutout −cosine sgd.learning_rate 0.1→0.2``: techniques that came and went, then other values."""
    added = [f"+{_short(c.path)}" for c in found if c.before == ABSENT and c.path.startswith("techniques.")]
    gone = [f"−{_short(c.path)}" for c in found if c.after == ABSENT and c.path.startswith("techniques.")]
    rest = [
        f"{_short(c.path)} {bare(c.before)}→{bare(c.after)}"
        for c in found
        if not (c.path.startswith("techniques.") and ABSENT in (c.before, c.after))
    ]
    return " ".join([*added, *gone, *rest])


def _short(path: str) -> str:
    head, _, rest = path.partition(".")
    if path == "model.name":
        return "model"
    return rest if head in ("techniques", "train", "data") else path


@dataclass(frozen=True)
class Comparison:
    """Several runs beside the first of them. Each row has a name and one value a run, in their order."""

    runs: tuple[Entry, ...]
    recipe: tuple[tuple[str, tuple[Any, ...]], ...]
    metrics: tuple[tuple[Metric, tuple[float | None, ...]], ...]


def compare(entries: Sequence[Entry], recipes: RecipeCache) -> Comparison:
    """Compare runs with the first of them: the keys in which a recipe differs, and the figures that any of them has.

    Raises RecipeError where a recipe cannot be read.
    """
    first, *others = [recipes.read(entry.run.recipe_file) for entry in entries]
    found = [{change.path: change for change in difference(first, other)} for other in others]
    order = list(dict.fromkeys(path for one in found for path in one if path not in NOT_COMPARED[1:]))
    rows = []
    for path in order:
        before = next(one[path].before for one in found if path in one)
        values = (before, *(one[path].after if path in one else before for one in found))
        switch = path.rpartition(".")[0]
        alike = len({repr(value) for value in values if value != ABSENT}) == 1
        if not (switch in order and alike):  # a technique's values come and go with it
            rows.append((path, values))
    figures = [(metric, tuple(metric.of(entry) for entry in entries)) for metric in METRICS]
    known = [(metric, values) for metric, values in figures if any(value is not None for value in values)]
    return Comparison(tuple(entries), tuple(rows), tuple(known))
