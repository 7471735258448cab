"""Keys that arrive in one read: each finds what the one before it opened, and none answers a question nobody saw."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tui.many_runs import many_runs
from tests.tui.test_terminal import Terminal
from workbench.recipe import Recipe, read_recipe_file
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import read_notes
from workbench.runs.store.trash import deletions

pytestmark = pytest.mark.terminal

ENTER, ESCAPE, UP, DOWN, HOME, ERASE = "\r", "\x1b", "\x1b[A", "\x1b[B", "\x1b[H", "\x15"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path, 5)
    yield opened
    opened.close()


def until(terminal: Terminal, what: Callable[[], object], seconds: float = 30) -> None:
    """Read what the program writes until something has come about."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end and terminal.process.poll() is None, terminal.seen[-2000:]
        terminal.read(0.05)


def screens(terminal: Terminal) -> str:
    """All that was ever on the screen, without the escape sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.seen)


def saved(terminal: Terminal, name: str) -> Recipe:
    """The recipe that is saved under a name, once it is."""
    path = terminal.folder / "recipes" / f"{name}.toml"
    until(terminal, path.exists)
    return read_recipe_file(path)


def recipes(terminal: Terminal) -> list[str]:
    return sorted(path.name for path in (terminal.folder / "recipes").glob("*"))


def test_a_name_typed_ahead_is_the_name(terminal: Terminal) -> None:
    terminal.wait_for("batch_norm")
    terminal.press("Smy-run" + ENTER)
    assert saved(terminal, "my-run").name == "my-run" and recipes(terminal) == ["my-run.toml"]


def test_typed_before_anything_was_drawn(terminal: Terminal) -> None:
    until(terminal, lambda: "\x1b[?1049h" in terminal.seen)
    terminal.press("Searly" + ENTER)
    assert saved(terminal, "early").name == "early"


def test_typed_before_the_program_had_the_terminal(terminal: Terminal) -> None:
    terminal.press("/label_sm" + ENTER + " Searlier" + ENTER)
    assert saved(terminal, "earlier").on("label_smoothing")


def test_a_filter_a_toggle_a_form_and_a_name_in_one_read(terminal: Terminal) -> None:
    terminal.wait_for("batch_norm")
    terminal.press("/label_sm" + ENTER + " /" + ERASE + ENTER + HOME + DOWN * 3 + ENTER + "7" + ENTER + "Sone" + ENTER)
    recipe = saved(terminal, "one")
    assert recipe.on("label_smoothing") and recipe.train.epochs == 7


def test_a_recipe_is_opened_changed_taken_back_and_saved_in_one_read(terminal: Terminal) -> None:
    terminal.wait_for("batch_norm")
    terminal.press("oresnet20" + ENTER + "/label_sm" + ENTER + " uU" + "Sdeep" + ENTER)
    recipe = saved(terminal, "deep")
    assert recipe.model.name == "resnet" and recipe.on("label_smoothing")


def test_help_and_screens_are_opened_and_closed_on_the_way(terminal: Terminal) -> None:
    terminal.wait_for("batch_norm")
    terminal.press("?q2?q3?q4?q1Sthere" + ENTER)
    assert saved(terminal, "there").name == "there"


def test_what_is_pasted_takes_its_turn(terminal: Terminal) -> None:
    terminal.wait_for("batch_norm")
    terminal.press("S\x1b[200~pasted\x1b[201~" + ENTER)
    assert saved(terminal, "pasted").name == "pasted"


def test_a_recipe_that_is_there_is_never_replaced_unseen(terminal: Terminal) -> None:
    path = terminal.folder / "recipes" / "my-run.toml"
    path.parent.mkdir()
    path.write_text("name = 'precious'\n")
    terminal.wait_for("batch_norm")
    terminal.press("Smy-run" + ENTER + ENTER + UP + ENTER)
    terminal.wait_for("exists already")
    terminal.read(0.5)
    assert path.read_text() == "name = 'precious'\n" and recipes(terminal) == ["my-run.toml"]
    terminal.press(UP + ENTER)  # the question is still there
    until(terminal, lambda: "precious" not in path.read_text())
    assert read_recipe_file(path).name == "my-run"


def test_enter_keeps_what_is_there(terminal: Terminal) -> None:
    path = terminal.folder / "recipes" / "my-run.toml"
    path.parent.mkdir()
    path.write_text("name = 'precious'\n")
    terminal.wait_for("batch_norm")
    terminal.press("Smy-run" + ENTER)
    terminal.wait_for("exists already")
    terminal.read(0.3)
    terminal.press(ENTER)
    terminal.read(0.3)
    terminal.press("-2" + ENTER)  # back where the name is written
    assert saved(terminal, "my-run-2").name == "my-run-2" and path.read_text() == "name = 'precious'\n"


def test_escape_leaves_a_dialog_although_enter_came_with_it(terminal: Terminal) -> None:
    terminal.wait_for("batch_norm")
    terminal.press("Snever")
    terminal.wait_for("writes recipes/never.toml")
    terminal.press(ESCAPE + ENTER)  # one read: the bytes of Enter with Alt
    terminal.read(0.5)
    terminal.press(ESCAPE + "Safter" + ENTER)
    assert saved(terminal, "after").name == "after" and recipes(terminal) == ["after.toml"]


# Runs


@pytest.fixture
def runs(tmp_path: Path) -> list[RunDirectory]:
    """Five runs, the newest first."""
    return many_runs(tmp_path / "runs", 5, time.time())[::-1]


def test_notes_and_tags_get_all_their_text(runs: list[RunDirectory], terminal: Terminal) -> None:
    terminal.wait_for("batch_norm")
    terminal.press("4" + "n" + "for the table" + ENTER + "j" + "t" + "\x15paper wide" + ENTER)
    until(terminal, lambda: read_notes(runs[1]).tags == ("paper", "wide"))
    assert "for the table" in read_notes(runs[0]).note


def test_nothing_is_deleted_by_who_saw_no_question(runs: list[RunDirectory], terminal: Terminal) -> None:
    terminal.wait_for("batch_norm")
    terminal.press("4 j jd" + ENTER + UP + ENTER)
    terminal.wait_for("The run under the cursor")
    terminal.read(0.5)
    assert all(run.exists() for run in runs)
    told = screens(terminal)
    assert runs[0].name in told and runs[1].name in told and "not among them and stays" in told
    terminal.press(ENTER)  # the question was still there, and this keeps them
    terminal.read(0.5)
    assert all(run.exists() for run in runs)
    terminal.press("d")
    terminal.wait_for("kept for 7 days")
    terminal.read(0.5)
    terminal.press(UP + ENTER)
    until(terminal, lambda: not runs[0].exists() and not runs[1].exists())
    assert len(deletions(terminal.folder / "runs")[0].runs) == 2
    terminal.read(1)
    terminal.press("u")
    until(terminal, lambda: all(run.exists() for run in runs))


def test_changes_are_not_given_up_unseen(runs: list[RunDirectory], terminal: Terminal) -> None:
    terminal.wait_for("batch_norm")
    terminal.press("/channels_last" + ENTER + " 4l" + DOWN + ENTER)
    terminal.wait_for("Unsaved changes")
    terminal.read(0.5)
    terminal.press(ESCAPE)
    terminal.read(0.5)
    terminal.press("1q" + DOWN + ENTER)
    terminal.read(0.5)
    assert terminal.process.poll() is None
    terminal.press(ESCAPE)
    terminal.read(0.5)
    terminal.press("Skept" + ENTER)
    assert saved(terminal, "kept").on("channels_last")


def test_no_training_is_stopped_by_who_saw_no_question(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, 1000)
    try:
        terminal.wait_for("batch_norm")
        terminal.press("r")
        terminal.wait_for("Accuracy")
        terminal.press("s" + UP + ENTER)
        terminal.wait_for("Stop this run?")
        terminal.read(0.5)
        assert terminal.events()[-1]["kind"] != "stopped"
        terminal.press(UP + ENTER)
        until(terminal, lambda: terminal.events()[-1]["kind"] == "stopped")
    finally:
        terminal.close()


# A paste whose end is lost


def test_keys_act_again_after_a_paste_without_an_end(terminal: Terminal) -> None:
    terminal.wait_for("batch_norm")
    terminal.press("S\x1b[200~lost")
    terminal.wait_for("lost")  # which it is once the paste is given up
    terminal.press("-end" + ENTER)
    assert saved(terminal, "lost-end").name == "lost-end"
    terminal.press("\x1b[200~")
    for _ in range(15):  # pressed in vain, which must not put it off for ever
        terminal.read(0.1)
        terminal.press("x")
    seen, tries = screens(terminal).count("Save as"), 0
    while screens(terminal).count("Save as") == seen:  # how long that is, depends on when a busy machine reads it
        assert (tries := tries + 1) <= 20
        terminal.press("S")
        terminal.read(1.5)
    terminal.press("after" + ENTER)
    until(terminal, lambda: any(name.endswith("after.toml") for name in recipes(terminal)))
