"""The checks before a run's first step."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from workbench.checks.initial_loss import InitialLoss, judge_initial_loss, measure_initial_loss
from workbench.checks.input_statistics import check_input_statistics
from workbench.checks.parameter_count import check_parameter_count
from workbench.engine.build import Build, build, parameter_counts
from workbench.engine.cost import multiply_adds
from workbench.events import CheckFinished
from workbench.recipe import Recipe


def preflight(build: Build) -> Iterator[CheckFinished]:
    """Check a build that has not been trained; it and torch's generators stay as they are."""
    yield from _checks(build, measure_initial_loss(build))


def preflight_report(recipe: Recipe, device: str | torch.device, data_root: Path) -> dict[str, Any]:
    """Build a recipe, check it, and say everything in one object of plain values.

    Keys: parameters, parameters_by_part, multiply_adds (of one image; None where they cannot be counted), initial_loss,
    expected_initial_loss (nats), checks (name, verdict, expected, found, reason each).
    Raises what :func:`workbench.engine.build.build` raises.
    """
    built = build(recipe, device, data_root)
    try:
        return report(built)
    finally:
        built.close()


def report(built: Build) -> dict[str, Any]:
    """The same for a build that exists already."""
    counts = parameter_counts(built.model)
    loss = measure_initial_loss(built)
    fields = ("name", "verdict", "expected", "found", "reason")
    return {
        "parameters": sum(counts.values()),
        "parameters_by_part": counts,
        "multiply_adds": multiply_adds(built.model, built.dataset.shape),
        "initial_loss": loss.found,
        "expected_initial_loss": loss.expected,
        "checks": [{f: dataclasses.asdict(check)[f] for f in fields} for check in _checks(built, loss)],
    }


def _checks(build: Build, loss: InitialLoss) -> Iterator[CheckFinished]:
    build.prepare(build.pipeline.batch(0, 0), build.moment(0))  # an augmentation that breaks shall break before the run
    yield check_input_statistics(build)
    yield judge_initial_loss(loss)
    count = check_parameter_count(build)
    if count is not None:
        yield count
