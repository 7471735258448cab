"""The offers to solve a conflict."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.recipe import Recipe, conflicts, read_recipe_file
from workbench.recipe.fixes import fixes
from workbench.recipe.registries import MODELS, TECHNIQUES
from workbench.runs.find.resolve import resolve_recipe


@pytest.fixture
def resnet() -> Recipe:
    return read_recipe_file(resolve_recipe("resnet20"))


def with_on(recipe: Recipe, *names: str) -> Recipe:
    for name in names:
        recipe = recipe.with_technique(TECHNIQUES[name]())
    return recipe


def without(recipe: Recipe, *names: str) -> Recipe:
    for name in names:
        recipe = recipe.without_technique(name)
    return recipe


def with_parameters(recipe: Recipe, name: str, **values: Any) -> Recipe:
    return recipe.with_technique(recipe.techniques[name].model_copy(update=values))


def offered(recipe: Recipe, before: Recipe | None = None) -> list[str]:
    """The fixes of the only problem, each tried."""
    (problem,) = conflicts(recipe)
    found = fixes(recipe, problem, before)
    for fix in found:
        assert not conflicts(fix.recipe)
    return [fix.words for fix in found]


def test_what_was_switched_on_last_stays_on_in_the_first_offer(resnet: Recipe) -> None:
    assert offered(with_on(resnet, "adamw"), before=resnet) == ["switch off sgd", "switch off adamw"]
    assert offered(
        with_on(without(resnet, "sgd"), "adamw", "sgd"), before=with_on(without(resnet, "sgd"), "adamw")
    ) == [
        "switch off adamw",
        "switch off sgd",
    ]


def test_a_missing_optimizer_is_switched_on(resnet: Recipe) -> None:
    optimizers = [f"switch on {spec.name}" for spec in TECHNIQUES if spec.group == "optimizer"]
    assert offered(without(resnet, "sgd")) == optimizers


def test_what_a_technique_needs_or_excludes(resnet: Recipe) -> None:
    plain = without(resnet, "residual")
    assert offered(with_on(plain, "stochastic_depth"), before=plain) == [
        "switch on residual",
        "switch off stochastic_depth",
    ]
    assert offered(with_on(resnet, "swa", "ema"), before=with_on(resnet, "ema")) == ["switch off ema", "switch off swa"]


def test_a_capability_that_the_model_lacks(resnet: Recipe) -> None:
    vgg = resnet.model_copy(update={"model": MODELS["vgg"]()})
    assert offered(vgg, before=resnet) == ["switch off residual", "take the model resnet"]


def test_a_parameter_goes_back_to_its_default(resnet: Recipe) -> None:
    assert offered(with_parameters(resnet, "cosine", warmup_epochs=900.0))[0] == "set cosine.warmup_epochs to 0"
    assert offered(with_parameters(resnet, "sgd", nesterov=True, momentum=0.0))[0] == "set sgd.nesterov to false"


def test_two_changes_where_one_is_not_enough(resnet: Recipe) -> None:
    assert offered(with_on(resnet, "adam", "adamw")) == [
        "switch off adam and adamw",
        "switch off adam and sgd",
        "switch off adamw and sgd",
    ]


def test_each_of_several_problems_has_its_own_fix(resnet: Recipe) -> None:
    several = with_on(resnet, "adamw", "swa", "ema")
    found = {problem.path: [fix.words for fix in fixes(several, problem)] for problem in conflicts(several)}
    assert found == {
        "techniques.sgd": ["switch off adamw", "switch off sgd"],
        "techniques.swa": ["switch off ema", "switch off swa"],
    }
