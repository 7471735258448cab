"""Recipes and checkpoints of versions in which techniques and parameters had other names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from workbench.engine.build import build
from workbench.engine.state import CheckpointError, capture, restore
from workbench.hooks import Builder
from workbench.recipe import RecipeError, difference, read_recipe, recipe_digest, write_recipe
from workbench.recipe.registries import TECHNIQUES
from workbench.techniques.base import Technique
from workbench.techniques.sgd import SGD

EARLIER = (Path(__file__).parent / "earlier.toml").read_text()
"""As the version before the names changed (99abf89) wrote it for a run."""


def test_a_recipe_of_earlier_names_is_the_one_of_the_present_names() -> None:
    said: list[str] = []
    recipe = read_recipe(EARLIER, "mine.toml", say=said.append)
    assert recipe.on("bias_lr_scale") and recipe.techniques["bias_lr_scale"].factor == 4  # type: ignore[attr-defined]
    assert recipe.techniques["adamw"].decay_exclude == "biases"  # type: ignore[attr-defined]
    assert len(said) == 1 and said[0].startswith("mine.toml: ")
    assert "techniques.adamw.spare_from_decay is decay_exclude" in said[0]
    assert "techniques.bias_rate is bias_lr_scale" in said[0]

    again = write_recipe(recipe)
    assert "bias_rate" not in again and "spare_from_decay" not in again
    said.clear()
    assert read_recipe(again, say=said.append) == recipe and not said
    assert difference(recipe, read_recipe(EARLIER)) == []


def test_the_digest_is_the_one_that_earlier_versions_wrote_into_checkpoints() -> None:
    assert recipe_digest(read_recipe(EARLIER)) == hashlib.sha256(EARLIER.encode()).hexdigest()


def test_a_checkpoint_of_an_earlier_version_is_taken(tmp_path: Path) -> None:
    # Whole runs of 99abf89, stopped and gone on with there and here, ended in the same weights and moments to the bit.
    written = capture(build(read_recipe(EARLIER), "cpu", tmp_path), 4)
    written["recipe"] = hashlib.sha256(EARLIER.encode()).hexdigest()
    now = build(read_recipe(write_recipe(read_recipe(EARLIER))), "cpu", tmp_path)
    assert restore(now, written) == 4
    other = build(read_recipe(EARLIER, overrides=["techniques.bias_rate.factor=5"]), "cpu", tmp_path)
    with pytest.raises(CheckpointError):
        restore(other, written)


@pytest.mark.parametrize(
    "override", ["techniques.bias_rate.factor=8", "techniques.bias_lr_scale.factor=8"], ids=("earlier", "now")
)
@pytest.mark.parametrize("text", [EARLIER, write_recipe(read_recipe(EARLIER))], ids=("earlier text", "text of now"))
def test_an_override_under_either_name_wins(text: str, override: str) -> None:
    overrides = [override, "techniques.adamw.spare_from_decay=nothing", "techniques.bias_rate=off"]
    recipe = read_recipe(text, overrides=overrides)
    scale, adamw = recipe.techniques["bias_lr_scale"], recipe.techniques["adamw"]
    assert scale.factor == 8 and not scale.enabled and adamw.decay_exclude == "nothing"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("added", "found"),
    [
        ("[techniques.bias_lr_scale]\n", "techniques.bias_rate"),
        ('[techniques.lookahead]\nspare_from_decay = "biases"\n', "techniques.lookahead.spare_from_decay"),
    ],
)
def test_both_names_at_once_and_earlier_names_elsewhere_are_refused(added: str, found: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read_recipe(EARLIER + added)
    assert [problem.path for problem in caught.value.problems] == [found]


def test_a_parameter_under_both_names_is_refused() -> None:
    with pytest.raises(RecipeError, match="spare_from_decay"):
        read_recipe(EARLIER + 'decay_exclude = "nothing"\n')


def test_a_wrong_value_under_an_earlier_name_is_found_on_its_line() -> None:
    text = EARLIER.replace("factor = 4.0", "factor = -1")
    line = text.splitlines().index("factor = -1") + 1
    with pytest.raises(RecipeError) as caught:
        read_recipe(text)
    assert [problem.line for problem in caught.value.problems] == [line]


def test_plugins_of_earlier_versions_find_what_they_ask_for() -> None:
    sgd = SGD(spare_from_decay="biases")  # type: ignore[call-arg]
    assert sgd.decay_exclude == "biases" == sgd.spare_from_decay  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        sgd.momentums  # type: ignore[attr-defined]  # noqa: B018
    assert read_recipe(EARLIER).on("bias_rate")
    assert TECHNIQUES["bias_rate"].name == "bias_lr_scale" and "bias_rate" not in TECHNIQUES.names()


class TestPluginThatExcludes:
    @pytest.fixture(autouse=True)
    def plugin(self) -> Iterable[None]:
        class Excluding(Technique):
            """A technique of a plugin that was written for the earlier names."""

            name = "excluding_in_a_test"
            group = "gradients"
            excludes = {"bias_rate": "both scale the rates of biases"}

            def register(self, build: Builder) -> None:
                """Nothing."""

        yield
        del TECHNIQUES._specs[Excluding.name]

    def test_an_exclusion_by_the_earlier_name_holds(self) -> None:
        with pytest.raises(RecipeError, match="both scale"):
            read_recipe(EARLIER + "[techniques.excluding_in_a_test]\n")
