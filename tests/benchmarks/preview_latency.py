"""How long after a key the static preview is right again: the app with its real preview process, driven by keys.

    python -m tests.benchmarks.preview_latency [--data-root DIR] [--toggles 36] [RECIPE …]

For each recipe it switches techniques on and off, among them some that change the network, and measures from the key to
the painted pane with parameters, multiply-adds, steps and learning rates of the new recipe. Prints median, p95 and the
largest in milliseconds. Toggles follow each other faster than the checks are done, as they do when somebody tries
things out.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from pathlib import Path

from textual import events

from workbench.paths import data_root
from workbench.recipe import read_recipe_file
from workbench.runs.find.resolve import resolve_recipe
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.editor import Editor
from workbench.tui.common.services import Settings
from workbench.tui.compose.technique_list import TechniqueList

TOGGLES = ("label_smoothing", "squeeze_excite", "cutout", "dropout", "ema", "activation")
BUDGET = 100.0
"""Milliseconds."""


async def measure(recipe: str, root: Path, toggles: int) -> list[float]:
    """Milliseconds from key to paint of each toggle."""
    settings = Settings(Path("runs"), root, device="cpu")
    app = Workbench(settings, Editor(read_recipe_file(resolve_recipe(recipe))))
    found = []
    async with app.run_test(size=(160, 48)) as pilot:
        await _until(lambda: app.preview.picture.checks is not None)
        names = [name for name in TOGGLES if not _conflicts(app, name)]
        for number in range(toggles):
            app.screen.query_one(TechniqueList).select(f"techniques.{names[number % len(names)]}")
            await pilot.pause(0.4 if number % 3 == 0 else 0.1)  # sometimes in the middle of the checks
            before = app.editor.recipe
            painted = asyncio.Event()
            begun = time.perf_counter()
            app.post_message(events.Key("space", " "))
            await _until(lambda before=before: app.editor.recipe is not before and not app.preview.picture.stale)
            app.screen.call_after_refresh(painted.set)
            await painted.wait()
            found.append((time.perf_counter() - begun) * 1000)
    return found


def _conflicts(app: Workbench, name: str) -> bool:
    """Whether a toggle would leave nothing to preview."""
    app.editor.toggle(name)
    found = bool(app.editor.conflicts())
    app.editor.undo()
    return found


async def _until(condition: object, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            raise SystemExit("the preview does not answer")
        await asyncio.sleep(0.0005)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("recipes", nargs="*", default=["digits", "v2", "resnet20", "resnet18"])
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--toggles", type=int, default=36)
    given = parser.parse_args()
    root = data_root(given.data_root)
    print(f"{'recipe':<12} toggles  median     p95     max  (ms; budget {BUDGET:g} at p95)")
    for recipe in given.recipes:
        found = asyncio.run(measure(recipe, root, given.toggles))
        p95 = statistics.quantiles(found, n=20)[-1]
        print(f"{recipe:<12} {len(found):>7} {statistics.median(found):>7.1f} {p95:>7.1f} {max(found):>7.1f}")


if __name__ == "__main__":
    main()
