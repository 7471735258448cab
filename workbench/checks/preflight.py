"""The checks before a run's first step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.checks.base import Check, Result, chosen, failed
from workbench.events import CheckFinished
from workbench.recipe import Recipe
from workbench.recipe.execution import Execution, execution

if TYPE_CHECKING:
    import torch

    from workbench.engine.build import Build


def preflight(build: Build) -> Iterator[CheckFinished]:
    """Check a build that has not been trained; it and torch's generators stay as they are."""
    for spec, result in _results(build, chosen(build.recipe, "before")):
        yield spec.event(result)


def preflight_report(
    recipe: Recipe,
    device: str | torch.device,
    data_root: Path,
    only: Iterable[str] = (),
    *,
    everything: bool = False,
) -> dict[str, Any]:
    """Build a recipe, check it, and say everything in one object of plain values.

    Keys: parameters, parameters_by_part, multiply_adds (of one image; None where they cannot be counted), initial_loss,
    expected_initial_loss (nats), steps, steps_per_epoch, execution (how steps run: asked, mode, why, in_words),
    checks (id, name, verdict, expected, found, reason, advice each), figures (by the id of the check: what some of them
    have for programs), notes (what the device has in place of what the recipe says, what is odd about the data). Where
    the data cannot be read, that is a check that failed; what it takes data to know is None.
    only, everything: see :func:`workbench.checks.base.chosen`.
    Raises RecipeError, NoStep or BuildError, as :func:`workbench.engine.build.build` does.
    """
    from workbench.data.base import DataError, NoStep
    from workbench.engine.build import build
    from workbench.engine.device_fallback import resolve_for_device

    recipe, notes = resolve_for_device(recipe, device)
    specs = chosen(recipe, "before", only, everything=everything)
    try:
        built = build(recipe, device, data_root)
    except NoStep:
        raise
    except DataError as error:
        return _without_data(recipe, device, str(error), specs) | {"notes": notes}
    try:
        return report(built, specs) | {"notes": [*notes, *built.dataset.notes]}
    finally:
        built.close()


def report(built: Build, specs: list[Check] | None = None) -> dict[str, Any]:
    """The same for a build that exists already. specs: the checks to make; those that are on if left out."""
    from workbench.checks.initial_loss import measure_initial_loss
    from workbench.engine.build import parameter_counts
    from workbench.engine.cost import multiply_adds

    counts = parameter_counts(built.model)
    results = list(_results(built, chosen(built.recipe, "before") if specs is None else specs))
    figures = {spec.name: dict(result.figures) for spec, result in results if result.figures}
    loss = figures.get("initial_loss") or asdict(measure_initial_loss(built))
    return {
        "parameters": sum(counts.values()),
        "parameters_by_part": counts,
        "multiply_adds": multiply_adds(built.model, built.dataset.shape),
        "initial_loss": loss["found"],
        "expected_initial_loss": loss["expected"],
        "steps": built.steps,
        "steps_per_epoch": built.steps_per_epoch,
        "execution": _in_plain(built.execution),
        "checks": [_plain(spec.event(result)) for spec, result in results],
        "figures": {name: values for name, values in figures.items() if name != "initial_loss"},
    }


def _in_plain(how: Execution) -> dict[str, str]:
    return {**asdict(how), "in_words": str(how)}


def _without_data(recipe: Recipe, device: str | torch.device, problem: str, specs: list[Check]) -> dict[str, Any]:
    """What can be said of a recipe whose data cannot be read."""
    from workbench.engine.build import parameter_counts
    from workbench.engine.cost import multiply_adds_of_last
    from workbench.engine.summary import summary_of_unseen

    reason, _, advice = problem.partition("; ")
    expected = f"the data set '{recipe.data.source}'"
    checks = [
        CheckFinished(
            id="data",
            name="data",
            verdict="fail",
            expected=expected,
            found="none that can be read",
            reason=reason,
            advice=advice,
        )
    ]
    keys = ("parameters", "parameters_by_part", "multiply_adds", "initial_loss", "expected_initial_loss", "steps")
    found: dict[str, Any] = dict.fromkeys((*keys, "steps_per_epoch")) | {"parameters_by_part": {}, "figures": {}}
    images = None
    known = recipe.data_source.known()  # type: ignore[attr-defined]
    if known is not None:
        sketch = summary_of_unseen(recipe, known)
        images = sketch.training_images
        counts = parameter_counts(sketch.model)
        possible = [spec for spec in specs if not spec.needs_data]
        results = [(spec, spec.examine(sketch)) for spec in possible]  # type: ignore[arg-type]
        checks += [spec.event(result) for spec, result in results if result is not None]
        found |= {
            "parameters": sum(counts.values()),
            "parameters_by_part": counts,
            "multiply_adds": multiply_adds_of_last(sketch.model, sketch.image_shape),
            "steps": sketch.steps,
            "steps_per_epoch": sketch.steps_per_epoch,
        }
    how = execution(recipe, str(device), images)
    return found | {"execution": _in_plain(how), "checks": [_plain(check) for check in checks]}


def _results(build: Build, specs: list[Check]) -> Iterator[tuple[Check, Result]]:
    import torch

    build.training_inputs(
        build.pipeline.batch(0, 0), build.context(0)
    )  # an augmentation that breaks shall break before the run
    for spec in specs:
        with torch.random.fork_rng(devices=[build.device] if build.device.type == "cuda" else []), _nothing_sought():
            try:
                result = spec.examine(build)
            except Exception as error:
                result = failed(error)
        if result is not None:
            yield spec, result


@contextmanager
def _nothing_sought() -> Iterator[None]:
    """cuDNN takes the algorithms that it thinks the fastest: trying all would take longer than what a check does."""
    import torch

    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, False
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def _plain(check: CheckFinished) -> dict[str, str]:
    return {name: getattr(check, name) for name in ("id", "name", "verdict", "expected", "found", "reason", "advice")}
