"""``workbench keys`` and ``workbench settings``, and the settings' effect on every command."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.runs.helpers import Command, invoke
from workbench.tui.common.actions import ACTIONS


@pytest.fixture
def workbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)
    for name in ("WORKBENCH_RUNS", "WORKBENCH_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORKBENCH_SETTINGS", str(tmp_path / "settings.toml"))
    return lambda *arguments: invoke(capsys, *arguments)


def test_keys_lists_every_action_with_the_users_keys(workbench: Command, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('[keys.compose]\nrun = ["f5", "R"]\n')
    found = json.loads(workbench("keys", "--json").out)
    assert {entry["action"] for entry in found} == {action.id for action in ACTIONS}
    assert next(entry["keys"] for entry in found if entry["action"] == "compose.run") == ["f5", "R"]
    text = workbench("keys").out
    assert "compose.filter" in text
    assert " / " in text


def test_settings_prints_a_file_that_can_be_used(workbench: Command, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('device = "cpu"\n[screens]\nlink = "slow"\n[keys.compose]\nrun = "f5"\n')
    before = json.loads(workbench("settings", "--json").out)
    assert (before["device"], before["screens"]["link"], before["keys"]) == ("cpu", "slow", {"compose": {"run": "f5"}})
    printed = workbench("settings").out
    assert tomllib.loads(printed)["screens"]["link"] == "slow"
    (tmp_path / "settings.toml").write_text(printed)
    assert json.loads(workbench("settings", "--json").out) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[screens]\ntheme = "nrod"\n', ":2: screens.theme: there is no theme 'nrod'; did you mean 'nord'?"),
        ("[keys.run]\npuase = 'x'\n", ":2: keys.run.puase: there is no action 'puase'; did you mean 'pause'?"),
        ("rusn = 'x'\n", ":1: rusn: unknown key 'rusn'; did you mean 'runs'?"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(workbench: Command, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "settings.toml").write_text(text)
    result = workbench("settings")
    assert (result.code, result.err) == (2, f"{tmp_path / 'settings.toml'}{message}\n")


def test_sixel_without_its_encoder_says_how_to_have_it(
    workbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").write_text('[screens]\npictures = "sixel"\n')
    monkeypatch.setattr("workbench.tui.app.opening.has_encoder", lambda: True)
    assert workbench("settings").code == 0
    monkeypatch.setattr("workbench.tui.app.opening.has_encoder", lambda: False)
    result = workbench("settings")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert ":2: screens.pictures: Sixel needs textual-image" in result.err and "pip install" in result.err


EVERYTHING = """\ufeffrusn = 'x'
device = "gpu"
plugins = ["gone.py"]

[screens]
theme = "nrod"
link = "fast"

[keys.run]
puase = "x"
stop = "f99"
"""


@pytest.mark.parametrize("command", ["settings", "keys", "runs"])
def test_everything_that_is_wrong_is_said_in_one_round(workbench: Command, tmp_path: Path, command: str) -> None:
    (tmp_path / "settings.toml").write_text(EVERYTHING)
    result = workbench(command)
    assert result.code == 2
    said = result.err.replace(f"{tmp_path / 'settings.toml'}:", "").splitlines()
    assert [line.split(": ")[:2] for line in said] == [
        ["1", "rusn"],
        ["2", "device"],
        ["3", "plugins"],
        ["6", "screens.theme"],
        ["7", "screens.link"],
        ["10", "keys.run.puase"],
        ["11", "keys.run.stop"],
    ]


def test_a_theme_is_reported_beside_keys(workbench: Command, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('[screens]\ntheme = "nrod"\n[keys.run]\npuase = "x"\n')
    assert len(workbench("settings").err.splitlines()) == 2


def test_a_broken_file_stops_every_command_that_would_need_it(workbench: Command, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("runs = 3\n")
    result = workbench("runs")
    assert result.code == 2
    assert "settings.toml:1: runs: expected a text in quotes, found 3" in result.err


def test_places_from_the_settings(workbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.toml").write_text(f'runs = "{tmp_path / "here"}"\n')
    assert f"no runs in {tmp_path / 'here'}" in workbench("runs").err
    monkeypatch.setenv("WORKBENCH_RUNS", str(tmp_path / "there"))
    assert f"no runs in {tmp_path / 'there'}" in workbench("runs").err
    assert "no runs in elsewhere" in workbench("--runs", "elsewhere", "runs").err
