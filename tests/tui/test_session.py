"""What was left is found again: the recipe with its changes, the view, the theme; a run that goes on is found, too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.runs.helpers import lasting
from tests.tui.conftest import AppFactory
from tests.tui.fakes import history, written
from tests.tui.test_compose import go_to
from tests.waiting import until
from workbench.recipe import Recipe, save_recipe
from workbench.runs.store.status import write_status
from workbench.settings import Screens
from workbench.tui.app.leaving import (
    NO_SESSION,
    editor_of,
    editor_on,
    of_editor,
    read_session,
    session_file,
    to_text,
    write_session,
)
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.editor import Editor

FILE = Path("session.json")


def left(editor: Editor) -> Editor:
    """An editor after leaving and coming back."""
    write_session(FILE, to_text(of_editor(editor)))
    found = editor_of(read_session(FILE))
    assert found is not None
    return found


def test_changes_that_are_not_saved_come_back(recipe: Recipe) -> None:
    path = Path("mine.toml")
    save_recipe(recipe, path)
    editor = Editor(recipe, path)
    editor.toggle("cutout")
    found = left(editor)
    assert found.unsaved
    assert found.path == path
    assert found.recipe == editor.recipe
    assert {change.path.split(".")[1] for change in found.changes()} == {"cutout"}
    assert found.undo()
    assert found.recipe == recipe
    assert not found.unsaved


def test_a_file_that_changed_meanwhile_is_read_anew(recipe: Recipe) -> None:
    path = Path("mine.toml")
    save_recipe(recipe, path)
    editor = Editor(recipe, path)
    write_session(FILE, to_text(of_editor(editor)))
    save_recipe(recipe.model_copy(update={"seed": 9}), path)
    found = editor_of(read_session(FILE))
    assert found is not None
    assert (found.recipe.seed, found.unsaved) == (9, False)


def test_a_changed_file_does_not_take_changes_away(recipe: Recipe) -> None:
    path = Path("mine.toml")
    save_recipe(recipe, path)
    editor = Editor(recipe, path)
    editor.toggle("cutout")
    write_session(FILE, to_text(of_editor(editor)))
    save_recipe(recipe.model_copy(update={"seed": 9}), path)
    found = editor_of(read_session(FILE))
    assert found is not None
    assert found.recipe.on("cutout")
    assert found.unsaved


def test_opening_the_file_that_was_left_brings_its_changes_back_and_another_file_is_itself(recipe: Recipe) -> None:
    path, other = Path("mine.toml"), Path("other.toml")
    save_recipe(recipe, path)
    save_recipe(recipe, other)
    editor = Editor(recipe, path)
    editor.toggle("cutout")
    write_session(FILE, to_text(of_editor(editor)))
    found = editor_on(read_session(FILE), recipe, path.resolve(), path)
    assert found.recipe.on("cutout") and found.unsaved
    assert editor_on(read_session(FILE), recipe, other, other).recipe == recipe
    assert editor_on(NO_SESSION, recipe, path, path).recipe == recipe
    assert editor_on(read_session(FILE), recipe, None, None).path is None


def test_what_cannot_be_understood_is_no_session() -> None:
    for text in ("", "[]", '{"recipe": 3}', '{"screens": {"compose": 3}}', '{"recipe": "name = ["}'):
        FILE.write_text(text)
        assert editor_of(read_session(FILE)) is None
    assert editor_of(NO_SESSION) is None


def test_every_folder_has_its_own() -> None:
    assert session_file(Path("a")) != session_file(Path("b"))


async def test_the_screens_remember(make_app: AppFactory) -> None:
    app = make_app(session_path=FILE)
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "techniques.cosine")
        await pilot.press("v")
        app.theme = "nord"
    session = read_session(FILE)
    again = make_app(session=session, session_path=FILE)
    async with again.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert again.theme == "nord"
        assert again.screen.query_one("#preview").has_class("-current")
        assert again.layout["compose"]["place"] == "techniques.cosine"


async def test_the_settings_choose_the_theme_until_somebody_does_on_the_screens(make_app: AppFactory) -> None:
    def app(theme: str) -> Workbench:
        return make_app(
            session=read_session(FILE), session_path=FILE, settings={"screens": Screens(theme=theme, restore=True)}
        )

    for said, chosen, shown in (
        ("workbench", "", "workbench"),
        ("nord", "", "nord"),  # nobody chose the first one
        ("nord", "dracula", "dracula"),
        ("nord", "", "dracula"),  # chosen on the screens, and kept
        ("gruvbox", "", "gruvbox"),  # the settings say something new
        ("nord", "", "nord"),
        ("nord", "dracula", "dracula"),
        ("nord", "nord", "nord"),  # chosen back: the settings again
        ("gruvbox", "", "gruvbox"),
    ):
        opened = app(said)
        async with opened.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            opened.theme = chosen or opened.theme
            assert opened.theme == shown


async def test_a_theme_that_an_older_version_kept_unasked_gives_way(make_app: AppFactory) -> None:
    session = replace(NO_SESSION, theme="workbench")
    assert make_app(session=session, settings={"screens": Screens(theme="nord")}).theme == "nord"


async def test_a_run_that_goes_on_is_followed(make_app: AppFactory, tmp_path: Path, recipe: Recipe) -> None:
    run = written(tmp_path / "runs" / "20261120-142501-small-3f9c", recipe, history(100))
    write_status(run, lasting("running"))
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.tracked is not None and "43 %" in app.screen.query_one("#tab-run").plain)  # type: ignore[attr-defined]
        assert app.current_mode == "compose"


async def test_charts_and_the_list_of_runs_are_found_as_they_were(
    make_app: AppFactory, tmp_path: Path, recipe: Recipe
) -> None:
    names = [f"20261120-14250{n}-small-3f9{n}" for n in range(3)]
    runs = [written(tmp_path / "runs" / name, recipe, history(100), "finished") for name in names]
    app = make_app(watch=runs[0], session_path=FILE)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.tracked is not None and app.tracked.view.step == 100)
        await pilot.press("x", "full_stop", "4")
        await until(pilot, lambda: len(app.screen.browser.rows) == 3)  # type: ignore[attr-defined]
        await pilot.press("space", "down", "space", "s", "m", "slash", *"small", "enter")
        await pilot.pause(0.3)
        left_sort = app.screen.browser.sort  # type: ignore[attr-defined]
    again = make_app(session=read_session(FILE), watch=runs[0])
    async with again.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: again.layout.get("run", {}).get("unit") == "time")
        assert again.layout["run"]["smoothing"] == 5
        await pilot.press("4")
        await until(pilot, lambda: len(again.screen.browser.rows) == 3)  # type: ignore[attr-defined]
        browser = again.screen.browser  # type: ignore[attr-defined]
        assert len(browser.selection.looks) == 2
        assert (browser.sort, str(browser.query)) == (left_sort, "small")
        assert again.layout["runs"]["metric"] == "test loss"


async def test_a_session_that_makes_no_sense_does_no_harm(make_app: AppFactory, tmp_path: Path, recipe: Recipe) -> None:
    run = written(tmp_path / "runs" / "20261120-142501-small-3f9c", recipe, history(100), "finished")
    nonsense = {"selected": 3, "query": "acc>>", "sort": [1], "view": 7, "unit": "x", "smoothing": "y", "place": 1}
    session = replace(NO_SESSION, screens=dict.fromkeys(("compose", "run", "runs"), nonsense), theme="none")
    app = make_app(session=session, watch=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("1", "2", "4")
        await until(pilot, lambda: len(app.screen.browser.rows) == 1)  # type: ignore[attr-defined]
