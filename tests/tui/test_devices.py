"""Choosing the device."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import OptionList

from tests.runs.test_speed import measured
from tests.tui.conftest import AppFactory
from tests.tui.fakes import FakeTraining
from tests.tui.test_compose import go_to
from tests.waiting import until
from workbench.devices import GIB, Gpu, GpuProcess
from workbench.recipe import Recipe
from workbench.tui.choosing import cuda_numbers
from workbench.tui.machine import gpu_lines
from workbench.tui.screens.devices import DeviceScreen
from workbench.tui.widgets.preview import PreviewPane

FREE = Gpu(0, "GPU-aaaa", "NVIDIA H100", 78 * GIB, 80 * GIB)
BUSY = Gpu(
    1, "GPU-bbbb", "NVIDIA H100", 12 * GIB, 80 * GIB, (GpuProcess(4711, 60 * GIB, "python"), GpuProcess(4712, None, ""))
)


def test_a_gpu_in_words() -> None:
    assert gpu_lines(FREE) == ("NVIDIA H100  78.0 of 80.0 GiB free", "")
    assert gpu_lines(BUSY)[1] == "used by python (pid 4711) 60.0 GiB, a process (pid 4712)"


@pytest.mark.parametrize(
    ("visible", "numbers"),
    [
        (None, [0, 1]),
        ("1", [None, 0]),
        ("1,0", [1, 0]),
        ("GPU-bbbb", [None, 0]),
        ("", [None, None]),
        ("-1", [None, None]),
    ],
)
def test_numbers_follow_what_is_visible(visible: str | None, numbers: list[int | None]) -> None:
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert cuda_numbers([FREE, BUSY], environment) == numbers


async def test_the_chosen_device_trains_the_next_run(make_app: AppFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    training = FakeTraining(20)
    app = make_app(execute=training, gpus=lambda: [FREE, BUSY])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, DeviceScreen))
        options = app.screen.query_one(OptionList)
        assert [option.id for option in options.options] == ["auto", "cpu", "cuda:0", "cuda:1"]
        assert options.highlighted == 1  # what is in use
        assert "pid 4711" in str(options.get_option("cuda:1").prompt)
        await pilot.press("down", "down", "enter")
        await pilot.pause()
        assert app.device == "cuda:1"
        assert ["used by python (pid 4711)" in n.message for n in app._notifications] == [True]
        assert "cuda:1" in str(app.screen.query_one("#list-pane").border_subtitle)
        await pilot.press("r")
        await until(pilot, lambda: bool(training.calls))
        assert training.calls[0]["device"] == "cuda:1"


async def test_without_a_gpu_and_without_a_choice(make_app: AppFactory) -> None:
    app = make_app(gpus=list)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("D", "D")
        await until(pilot, lambda: isinstance(app.screen, DeviceScreen))
        assert [option.id for option in app.screen.query_one(OptionList).options] == ["auto", "cpu"]
        await pilot.press("escape")
        await pilot.pause()
        assert app.device == "cpu" and not app._notifications


async def test_the_time_of_a_run_follows_from_what_was_measured(make_app: AppFactory, recipe: Recipe) -> None:
    measured(Path("runs"), recipe, 1, 479.0, 24_000_000)
    app = make_app(preview=True)
    async with app.run_test(size=(160, 48)) as pilot:
        numbers = app.screen.query_one(PreviewPane).numbers
        await until(pilot, lambda: "3.0 s an epoch, 30 s in all" in numbers.plain)
        assert "from small, 479 img/s on cpu" in numbers.plain and "≈" not in numbers.plain
        await go_to(pilot, "techniques.dropout")
        await pilot.press("space")
        await until(pilot, lambda: "≈ 3" in numbers.plain)
