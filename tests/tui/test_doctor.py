"""The report on the machine, opened from the dialog of devices."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.tui.conftest import AppFactory
from tests.waiting import until
from workbench.doctor.finding import Finding
from workbench.tui.common.widgets import Text
from workbench.tui.compose.devices import DeviceScreen
from workbench.tui.compose.examinations import DoctorScreen, Heard, MachineExamination

FAKE = [sys.executable, str(Path(__file__).with_name("fake_doctor.py"))]


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_what_is_to_be_done_stands_first(make_app: AppFactory, size: tuple[int, int]) -> None:
    app = make_app(gpus=list, doctor_command=FAKE)
    async with app.run_test(size=size) as pilot:
        await pilot.press("D", "d")
        await until(pilot, lambda: isinstance(app.screen, DoctorScreen))
        shown = app.screen.query_one(".doctor--findings", Text)
        await until(pilot, lambda: "looked at" in app.screen.query_one(".doctor--summary", Text).plain)
        lines = shown.plain.splitlines()
        assert lines[0] == r"✗ runs  /runs\x1b[2J: no answer within 10 s; every run hangs there"
        assert lines[1] == "    → take another folder"
        assert "size" in shown.plain and "not a terminal" not in shown.plain  # the app knows its own terminal
        assert "1 broken: runs" in app.screen.query_one(".doctor--summary", Text).plain
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, DeviceScreen))


async def test_closing_it_ends_the_process(make_app: AppFactory) -> None:
    app = make_app(gpus=list, doctor_command=[*FAKE, "hang"])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("D", "d")
        await until(pilot, lambda: bool(children()))
        await pilot.press("escape")
        await until(pilot, lambda: not children())


def children() -> list[psutil.Process]:
    return [
        each
        for each in psutil.Process().children()
        if each.status() != psutil.STATUS_ZOMBIE and any("fake_doctor" in word for word in each.cmdline())
    ]


@pytest.mark.parametrize(
    ("command", "words"), [([*FAKE], "ended with code 1"), (["/nowhere/workbench"], "cannot be started")]
)
def test_one_that_does_not_come_to_an_end_says_so(command: list[str], words: str) -> None:
    heard: list[Heard[Finding]] = []
    MachineExamination(command, list, heard.append).start()
    end = time.monotonic() + 30
    while not (heard and heard[-1].over) and time.monotonic() < end:
        time.sleep(0.01)
    assert words in heard[-1].error
