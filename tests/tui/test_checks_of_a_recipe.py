"""Checks in Compose: switched and edited like techniques; the two tests that take some seconds."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil

from tests.tui.conftest import AppFactory
from tests.tui.test_compose import changes, go_to, techniques
from tests.waiting import until
from workbench.commands.check import WIDTH
from workbench.recipe import Recipe, read_recipe, write_own
from workbench.recipe.registries import CHECKS
from workbench.tui.common.editor import Editor
from workbench.tui.common.widgets import Text
from workbench.tui.compose import forms
from workbench.tui.compose.examinations import TrialScreen, result
from workbench.tui.compose.rows import rows

FAKE = (sys.executable, "-P", str(Path(__file__).parent / "fake_check.py"))


def said(app: object) -> str:
    screen = app.screen  # type: ignore[attr-defined]
    assert isinstance(screen, TrialScreen)
    return screen.query_one(".trial--said", Text).plain


def test_every_check_has_a_line_that_says_whether_it_is_made(recipe: Recipe) -> None:
    found = {row.place: row for row in rows(recipe, [], [])}
    for kind in CHECKS:
        assert found[f"checks.{kind.name}"].on == (not kind.asked_for())
    assert [row.label for row in rows(recipe, [], [], "overfit")] == ["checks before the run", "overfit_batch"]
    assert "1 to 12" not in str(found["checks.overfit_batch"].values)


def test_a_check_that_is_as_always_leaves_no_trace(recipe: Recipe) -> None:
    editor = Editor(recipe)
    assert editor.toggle_check("overfit_batch")
    assert editor.recipe.checks["overfit_batch"].enabled  # type: ignore[attr-defined]
    assert "[checks.overfit_batch]" in write_own(editor.recipe)
    assert [change.path for change in editor.changes()] == ["checks.overfit_batch.enabled"]
    assert editor.toggle_check("overfit_batch")
    assert editor.recipe == recipe and "checks" not in write_own(editor.recipe)


def test_every_check_has_a_form_and_survives_it_without_a_change(recipe: Recipe) -> None:
    for kind in CHECKS:
        form = forms.subject(recipe, f"checks.{kind.name}")
        entries = {field.key: field.entry for field in form.fields}
        assert forms.apply(recipe, form, entries) == (recipe, {})
    form = forms.subject(recipe, "checks.overfit_batch")
    entries = {field.key: field.entry for field in form.fields} | {"images": "7"}
    changed, wrong = forms.apply(recipe, form, entries)
    assert wrong == {} and changed is not None
    assert read_recipe(write_own(changed)).checks["overfit_batch"].images == 7  # type: ignore[attr-defined]
    assert forms.apply(recipe, form, entries | {"images": "1"})[1]["images"].startswith("expected a whole number ≥ 2")


async def test_space_switches_a_check(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        await go_to(pilot, "checks.fit")
        await pilot.press("space")
        row = techniques(app).row
        assert row is not None and (row.on, row.changed) == (False, True)
        assert "checks.fit.enabled" in changes(app)
        await pilot.press("space")
        assert not app.editor.unsaved


async def test_a_test_is_made_of_the_recipe_as_it_stands(make_app: AppFactory) -> None:
    app = make_app(check_command=FAKE)
    async with app.run_test(size=(80, 24)) as pilot:
        sgd = app.editor.recipe.techniques["sgd"].model_copy(update={"learning_rate": 0.375})
        app.editor.change(app.editor.recipe.with_technique(sgd))
        await pilot.press("t")
        await until(pilot, lambda: "⢳" in said(app))
        assert app.screen.query_one(".trial--said").size.width >= WIDTH  # the chart's
        assert said(app).startswith("check something (learning_rate_range): fail: found 0.375\\x1b[2J\n")
        await pilot.press("escape", "b")
        await until(pilot, lambda: "(overfit_batch)" in said(app) and "the goal, a loss of 0.05" in said(app))
        assert any("⠤" in line for line in said(app).splitlines())


async def test_the_chart_of_a_test_does_without_braille_where_the_screens_do(make_app: AppFactory) -> None:
    app = make_app(check_command=FAKE, settings={"ascii": True})
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("b")
        await until(pilot, lambda: "- the goal, a loss of 0.05" in said(app))
        assert said(app).isascii() and "***" in said(app)


async def test_what_is_wrong_is_said(make_app: AppFactory, recipe: Recipe) -> None:
    app = make_app(check_command=FAKE, recipe=recipe.model_copy(update={"seed": 13}))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("t")
        await until(pilot, lambda: "the data set is not there" in said(app))
        await pilot.press("escape")
        app.editor.toggle("adamw")
        await pilot.press("t")
        assert not isinstance(app.screen, TrialScreen)
        assert "f solves it" in [told.message for told in app._notifications][-1]


async def test_leaving_a_test_ends_it(make_app: AppFactory, recipe: Recipe) -> None:
    def command(child: psutil.Process) -> list[str]:
        try:
            return child.cmdline()
        except psutil.Error:  # it ended between two looks
            return []

    def at_work() -> bool:
        return any(FAKE[-1] in command(child) for child in psutil.Process().children(recursive=True))

    app = make_app(check_command=FAKE, recipe=recipe.model_copy(update={"seed": 14}))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("t")
        await until(pilot, at_work)
        await pilot.press("escape")
        await until(pilot, lambda: not at_work())


def test_figures_that_the_preview_shows_are_left_out() -> None:
    assert result(["recipe  x", "check a", "", "chart"]) == ["check a", "", "chart"]
    assert result(["something else"]) == ["something else"]
