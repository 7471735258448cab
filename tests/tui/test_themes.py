"""Every theme that a user can choose has what our styles and charts need."""

from __future__ import annotations

from pathlib import Path

from tests.tui.conftest import AppFactory
from tests.tui.fakes import history, written
from tests.tui.test_run import head
from tests.waiting import until
from workbench.recipe import Recipe


async def test_all_themes(make_app: AppFactory, tmp_path: Path, recipe: Recipe) -> None:
    app = make_app(watch=written(tmp_path / "runs" / "run", recipe, history(100)))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "step 100" in head(app))
        for name in app.available_themes:
            app.theme = name
            await pilot.pause()  # the variables follow with the styles
            colours = [value for value in vars(app.palette).values() if not isinstance(value, bool)]
            kind = int if "ansi" in name else tuple
            assert [type(colour) for colour in colours] == [kind] * 6
            parts = colours if kind is int else [part for colour in colours for part in colour]
            assert all(0 <= part <= (15 if kind is int else 255) for part in parts)
        await pilot.press("1")
        app.theme = "textual-light"
        await pilot.pause()
