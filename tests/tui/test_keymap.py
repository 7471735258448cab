"""The registry of actions, and a user's own keys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from tests.tui.conftest import AppFactory
from workbench.settings import SettingsError, read_settings
from workbench.tui.app.opening import keymap
from workbench.tui.common.actions import ACTIONS, Where, actions


def keys(folder: Path, text: str) -> dict[str, str]:
    path = folder / "settings.toml"
    path.write_text(text)
    return keymap(read_settings(path))


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        keys(folder, text)
    return [str(problem).removeprefix(str(folder / "settings.toml")) for problem in caught.value.problems]


def test_every_action_has_a_name_of_its_own() -> None:
    ids = [action.id for action in ACTIONS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+\.[a-z_0-9]+", name) for name in ids)


def test_the_help_has_room_for_every_sentence_at_80_columns() -> None:
    assert [action.id for action in ACTIONS if len(action.about) > 62] == []


@pytest.mark.parametrize("where", get_args(Where))
def test_no_key_means_two_things_on_a_screen(where: Where) -> None:
    found = [key for action in actions(where) if not action.instead_of for key in action.keys.split(",")]
    assert sorted(found) == sorted(set(found))


def test_two_actions_of_which_only_one_can_be_done_may_share_a_key(tmp_path: Path) -> None:
    both = keys(tmp_path, '[keys.run]\ngo_on = "k"\ncheckpoint = "k"\nscroll_previous = "f9"')
    assert both["run.go_on"] == both["run.checkpoint"] == "k"
    with pytest.raises(SettingsError, match=r"keys.run.go_on: 'p' is the key of run.pause already"):
        keys(tmp_path, '[keys.run]\ngo_on = "p"')


def test_keys_as_people_write_them(tmp_path: Path) -> None:
    text = '[keys.compose]\nrun = "f5"\nundo = ["ctrl+u", "+"]\nscroll_previous = "alt+up"\n[keys.app]\nhelp = "!"\n'
    assert keys(tmp_path, text) == {
        "compose.run": "f5",
        "compose.undo": "ctrl+u,plus",
        "compose.scroll_previous": "alt+up",
        "app.help": "exclamation_mark",
    }


def test_what_is_wrong_says_what_to_write(tmp_path: Path) -> None:
    text = '[keys.compose]\nrum = "f5"\nsave = "f55"\nopen = "crtl+o"\nedit = 3\n[keys.componse]\n'
    assert problems(tmp_path, text) == [
        ":2: keys.compose.rum: there is no action 'rum'; did you mean 'run'?",
        ":3: keys.compose.save: 'f55' is no key; did you mean 'f5'?; examples: f5, ctrl+s, S, ?, space, pageup",
        ":4: keys.compose.open: 'crtl+o' is no key: 'crtl' is no modifier; did you mean 'ctrl'?",
        """:5: keys.compose.edit: expected a key such as "f5" or a list of keys, found 3""",
        ":6: keys.componse: there is no screen 'componse'; did you mean 'compose'?",
    ]


def test_a_key_that_would_mean_two_things(tmp_path: Path) -> None:
    text = '[keys.compose]\nrun = "o"\n[keys.app]\nhelp = "p"\n'
    assert problems(tmp_path, text) == [
        ":4: keys.app.help: 'p' is the key of run.pause already; give that one another key in [keys], too",
        ":2: keys.compose.run: 'o' is the key of compose.open already; give that one another key in [keys], too",
    ]
    assert keys(tmp_path, '[keys.compose]\nrun = "o"\nopen = "r"\n') == {"compose.run": "o", "compose.open": "r"}


async def test_a_users_key_works_and_is_shown(make_app: AppFactory) -> None:
    app = make_app(settings={"keymap": {"compose.toggle_technique": "t", "app.help": "f2"}})
    async with app.run_test(size=(80, 24)) as pilot:
        assert " t on/off" in app.screen.query_one("KeyBar").plain  # type: ignore[attr-defined]
        await pilot.press("/", *"xavier", "enter", "space")
        assert not app.editor.recipe.on("xavier")
        await pilot.press("t")
        assert app.editor.recipe.on("xavier")
        await pilot.press("question_mark")
        assert len(app.screen_stack) == 1
        await pilot.press("f2")
        assert len(app.screen_stack) == 2
