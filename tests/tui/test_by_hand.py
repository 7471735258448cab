"""The recipe's TOML in the user's own editor: what comes back is taken, or said and kept."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from tests.tui.conftest import AppFactory
from tests.tui.test_compose import go_to, line
from workbench.recipe import Recipe, read_recipe_file, save_recipe
from workbench.tui.app.leaving import editor_of, of_editor
from workbench.tui.app.terminal_app import TerminalApp
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.editor import Editor
from workbench.tui.common.screens import ConfirmScreen
from workbench.tui.common.widgets import Text
from workbench.tui.compose import files

TestPilot = Pilot[str]


LEFT = TerminalApp.terminal_left


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's app has no terminal that it could leave."""

    @contextlib.contextmanager
    def left(app: TerminalApp) -> Iterator[None]:
        yield

    monkeypatch.setattr(TerminalApp, "terminal_left", left)


def editor_that(monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """The user's editor is a program that does something with ``text``, the file's."""
    program = Path("an editor.py")
    program.write_text(
        "import sys\nfrom pathlib import Path\npath = Path(sys.argv[-1])\ntext = path.read_text()\n"
        f"Path('given').write_text(text + ' '.join(sys.argv[1:-1]))\n{does}\n"
    )
    monkeypatch.setenv("VISUAL", f"{sys.executable} '{program}'")


def replaces(monkeypatch: pytest.MonkeyPatch, before: str, after: str, then: str = "") -> None:
    editor_that(monkeypatch, f"assert {before!r} in text\npath.write_text(text.replace({before!r}, {after!r}))\n{then}")


def question(app: Workbench) -> str:
    assert isinstance(app.screen, ConfirmScreen)
    return app.screen.query_one(".question", Text).plain


def told(app: Workbench) -> list[str]:
    return [notification.message for notification in app._notifications]


@pytest.fixture
def file(recipe: Recipe) -> Path:
    path = Path("mine.toml")
    save_recipe(recipe, path)
    path.write_text(path.read_text().replace("learning_rate = 0.05", "learning_rate = 0.05  # tried 0.1"))
    return path


async def test_what_was_written_is_taken_said_and_saved_with_its_comments(
    make_app: AppFactory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(recipe=read_recipe_file(file), path=file)
    before = file.read_text()
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "techniques.cutout")
        await pilot.press("space")
        replaces(monkeypatch, "0.05  # tried 0.1", "0.2  # or less")
        await pilot.press("E")
        assert "# tried 0.1" in Path("given").read_text() and "[techniques.cutout]" in Path("given").read_text()
        assert told(app) == ["1 change: sgd.learning_rate 0.05→0.2"]
        assert file.read_text() == before  # nobody has saved it
        await pilot.press("s")
        assert "0.2  # or less" in file.read_text()
        assert not app.editor.unsaved
        await pilot.press("u")
        assert app.editor.recipe.techniques["sgd"].learning_rate == 0.05
        assert app.editor.recipe.on("cutout")


async def test_a_comment_alone_is_kept_and_counts_as_unsaved(
    make_app: AppFactory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(recipe=read_recipe_file(file), path=file)
    async with app.run_test(size=(80, 24)) as pilot:
        editor_that(monkeypatch, "")
        await pilot.press("E")
        assert told(app) == ["No value was changed."] and not app.editor.unsaved
        replaces(monkeypatch, "tried 0.1", "never again")
        await pilot.press("E")
        assert app.editor.unsaved
        restored = editor_of(of_editor(app.editor))
        assert restored is not None and "never again" in restored.toml()
        await pilot.press("s")
        assert "never again" in file.read_text() and not app.editor.unsaved


async def test_mistakes_are_said_and_neither_recipe_nor_text_is_lost(
    make_app: AppFactory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(recipe=read_recipe_file(file), path=file)
    recipe = app.editor.recipe
    async with app.run_test(size=(80, 24)) as pilot:
        replaces(monkeypatch, "0.05  #", "'fast'  # mine\nmomentun = 1  #")
        await pilot.press("E")
        assert "learning_rate: expected a number" in question(app) and "did you mean 'momentum'" in question(app)
        number = next(i for i, text in enumerate(app.editor.draft.splitlines(), 1) if "'fast'" in text)
        assert f"line {number}: techniques.sgd.learning_rate" in question(app)
        await pilot.press("escape")  # later
        await pilot.pause()
        assert app.editor.recipe == recipe
        assert "a text with mistakes waits" in line(app)
        restored = editor_of(of_editor(app.editor))
        assert restored is not None and "'fast'  # mine" in restored.draft

        await pilot.press("o")  # another recipe would be the end of it
        assert "has mistakes" in question(app)
        replaces(monkeypatch, "'fast'  # mine\nmomentun = 1", "0.3")
        await pilot.press("enter")
        await pilot.pause()
        assert app.editor.recipe.techniques["sgd"].learning_rate == 0.3
        assert not app.editor.draft and "waits" not in line(app)


async def test_a_text_can_be_corrected_at_once_or_dropped(
    make_app: AppFactory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(recipe=read_recipe_file(file), path=file)
    async with app.run_test(size=(80, 24)) as pilot:
        replaces(monkeypatch, "0.05  #", "'fast'  #")
        await pilot.press("E")
        editor_that(monkeypatch, "")
        await pilot.press("enter")
        await pilot.pause()
        assert "'fast'" in Path("given").read_text() and "expected a number" in question(app)
        await pilot.click("#answer-drop")
        await pilot.pause()
        assert not app.editor.draft and not app.editor.unsaved
        await pilot.press("E")
        assert "'fast'" not in Path("given").read_text()


async def test_an_editor_that_fails_takes_nothing_with_it(
    make_app: AppFactory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(recipe=read_recipe_file(file), path=file)
    async with app.run_test(size=(80, 24)) as pilot:
        editor_that(monkeypatch, "sys.exit(1)")
        await pilot.press("E")
        assert "ended with status 1; nothing was changed" in told(app)[-1]
        replaces(monkeypatch, "0.05  #", "0.4  #", "sys.exit(3)")
        await pilot.press("E")
        assert "another text" in question(app)
        assert app.editor.recipe.techniques["sgd"].learning_rate == 0.05
        await pilot.click("#answer-take")
        await pilot.pause()
        assert app.editor.recipe.techniques["sgd"].learning_rate == 0.4

        monkeypatch.setenv("VISUAL", "/nowhere/ed")
        await pilot.press("E")
        assert told(app)[-1].startswith("/nowhere/ed: ")


def test_which_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "code --wait")
    monkeypatch.setenv("EDITOR", "vim")
    assert files.editor_command() == ["code", "--wait"]
    monkeypatch.setenv("VISUAL", "it's")
    assert files.editor_command() == ["vim"]
    monkeypatch.setenv("EDITOR", " ")
    monkeypatch.setenv("PATH", "")
    assert files.editor_command() == []


def test_an_editor_that_can_begins_at_the_first_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path("vim")
    program.write_text('#!/bin/sh\necho "$1" >> "$2"\nrm -f nothing\n')
    program.chmod(0o700)
    assert files.edited([str(program.resolve())], "seed = 1\n", "mine", 7) == ("seed = 1\n+7\n", 0)


def test_a_packaged_recipe_is_edited_with_its_comments_and_stays_as_it_is(recipe: Recipe, file: Path) -> None:
    editor = Editor(read_recipe_file(file), None, file)
    assert "# tried 0.1" in editor.toml()
    assert editor.take(editor.toml(), editor.recipe) == [] and not editor.text


async def test_a_terminal_that_cannot_be_left_is_said(make_app: AppFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        monkeypatch.setattr(TerminalApp, "terminal_left", LEFT)
        editor_that(monkeypatch, "")
        await pilot.press("E")
        assert told(app) == ["This terminal cannot be left to an editor."]


async def test_what_was_typed_ahead_of_the_editor_is_not_for_us(
    make_app: AppFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)):
        monkeypatch.setattr(TerminalApp, "suspend", contextlib.nullcontext)
        out = sys.stdout
        before = events.Key("q", "q")
        with LEFT(app):
            assert sys.stdout is out  # libraries go on writing to the log
        assert not app.heeds(before)
        after = events.Key("q", "q")
        after.time = app.event_time() + 1
        assert app.heeds(after)
