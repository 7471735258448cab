"""Known answers both ways: healthy recipes raise nothing, planted faults are caught with the right sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from workbench.checks.initial_loss import measure_initial_loss
from workbench.checks.preflight import preflight, preflight_report
from workbench.engine.build import Build, build
from workbench.events import CheckFinished
from workbench.recipe import read_recipe, read_recipe_file

RECIPES = Path(__file__).resolve().parent.parent.parent / "recipes"


@pytest.fixture
def make(digits_recipe: str, tmp_path: Path) -> Iterator[Callable[..., Build]]:
    made: list[Build] = []

    def _make(*overrides: str) -> Build:
        made.append(build(read_recipe(digits_recipe, overrides=overrides), "cpu", tmp_path))
        return made[-1]

    yield _make
    for one in made:
        one.close()


def checks(build: Build) -> dict[str, CheckFinished]:
    return {check.name: check for check in preflight(build)}


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("techniques.batch_norm.enabled=false",),
        ("techniques.he_init.fan=in",),
        ("techniques.he_init.fan=in", "techniques.batch_norm.enabled=false"),
        ("model.depth=2", "techniques.residual.enabled=true"),
        ("techniques.mixed_precision.dtype=bf16", "techniques.channels_last.enabled=true"),
        ("techniques.label_smoothing.smoothing=0.2",),
        ("data.validation=0.3", "data.pipeline=loader", "data.workers=0"),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_healthy_recipes_raise_nothing(make: Callable[..., Build], overrides: tuple[str, ...], seed: int) -> None:
    for check in checks(make(*overrides, f"seed={seed}")).values():
        assert check.verdict == "pass", check


def test_input_that_is_not_normalised_is_caught_by_both_checks(make: Callable[..., Build]) -> None:
    found = checks(make("data.normalise=none", "techniques.batch_norm.enabled=false"))
    assert found["input statistics"].verdict == "fail"
    assert 'set data.normalise = "dataset"' in found["input statistics"].advice
    assert found["initial loss"].verdict == "fail"
    assert "not normalised" in found["initial loss"].reason


def test_input_that_is_only_scaled_to_0_to_1_is_a_warning(make: Callable[..., Build]) -> None:
    found = checks(make("data.mean=[0.0, 0.0, 0.0]", "data.std=[1.0, 1.0, 1.0]"))
    assert found["input statistics"].verdict == "warn"
    assert "data.mean and data.std do not fit" in found["input statistics"].reason


def test_he_on_the_output_layer_moves_the_expectation_and_is_explained(make: Callable[..., Build]) -> None:
    build = make("techniques.he_init.fan=in", "techniques.batch_norm.enabled=false")
    loss = measure_initial_loss(build)
    assert loss.expected > math.log(10) + 0.5
    assert loss.expected == pytest.approx(math.log(10) + loss.spread, abs=0.5)
    check = checks(build)["initial loss"]
    assert check.verdict == "pass"
    assert "the spread of the first logits" in check.reason
    calm = measure_initial_loss(make("techniques.he_init.output_layer=false", "techniques.batch_norm.enabled=false"))
    assert calm.spread < 0.3 * loss.spread


def test_a_broken_initialisation_is_caught(make: Callable[..., Build]) -> None:
    build = make()
    with torch.no_grad():
        build.model.output.weight.mul_(1000)  # type: ignore[union-attr,operator]
    check = checks(build)["initial loss"]
    assert check.verdict == "warn"
    assert "sure of itself" in check.reason
    with torch.no_grad():
        build.model.output.weight.fill_(float("nan"))  # type: ignore[union-attr,operator]
    assert checks(build)["initial loss"].verdict == "fail"


def test_the_parameter_count_is_compared_with_the_claim(make: Callable[..., Build]) -> None:
    assert "parameters" not in checks(make())
    count = sum(p.numel() for p in make().model.parameters())
    assert checks(make(f"expect.parameters={count}"))["parameters"].verdict == "pass"
    wrong = checks(make(f"expect.parameters={count + 5}"))["parameters"]
    assert wrong.verdict == "fail"
    assert "-5 parameters" in wrong.reason
    assert "hidden" in wrong.reason


def test_checking_changes_neither_the_network_nor_the_generators(make: Callable[..., Build]) -> None:
    build = make("techniques.he_init.fan=in")
    before = {k: v.clone() for k, v in build.model.state_dict().items()}
    generator = torch.random.get_rng_state()
    list(preflight(build))
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert all(torch.equal(v, before[k]) for k, v in build.model.state_dict().items())


def test_the_report_is_plain_and_complete(digits_recipe: str, tmp_path: Path) -> None:
    report = preflight_report(read_recipe(digits_recipe), "cpu", tmp_path)
    numbers = {"parameters", "parameters_by_part", "multiply_adds", "initial_loss", "expected_initial_loss"}
    assert set(report) == numbers | {"steps", "steps_per_epoch", "execution", "checks", "figures", "notes"}
    assert report["multiply_adds"] > report["parameters"]
    assert report["parameters"] == sum(report["parameters_by_part"].values())
    assert all(set(c) == {"id", "name", "verdict", "expected", "found", "reason", "advice"} for c in report["checks"])


@pytest.mark.parametrize(("name", "steps"), [("deeper-cnn-c100", 391), ("v2", 391), ("resnet20", 391)])
def test_without_the_data_everything_is_said_that_needs_none(tmp_path: Path, name: str, steps: int) -> None:
    recipe = read_recipe_file(RECIPES / f"{name}.toml", ["data.batch_size=128"])
    report = preflight_report(recipe, "cpu", tmp_path)
    checks = {check["name"]: check for check in report["checks"]}
    failed = [check for check in checks.values() if check["verdict"] == "fail"]
    assert failed == [checks["data"]]
    assert f"not found in {tmp_path}" in checks["data"]["reason"] and "workbench data get" in checks["data"]["advice"]
    assert checks["learning rate"]["verdict"] == "pass"
    assert report["steps_per_epoch"] == steps and report["steps"] == round(steps * recipe.train.epochs)
    assert report["parameters"] == sum(report["parameters_by_part"].values()) > 200_000
    assert report["multiply_adds"] > report["parameters"] and report["initial_loss"] is None
    if recipe.expect.parameters is not None:
        assert report["parameters"] == recipe.expect.parameters and checks["parameters"]["verdict"] == "pass"


def test_a_claim_is_judged_without_the_data(tmp_path: Path) -> None:
    recipe = read_recipe_file(RECIPES / "resnet20.toml", ["expect.parameters=5", "data.validation=0.1"])
    report = preflight_report(recipe, "cpu", tmp_path)
    assert [c["name"] for c in report["checks"] if c["verdict"] == "fail"] == ["data", "parameters"]
    assert report["steps_per_epoch"] == -(-45_000 // recipe.data.batch_size)


def test_a_folder_that_is_not_there_is_the_one_failed_item(digits_recipe: str, tmp_path: Path) -> None:
    recipe = read_recipe(digits_recipe, "", ["data.source=folder", "data.path=nowhere"])
    report = preflight_report(recipe, "cpu", tmp_path)
    assert [(c["name"], c["verdict"]) for c in report["checks"]] == [("data", "fail")]
    assert report["parameters"] is None and report["steps"] is None


@pytest.mark.cifar
@pytest.mark.parametrize("name", ["v0", "v1", "v2", "v3", "v4", "v5", "v6", "resnet20"])
def test_the_packaged_recipes_are_healthy_on_real_data(name: str, cifar10_root: Path) -> None:
    recipe = read_recipe_file(RECIPES / f"{name}.toml")
    report = preflight_report(recipe, "cpu", cifar10_root)
    assert [c["verdict"] for c in report["checks"]] == ["pass"] * len(report["checks"])
    if recipe.expect.parameters is not None:
        assert report["parameters"] == recipe.expect.parameters
