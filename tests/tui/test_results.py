"""Confusion matrix, classes and mistakes of a run that is over."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.tui.conftest import AppFactory
from tests.tui.fakes import NOW, history, written
from tests.tui.test_compose import TestPilot
from tests.tui.test_run import head
from tests.tui.test_snapshots import LARGE, SMALL, Compare
from tests.waiting import until
from workbench.evaluation.results import Mistake, Results, write_results
from workbench.events import Finished
from workbench.recipe import Recipe
from workbench.runs.store.directory import RunDirectory
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.widgets import Text
from workbench.tui.run.results import ResultsScreen, classes, pictures
from workbench.tui.run.screen import RunScreen

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def results(names: tuple[str, ...] = NAMES, side: int = 16, mistakes: int = 12) -> Results:
    count = len(names)
    confusion = [[0] * count for _ in names]
    for label in range(count):
        confusion[label][label] = 900 + label
        confusion[label][(label + 1) % count] = 12 * label
        confusion[label][(label + 3) % count] = 2
    pixels = bytes(
        value for y in range(side) for x in range(side)
        for value in ((220, 90, 60) if (x - side / 2) ** 2 + (y - side / 2) ** 2 < side * side / 9 else (40, 80, 5 * y))
    )  # fmt: skip
    wrong = tuple(Mistake(7 * n, n % count, (n + 3) % count, 0.999 - n / 100, pixels) for n in range(mistakes))
    right = sum(confusion[n][n] for n in range(count))
    return Results("test", 230, 0.31, right / sum(map(sum, confusion)), names, tuple(map(tuple, confusion)), side, side,
                   wrong)  # fmt: skip


@pytest.fixture
def run(tmp_path: Path, recipe: Recipe) -> RunDirectory:
    end = Finished(time=NOW, step=230, seconds=9, test_loss=0.1, test_accuracy=0.9)
    return written(tmp_path / "runs" / "20261120-142501-small-3f9c", recipe, [*history(230), end], "finished")


async def opened(pilot: TestPilot) -> None:
    app = pilot.app
    assert isinstance(app, Workbench)
    await until(pilot, lambda: "finished" in head(app))
    await pilot.press("e")
    await until(pilot, lambda: isinstance(app.screen, ResultsScreen))
    await pilot.pause()


async def test_e_shows_classes_and_mistakes(make_app: AppFactory, run: RunDirectory) -> None:
    write_results(run.results_file, results())
    app = make_app(watch=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        assert "automobile" in app.screen.query_one("#result-text", Text).plain
        await pilot.press("v", "j", "v", "escape")
        assert isinstance(app.screen, RunScreen)


async def test_a_run_without_them_says_so(make_app: AppFactory, run: RunDirectory) -> None:
    app = make_app(watch=run)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "finished" in head(app))
        await pilot.press("e")
        await until(pilot, lambda: any("has no evaluation.json" in note.message for note in app._notifications))


@pytest.mark.parametrize(
    ("size", "key"), [(SMALL, "e"), (SMALL, "v"), (LARGE, "")], ids=["classes", "mistakes", "wide"]
)
def test_results(
    snap_compare: Compare, make_app: AppFactory, run: RunDirectory, size: tuple[int, int], key: str
) -> None:
    async def shown(pilot: TestPilot) -> None:
        await opened(pilot)
        if key == "v":
            await pilot.press("v")
        await pilot.pause()

    write_results(run.results_file, results(mistakes=40))
    assert snap_compare(make_app(watch=run, now=lambda: NOW), terminal_size=size, run_before=shown)


def test_the_matrix_has_true_classes_in_rows() -> None:
    lines = classes(results(), 78).plain.splitlines()
    assert [line.split() for line in lines[:2]] == [
        ["airp", "autom"],
        ["true", "class", "right", "lane", "obile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    ]
    assert lines[3].split() == ["automobile", "98.5", "%", "·", "901", "12", "·", "2", "·", "·", "·", "·", "·"]
    assert max(map(len, lines)) <= 78


def test_where_columns_are_narrow_the_names_over_them_are_whole() -> None:
    lines = classes(results(), 74).plain.splitlines()
    assert [line.split() for line in lines[:2]] == [["auto"], ["airp", "mob", "hor", "tru"]]
    assert len({len(line) for line in lines[:13]}) == 1


def test_short_names_stand_under_the_heading() -> None:
    lines = classes(results(tuple("0123456789")), 78).plain.splitlines()
    assert len({len(line) for line in lines[:11]}) == 1


def test_many_classes_are_lists() -> None:
    text = classes(results(tuple(f"class{n}" for n in range(100))), 78).plain
    assert text.splitlines()[:2] == ["most frequent mistakes", " 1188× class99 taken for class0"]
    assert "least recognised" in text


def test_pictures_are_scaled_to_the_room() -> None:
    found = results(side=8)
    shown = pictures(found, 3, 16)
    assert shown.labels[0] == "airplane → cat 100 %" and len(shown.labels) == 3
    pixels = base64.b64decode(shown.pixels)
    assert len(pixels) == 3 * 16 * 16 * 3
    assert pixels[3 * (16 * 9 + 9) :][:3] == found.mistakes[0].pixels[3 * (8 * 4 + 4) :][:3]
