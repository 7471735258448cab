"""Paths that Tab completes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.tui.conftest import AppFactory
from tests.tui.test_compose import go_to, type_
from workbench.recipe import Recipe
from workbench.tui.common.widgets import Text
from workbench.tui.compose import paths
from workbench.tui.compose.form_screen import FieldRow
from workbench.tui.compose.paths import ways

HERE = (Path(),)


@pytest.fixture(autouse=True)
def _folders() -> None:
    for name in ("data/flowers/train/rose", "data/flowers/test", "data/fruit", "my recipes", ".hidden"):
        Path(name).mkdir(parents=True)
    for name in ("my recipes/one.toml", "my recipes/notes.txt", "mine.toml"):
        Path(name).write_text("")


def test_folders_go_on_and_files_only_where_they_are_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ways("data/f", HERE) == ["data/flowers/", "data/fruit/"]
    assert ways("f", [Path("data"), Path()]) == ["flowers/", "fruit/"]
    assert ways("m", HERE) == ["my recipes/"]
    assert ways("m", HERE, ".toml") == ["mine.toml", "my recipes/"]
    assert ways("./my recipes/", HERE, ".toml") == ["./my recipes/one.toml"]
    assert ways("", HERE) == ["data/", "my recipes/"]
    assert ways(".", HERE) == [".hidden/"]
    assert ways(f"{Path.cwd()}/d", ()) == [f"{Path.cwd()}/data/"]
    monkeypatch.setenv("HOME", str(Path.cwd()))
    assert ways("~", HERE) == ["~/"] and ways("~/d", ()) == ["~/data/"]
    for text in ("nowhere/x", "\0", "mine.toml/x"):
        assert ways(text, HERE) == []


async def test_tab_completes_says_which_there_are_and_goes_on(make_app: AppFactory, recipe: Recipe) -> None:
    app = make_app(settings={})
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "data")
        await pilot.press("enter", "up", "right")  # the source is the folder now
        await pilot.press("down")
        await pilot.pause()
        field = app.focused
        assert isinstance(field, Input), [(r.field.key, r.entry, r.editor is field) for r in app.screen.query(FieldRow)]
        await type_(pilot, "f")
        await pilot.press("tab")
        assert field.value == "f"
        assert app.screen.query_one("#form-detail", Text).plain == "flowers/  fruit/"
        await type_(pilot, "l")
        await pilot.press("tab", *"tr", "tab", "tab")
        assert field.value == "flowers/train/rose/"
        await pilot.press("tab")
        row = app.screen.query(FieldRow)[1]
        assert row.editor is field and app.focused is not field


async def test_a_folder_that_does_not_answer_holds_nothing_up(
    make_app: AppFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    monkeypatch.setattr(paths, "PATIENCE", 0.02)
    monkeypatch.setattr(paths, "ways", lambda *given: [str(answer.wait(30))])
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        try:
            await pilot.press("S")
            field = app.focused
            assert isinstance(field, Input)
            await pilot.press("tab", "escape")
        finally:
            answer.set()
        assert app.focused is not field


async def test_opening_and_saving_complete_files(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("o")
        await type_(pilot, "./my")
        await pilot.press("tab", "tab")
        field = app.focused
        assert isinstance(field, Input) and field.value == "./my recipes/one.toml"
