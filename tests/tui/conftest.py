"""Fixtures for the terminal's tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_textual_snapshot
from syrupy.location import PyTestLocation
from textual.app import App
from textual.pilot import Pilot

from tests.tui.fakes import FAKE_PREVIEW, FAKE_PROFILE, HERE, RECIPE, FakeTraining
from workbench.recipe import Recipe, read_recipe
from workbench.tui.editing import Editor
from workbench.tui.settings import Settings
from workbench.tui.workbench_app import Workbench


def _snapshots(cls: type, *, test_location: PyTestLocation) -> str:
    return str(HERE.parent.parent / "snapshots")


# All pictures lie in one folder of the repository, not beside the tests.
pytest_textual_snapshot.SVGImageExtension.dirname = classmethod(_snapshots)


_run_test = App.run_test


@contextlib.asynccontextmanager
async def _run_test_as_in_a_terminal(app: App[Any], **keywords: Any) -> AsyncIterator[Pilot[Any]]:
    """``App.run`` makes tasks eager where Python can; ``App.run_test`` does not, and so cannot see what that breaks."""
    if hasattr(asyncio, "eager_task_factory"):
        asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    async with _run_test(app, **keywords) as pilot:
        yield pilot


@pytest.fixture(autouse=True)
def _tasks_as_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(App, "run_test", _run_test_as_in_a_terminal)


@pytest.fixture
def recipe() -> Recipe:
    return read_recipe(RECIPE)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


AppFactory = Callable[..., Workbench]


@pytest.fixture
def make_app(tmp_path: Path, recipe: Recipe) -> AppFactory:
    """An app with its places in a temporary folder.

    ``recipe`` and ``path`` go to its editor, ``settings`` to its Settings, the rest to Workbench.

    ``preview``: the fake preview process, which takes half a second to start, instead of one that is silent.
    """

    def make(
        *,
        recipe: Recipe = recipe,
        path: Path | None = None,
        preview: bool = False,
        settings: dict[str, Any] | None = None,
        device: str = "cpu",
        **keywords: object,
    ) -> Workbench:
        places = Settings(Path("runs"), Path("data"), device=device, **(settings or {}))
        keywords.setdefault("preview_command", FAKE_PREVIEW if preview else ["sleep", "60"])
        keywords.setdefault("profile_command", FAKE_PROFILE)
        keywords.setdefault("poll", 0.25)
        keywords.setdefault("trouble", lambda: None)
        keywords.setdefault("execute", FakeTraining())
        return Workbench(places, Editor(recipe, path), **keywords)

    return make
