"""The recipe being composed: toggles, undo, and what counts as a change."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from workbench.recipe import Recipe, read_recipe, write_recipe
from workbench.recipe.registries import TECHNIQUES
from workbench.tui.common.editor import Editor
from workbench.tui.common.texts import diff
from workbench.tui.compose import forms, texts
from workbench.tui.compose.rows import Values, fitting, rows, short, values


def test_a_toggle_forth_and_back_leaves_no_trace(recipe: Recipe) -> None:
    editor = Editor(recipe)
    for name in ("residual", "sgd", "batch_norm"):
        assert editor.toggle(name)
        assert editor.unsaved
        assert editor.toggle(name)
        assert not editor.unsaved
        assert not editor.changes()


def test_switching_off_keeps_parameters_that_are_worth_keeping(recipe: Recipe) -> None:
    editor = Editor(recipe)
    editor.toggle("sgd")
    assert not editor.recipe.on("sgd")
    assert editor.recipe.techniques["sgd"].learning_rate == 0.05

    editor.toggle("label_smoothing")
    editor.toggle("label_smoothing")
    assert "label_smoothing" not in editor.recipe.techniques

    form = forms.subject(editor.recipe, "techniques.label_smoothing")
    changed, wrong = forms.apply(editor.recipe, form, {"enabled": True, "smoothing": "0.2"})
    assert changed is not None and not wrong
    editor.change(changed)
    editor.toggle("label_smoothing")
    assert editor.recipe.techniques["label_smoothing"].smoothing == 0.2


def test_undo_and_redo(recipe: Recipe) -> None:
    editor = Editor(recipe)
    assert not editor.undo()
    editor.toggle("residual")
    editor.toggle("channels_last")
    assert editor.undo() and editor.recipe.on("residual") and not editor.recipe.on("channels_last")
    assert editor.undo() and editor.recipe == recipe
    assert editor.redo() and editor.recipe.on("residual")
    editor.toggle("channels_last")
    assert not editor.redo()


def test_saving_moves_the_mark_but_not_what_changes_are_counted_against(recipe: Recipe) -> None:
    editor = Editor(recipe)
    editor.toggle("channels_last")
    editor.saved(editor.recipe, Path("mine.toml"))
    assert not editor.unsaved
    assert [c.path for c in texts.gathered(editor.changes(), editor.recipe)] == ["techniques.channels_last"]


def test_a_technique_that_is_on_in_one_recipe_only_is_one_change(recipe: Recipe) -> None:
    editor = Editor(recipe)
    editor.toggle("sgd")
    editor.toggle("adamw")
    gathered = texts.gathered(editor.changes(), editor.recipe)
    assert [(c.path, c.after) for c in gathered if c.path == "techniques.sgd"] == [("techniques.sgd", "—")]
    (added,) = [c for c in gathered if c.path == "techniques.adamw"]
    assert str(added.after).startswith("lr 0.001 · weight decay 0.01")
    assert len(gathered) == 2
    assert "+ adamw  lr 0.001" in diff(gathered).plain


def test_rows_show_values_conflicts_and_changes(recipe: Recipe) -> None:
    editor = Editor(recipe)
    editor.toggle("adamw")
    found = {row.place: row for row in rows(editor.recipe, editor.conflicts(), editor.changes())}
    assert found["techniques.sgd"].values == Values(("lr 0.05", "nesterov"), ("momentum 0.9",))
    assert not str(found["techniques.label_smoothing"].values)
    assert found["techniques.sgd"].on and found["techniques.adamw"].on
    assert found["techniques.adamw"].changed and not found["techniques.sgd"].changed
    assert found["techniques.sgd"].wrong or found["techniques.adamw"].wrong
    assert not found["techniques.residual"].on
    assert found["model"].on is None


def test_the_filter_finds_words_in_names_groups_and_cards(recipe: Recipe) -> None:
    def names(wanted: str) -> list[str]:
        return [row.label for row in rows(recipe, [], [], wanted) if row.place]

    assert names("batch norm") == ["batch_norm"]
    assert {"adam", "adamw", "muon", "sgd"} <= set(names("optimizer"))
    assert "horizontal_flip" in names("mirror")
    assert names("label") == ["label_smoothing"]  # other cards speak of labels too
    assert names("no such thing") == []


def test_every_technique_survives_being_edited_without_a_change(recipe: Recipe) -> None:
    for row in rows(recipe, [], []):
        if row.place:
            form = forms.subject(recipe, row.place)
            entries = {field.key: field.entry for field in form.fields}
            if row.on is False:
                entries["enabled"] = False
            changed, wrong = forms.apply(recipe, form, entries)
            assert not wrong, row.place
            assert changed is not None
            assert read_recipe(write_recipe(changed), consistent=False) == changed


def test_values_have_names_and_what_was_chosen_comes_first() -> None:
    spec = TECHNIQUES["sgd"](learning_rate=0.05, weight_decay=5e-4, momentum=0.9, dampening=0.0)
    found = values(spec)
    assert str(found) == "lr 0.05 · weight decay 5e-4 · momentum 0.9"
    assert found.usual == ("momentum 0.9",)
    assert str(values(TECHNIQUES["adamw"](weight_decay=0.0))).startswith("weight decay 0 · lr 0.001")
    assert values(TECHNIQUES["muon"](nesterov=False)).own == ("no nesterov",)


def test_values_that_have_no_room_are_left_out_whole() -> None:
    found = Values(("lr 0.05", "nesterov"), ("momentum 0.9",))
    assert fitting(found, 40) == ("lr 0.05 · nesterov", " · momentum 0.9")
    assert fitting(found, 25) == ("lr 0.05 · nesterov", " ·…")
    assert fitting(found, 12) == ("lr 0.05", " ·…")
    assert fitting(found, 3) == ("", "")
    for room in range(60):
        assert len("".join(fitting(found, room))) <= room


@given(st.floats(min_value=1e-300, max_value=1e6))
def test_a_short_number_is_the_same_number(number: float) -> None:
    assert float(short(number)) == number
