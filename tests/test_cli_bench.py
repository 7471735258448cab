"""workbench bench as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.runs.helpers import Command, invoke

DIGITS = ("digits", "--device", "cpu", "--set", "train.threads=1")


@pytest.fixture
def workbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: invoke(capsys, *arguments)


def test_the_modes_stand_in_a_table(workbench: Command) -> None:
    chosen = ("--mode", "off", "--pipeline", "device", "--seconds", "0.5")
    result = workbench("bench", *DIGITS, *chosen)
    assert result.code == 0
    assert "digits on cpu, threads 1" in result.out and "images/s" in result.out and "floor:" in result.out
    found = json.loads(workbench("bench", *DIGITS, *chosen, "--json").out)
    assert [(v["compile"], v["pipeline"]) for v in found["variants"]] == [("off", "device")]


@pytest.mark.slow
def test_the_time_to_an_accuracy_and_the_exit_code_where_it_is_not_reached(workbench: Command) -> None:
    result = workbench("bench", *DIGITS, "--set", "train.epochs=1", "--to", "99.9", "--seeds", "2")
    assert result.code == 3
    assert "seed 0: " in result.out and "99.90 % not reached" in result.out
    result = workbench("bench", *DIGITS, "--set", "train.epochs=1", "--to", "20", "--seeds", "1", "--json")
    assert result.code == 0 and json.loads(result.out)["reached"] is True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--mode", "fast"), "--mode fast: expected off or graph or default or max"),
        (("--pipeline", "x"), "--pipeline x: expected device or loader"),
        (("--to", "0"), "--to 0: expected a test accuracy in percent"),
    ],
)
def test_wrong_input_is_one_line(workbench: Command, arguments: tuple[str, ...], message: str) -> None:
    result = workbench("bench", *DIGITS, *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err and result.err.count("\n") == 1
