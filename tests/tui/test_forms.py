"""Forms: text in, a recipe out, or a message of what is expected."""

from __future__ import annotations

import pytest

from workbench.format import bare
from workbench.recipe import Recipe
from workbench.tui.compose import forms
from workbench.tui.compose.forms import Entry, Subject


def entries(form: Subject, **changes: Entry) -> dict[str, Entry]:
    return {field.key: field.entry for field in form.fields} | changes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abc", "expected a number > 0, ≤ 1000, found 'abc'"),
        ("-1", "expected a number > 0, ≤ 1000, found -1"),
        ("0", "expected a number > 0, ≤ 1000, found 0"),
        ("nan", "expected a number > 0, ≤ 1000, found nan"),
        ("", "expected a number > 0, ≤ 1000, found nothing"),
    ],
)
def test_wrong_numbers_are_told_what_is_expected(recipe: Recipe, text: str, message: str) -> None:
    form = forms.subject(recipe, "techniques.sgd")
    changed, wrong = forms.apply(recipe, form, entries(form, learning_rate=text))
    assert changed is None
    assert wrong == {"learning_rate": message}


@pytest.mark.parametrize(("text", "value"), [("0.3", 0.3), (".5", 0.5), ("1e-3", 0.001), ("2", 2.0)])
def test_numbers_as_people_write_them(recipe: Recipe, text: str, value: float) -> None:
    form = forms.subject(recipe, "techniques.sgd")
    changed, wrong = forms.apply(recipe, form, entries(form, learning_rate=text))
    assert wrong == {} and changed is not None
    assert changed.techniques["sgd"].learning_rate == value


@pytest.mark.parametrize("text", ["[8, 16]", "8, 16", " 8,16 "])
def test_lists_with_and_without_brackets(recipe: Recipe, text: str) -> None:
    form = forms.subject(recipe, "model")
    changed, wrong = forms.apply(recipe, form, entries(form, widths=text))
    assert wrong == {} and changed is not None
    assert changed.model.widths == (8, 16)


def test_several_slips_are_found_at_once(recipe: Recipe) -> None:
    form = forms.subject(recipe, "data")
    changed, wrong = forms.apply(recipe, form, entries(form, batch_size="0", workers="many"))
    assert changed is None
    assert wrong["batch_size"].startswith("expected a whole number ≥ 1")
    assert "found 'many'" in wrong["workers"]


def test_what_is_left_out_is_left_out(recipe: Recipe) -> None:
    form = forms.subject(recipe, "data")
    changed, _ = forms.apply(recipe, form, entries(form, mean="[0.5, 0.5, 0.5]", std="[0.2, 0.2, 0.2]"))
    assert changed is not None and changed.data.mean == (0.5, 0.5, 0.5)
    form = forms.subject(changed, "data")
    changed, wrong = forms.apply(changed, form, entries(form, mean="", std=""))
    assert wrong == {} and changed is not None and changed.data.mean is None


def test_another_model_brings_its_own_parameters(recipe: Recipe) -> None:
    form = forms.subject(recipe, "model", "resnet")
    keys = [field.key for field in form.fields]
    assert keys == ["name", "channels", "blocks"]
    changed, wrong = forms.apply(recipe, form, entries(form, channels="8, 16", blocks="1, 1"))
    assert wrong == {} and changed is not None
    assert (changed.model.name, changed.model.channels) == ("resnet", (8, 16))


def test_another_data_source(recipe: Recipe) -> None:
    form = forms.subject(recipe, "data", "cifar10")
    changed, wrong = forms.apply(recipe, form, entries(form))
    assert wrong == {} and changed is not None
    assert changed.data.source == "cifar10" and changed.data.batch_size == 64


def test_name_and_seed(recipe: Recipe) -> None:
    form = forms.subject(recipe, "recipe")
    _, wrong = forms.apply(recipe, form, entries(form, name="a/b", seed="-1"))
    assert "cannot name files" in wrong["name"]
    assert "expected a whole number ≥ 0" in wrong["seed"]
    changed, wrong = forms.apply(recipe, form, entries(form, name="other", seed="7", about=""))
    assert wrong == {} and changed is not None
    assert (changed.name, changed.seed, changed.about) == ("other", 7, "")


def test_conflicts_that_an_entry_causes_are_warnings(recipe: Recipe) -> None:
    form = forms.subject(recipe, "techniques.cosine")
    changed, wrong = forms.apply(recipe, form, entries(form, warmup_epochs="20"))
    assert wrong == {} and changed is not None
    assert "fills the whole run" in forms.warnings(changed, form)["warmup_epochs"]


def test_a_form_can_switch_a_technique_off(recipe: Recipe) -> None:
    form = forms.subject(recipe, "techniques.sgd")
    changed, _ = forms.apply(recipe, form, entries(form, enabled=False))
    assert changed is not None and not changed.on("sgd")


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (0.05, "0.05"), (10.0, "10"), ((1, 2), "[1, 2]"), ("zero", "zero"), (1e-5, "1e-05")],
)
def test_values_are_shown_as_they_are_written(value: object, text: str) -> None:
    assert bare(value) == text


def folder_form(recipe: Recipe) -> Subject:
    return forms.subject(recipe, "data", "folder")


@pytest.mark.parametrize("text", ["~/my flowers", '"~/my flowers"', "'~/my flowers'", '  "~/my flowers" '])
def test_quotes_around_a_path_are_no_part_of_it(recipe: Recipe, text: str) -> None:
    form = folder_form(recipe)
    changed, wrong = forms.apply(recipe, form, entries(form, path=text))
    assert wrong == {} and changed is not None
    assert changed.data_source.path == "~/my flowers"  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ['"good" and "bad"', "it's", '"'])
def test_quotes_within_a_text_stay(recipe: Recipe, text: str) -> None:
    form = forms.subject(recipe, "recipe")
    changed, _ = forms.apply(recipe, form, entries(form, about=text))
    assert changed is not None and changed.about == text


def test_a_form_asks_for_values_not_for_toml(recipe: Recipe) -> None:
    form = folder_form(recipe)
    _, wrong = forms.apply(recipe, form, entries(form))
    assert wrong["path"] == "expected a path, found nothing"
    form = forms.subject(recipe, "model")
    assert entries(form)["widths"] == "16, 32, 64"
    _, wrong = forms.apply(recipe, form, entries(form, widths="8, x"))
    assert wrong == {"widths": "expected whole numbers with commas between, 1 to 12 long, found '8, x'"}
    for place in ("recipe", "data", "train", "model", "expect", "techniques.piecewise_linear", "techniques.sgd"):
        for field in forms.subject(recipe, place).fields:
            assert not {"quotes", "true"} & set(field.parameter.asked.split()), field.key


def test_an_empty_list_is_one(recipe: Recipe) -> None:
    form = forms.subject(recipe, "model")
    changed, wrong = forms.apply(recipe, form, entries(form, hidden=""))
    assert wrong == {} and changed is not None
    assert changed.model.hidden == ()  # type: ignore[attr-defined]
    assert entries(forms.subject(changed, "model"))["hidden"] == ""
