"""A thousand runs in a folder: how long the list takes, on disk and on screen.

    python tests/benchmarks/run_list.py [--runs 1000] [--turns 5] [--width 160] [--height 48]

Makes the runs in a temporary folder (recipe, status, events, some with tags), then prints the median and the range of:
the first listing, with nothing known of the folder but warm file caches; a refresh in which nothing changed; on the
screen (Textual's headless driver) the time from key 4 until the table shows the runs, and from cursor-down until
the row that has the cursor now is rendered (Textual collects updates for up to a sixtieth of a second).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from textual.strip import Strip

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.tui.fakes import RECIPE
from tests.tui.many_runs import many_runs
from workbench.recipe import read_recipe
from workbench.runs.find.catalog import Catalog
from workbench.runs.find.query import parse
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.editor import Editor
from workbench.tui.common.services import Settings
from workbench.tui.runs.screen import RunsScreen
from workbench.tui.runs.table import RunTable


def milliseconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


def on_disk(root: Path, turns: int) -> dict[str, list[float]]:
    """First listing, refresh, and a filter over all runs."""
    measured: dict[str, list[float]] = {"first listing": [], "refresh, nothing changed": [], "filter": []}
    for _ in range(turns):
        catalog = Catalog(root)
        measured["first listing"].append(milliseconds(catalog.refresh))
        measured["refresh, nothing changed"].append(milliseconds(catalog.refresh))
        select = partial(parse("state:finished acc>0.9 small").select, catalog.refresh().entries, time.time())
        measured["filter"].append(milliseconds(select))
    return measured


async def on_screen(root: Path, turns: int, size: tuple[int, int]) -> dict[str, list[float]]:
    """From key 4 to the runs in the table; and cursor-down until the screen has nothing left to draw."""
    measured: dict[str, list[float]] = {"Runs screen, key to rows": [], "cursor down, key to drawn": []}
    for _ in range(turns):
        app = Workbench(
            Settings(root, root, "cpu"), Editor(read_recipe(RECIPE)), preview_command=["sleep", "60"], poll=1.0
        )
        async with app.run_test(size=size) as pilot:
            await pilot.pause(0.5)
            begun = time.perf_counter()
            app.simulate_key("4")
            while not (isinstance(app.screen, RunsScreen) and app.screen.query(RunTable) and _rows(app)):
                await asyncio.sleep(0.001)
            measured["Runs screen, key to rows"].append(1000 * (time.perf_counter() - begun))
            await pilot.pause(1.5)
            for _ in range(40):  # further than the rows in sight: the last ones scroll
                measured["cursor down, key to drawn"].append(await _down(app))
                await asyncio.sleep(0.05)
    return measured


def _rows(app: Workbench) -> bool:
    table = app.screen.query_one(RunTable)
    return bool(table.in_sight) and "finished" in table.render_line(2).text


async def _down(app: Workbench) -> float:
    """Milliseconds from the key to the moment at which the new cursor row is rendered for the terminal."""
    table = app.screen.query_one(RunTable)
    target, drawn, real = table.cursor + 1, [], table.render_line

    def render_line(y: int) -> Strip:
        strip = real(y)
        if table.cursor == target == y - 1 + table.scroll_offset.y:
            drawn.append(time.perf_counter())
        return strip

    table.render_line = render_line  # type: ignore[method-assign]
    begun = time.perf_counter()
    app.simulate_key("down")
    while not drawn:
        await asyncio.sleep(0.0005)
    del table.render_line
    return 1000 * (drawn[0] - begun)


def main() -> None:
    """Make the runs, measure, print a table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--runs", type=int, default=1000)
    arguments.add_argument("--turns", type=int, default=5)
    arguments.add_argument("--width", type=int, default=160)
    arguments.add_argument("--height", type=int, default=48)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "runs"
        many_runs(root, given.runs, time.time())
        size = (given.width, given.height)
        measured = on_disk(root, given.turns) | asyncio.run(on_screen(root, given.turns, size))
    print(f"{given.runs:,} runs, {given.width}×{given.height}\n")
    print("| what | ms, median (min to max) | times |\n|---|---|---|")
    for name, times in measured.items():
        print(f"| {name} | {statistics.median(times):.1f} ({min(times):.1f} to {max(times):.1f}) | {len(times)} |")


if __name__ == "__main__":
    main()
