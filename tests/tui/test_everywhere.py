"""What is the same on every screen: copying, a small terminal, a slow link."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.tui.conftest import AppFactory
from tests.tui.fakes import history, written
from tests.tui.test_run import head
from tests.waiting import until
from workbench.recipe import Recipe, read_recipe
from workbench.settings import Screens
from workbench.tui.app.opening import ascii_only
from workbench.tui.app.terminal_app import TooSmallScreen
from workbench.tui.common import clipboard
from workbench.tui.common.clipboard import CopiedScreen


async def test_y_copies_the_recipe(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("y")
        assert isinstance(app.screen, CopiedScreen)
        assert read_recipe(app.clipboard) == app.editor.recipe
        await pilot.press("j", "k", "escape")
        assert not isinstance(app.screen, CopiedScreen)


async def test_y_copies_the_command_of_a_run(make_app: AppFactory, tmp_path: Path, recipe: Recipe) -> None:
    run = written(tmp_path / "runs" / "20261120-142501-small-3f9c", recipe, history(100))
    app = make_app(watch=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "step 100" in head(app))
        await pilot.press("y")
        words = app.clipboard.split()
        assert words[:3] == ["workbench", "run", str(run.recipe_file)]
        assert words[-2:] == ["--device", "cpu"]


def test_tmux_is_told_by_its_own_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmux = tmp_path / "tmux"
    tmux.write_text(f'#!/bin/sh\ncase "$*" in *-w*) exit 1;; esac\ncat > {tmp_path}/copied\n')
    tmux.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    clipboard._to_tmux("a recipe")
    assert (tmp_path / "copied").read_text() == "a recipe"


async def test_osc_52(make_app: AppFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    app = make_app()
    async with app.run_test(size=(80, 24)):
        sent: list[str] = []
        monkeypatch.setattr(app._driver, "write", sent.append)
        clipboard.send(app, "lr = 0.1\n")
        assert f"\x1b]52;c;{base64.b64encode(b'lr = 0.1' + bytes([10])).decode()}\a" in sent


async def test_a_terminal_that_is_too_small(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        form = app.screen
        await pilot.resize_terminal(50, 10)
        await until(pilot, lambda: isinstance(app.screen, TooSmallScreen))
        assert "50×10" in app.screen.query_one("#too-small").plain  # type: ignore[attr-defined]
        await pilot.resize_terminal(40, 12)
        await until(pilot, lambda: "40×12" in app.screen.query_one("#too-small").plain)  # type: ignore[attr-defined]
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: app.screen is form)


async def test_a_terminal_that_is_too_small_from_the_start(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(59, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, TooSmallScreen))
        await pilot.press("q")
    assert app.return_value == ""


async def test_a_slow_link_gets_less(make_app: AppFactory, tmp_path: Path, recipe: Recipe) -> None:
    run = written(tmp_path / "runs" / "20261120-142501-small-3f9c", recipe, history(100))
    app = make_app(watch=run, settings={"screens": Screens(link="slow")}, poll=0.1)
    async with app.run_test(size=(80, 24)) as pilot:
        assert app.data_seconds == pytest.approx(0.5)
        await pilot.press("B")
        assert app.data_seconds == pytest.approx(0.1)
        assert app.tracked is not None
        assert app.tracked._follower.interval == pytest.approx(0.1)
        await until(pilot, lambda: "step 100" in head(app))


@pytest.mark.parametrize(
    ("setting", "environment", "expected"),
    [
        ("auto", {"TERM": "xterm-256color"}, False),
        ("auto", {"TERM": "xterm-256color", "LANG": "en_GB.UTF-8"}, False),
        ("auto", {"TERM": "xterm-256color", "LANG": "en_GB.UTF-8", "LC_ALL": "C"}, True),
        ("auto", {"TERM": "xterm", "LANG": "de_DE.ISO-8859-1"}, True),
        ("auto", {"TERM": "linux", "LANG": "C.UTF-8"}, True),
        ("braille", {"TERM": "linux"}, False),
        ("ascii", {"TERM": "xterm-256color"}, True),
    ],
)
def test_where_ascii_has_to_do(setting: str, environment: dict[str, str], expected: bool) -> None:
    assert ascii_only(Screens(charts=setting), environment) is expected
