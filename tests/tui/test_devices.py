"""Choosing the device."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import OptionList

from tests.runs.find.test_speed import measured
from tests.tui.conftest import AppFactory
from tests.tui.fakes import FakeTraining
from tests.tui.test_compose import go_to
from tests.waiting import until
from workbench.devices import GIB, Gpu, GpuProcess, Trouble
from workbench.recipe import Recipe
from workbench.tui.compose.devices import DeviceScreen, cuda_numbers, gpu_lines, gpus_in_words
from workbench.tui.compose.side import PreviewPane

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


MISMATCH = Trouble("the GPU cannot be used: Driver/library version mismatch (driver 535.1): restart it")


async def test_a_gpu_that_cannot_be_used_is_said_before_a_run_is_made(make_app: AppFactory) -> None:
    training = FakeTraining(20)
    app = make_app(execute=training, gpus=list, trouble=lambda: MISMATCH, device="auto")
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.screen.query_one("#list-pane")
        await until(pilot, lambda: "GPU unusable, D says why" in str(pane.border_subtitle))
        await pilot.press("r")
        await pilot.pause()
        (notice,) = app._notifications
        assert notice.severity == "error" and notice.message.startswith(MISMATCH.text)
        assert notice.message.endswith("or go on without it: D in Compose, cpu.")
        assert not training.calls and not Path("runs").exists()
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, DeviceScreen))
        assert "refuses: the GPU cannot be used" in str(app.screen.query_one(OptionList).get_option("auto").prompt)
        words = " ".join(str(app.screen.query_one(".question").render()).split())
        assert MISMATCH.text in words and words.endswith("or go on without the GPU: choose cpu.")
        await pilot.press("down", "enter")  # the CPU
        await pilot.pause()
        assert app.device == "cpu" and "unusable" not in str(pane.border_subtitle)
        await pilot.press("r")
        await until(pilot, lambda: bool(training.calls))
        assert training.calls[0]["device"] == "cpu"


async def test_a_gpu_in_doubt_may_be_tried(make_app: AppFactory) -> None:
    training = FakeTraining(20)
    doubt = Trouble("its library is not installed here", certain=False)
    app = make_app(execute=training, gpus=list, trouble=lambda: doubt, device="auto")
    async with app.run_test(size=(80, 24)) as pilot:
        pane = app.screen.query_one("#list-pane")
        await until(pilot, lambda: "GPU in doubt, D says why" in str(pane.border_subtitle))
        await pilot.press("r")
        await until(pilot, lambda: bool(training.calls))
        assert training.calls[0]["device"] == "auto"


def test_a_gpu_whose_memory_is_not_told_keeps_its_line() -> None:
    unified = Gpu(0, "GPU-cccc", "NVIDIA GB10", None, None, (GpuProcess(4711, None, "python"),))
    assert gpu_lines(unified) == ("NVIDIA GB10", "used by python (pid 4711)")
    assert gpus_in_words([unified]) == "1 GPU, busy"
    assert gpus_in_words([unified, FREE]) == "2 GPUs, 78 GiB free"
