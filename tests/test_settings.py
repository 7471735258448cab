"""The user's settings: read strictly, with every problem at once and its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.settings import Defaults, Screens, SettingsError, read_settings, settings_file

WHOLE = """
runs = "~/runs"
data_root = "/data"
device = "cuda:1"
plugins = ["mine.py"]

[screens]
theme = "nord"
colours = "256"
charts = "ascii"
link = "slow"
restore = false

[keys.compose]
run = "f5"
"""


def settings(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings(settings(folder, text))
    return [str(problem).removeprefix(str(folder / "settings.toml")) for problem in caught.value.problems]


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    found = read_settings(tmp_path / "settings.toml")
    assert found.defaults == Defaults()
    assert found.screens == Screens()
    assert found.keys == {}


def test_everything_can_be_said(tmp_path: Path) -> None:
    found = read_settings(settings(tmp_path, WHOLE))
    assert found.defaults.runs == "~/runs"
    assert found.defaults.plugins == ("mine.py",)
    assert (found.screens.theme, found.screens.charts, found.screens.restore) == ("nord", "ascii", False)
    assert found.keys == {"compose": {"run": "f5"}}


def test_every_problem_at_once_with_its_line(tmp_path: Path) -> None:
    text = 'runz = "a"\ndevice = "gpu"\ntheme = "nord"\n[screens]\nlink = "fast"\nruns = "x"\n'
    assert problems(tmp_path, text) == [
        ":1: runz: unknown key 'runz'; did you mean 'runs'?",
        ":2: device: unknown device 'gpu'; use auto, cpu, or cuda:N such as cuda:0",
        ":3: theme: unknown key 'theme'; it belongs in [screens]",
        ":5: screens.link: expected one of 'normal', 'slow', found 'fast'",
        ":6: screens.runs: unknown key 'runs'; it belongs at the top of the file, above every table",
    ]


def test_a_device_that_cannot_be_meant(tmp_path: Path) -> None:
    assert problems(tmp_path, 'device = "gpu"') == [
        ":1: device: unknown device 'gpu'; use auto, cpu, or cuda:N such as cuda:0"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runs = x", ':1: not readable as TOML: Invalid value; put texts in quotes: "x"'),
        ("screens = 3", ":1: screens: expected a table, written [screens], found 3"),
        ("[key.run]", ":1: key: unknown key 'key'; did you mean 'keys'?"),
        ("keys = 'x'", ":1: keys: expected a table, written [keys], found 'x'"),
    ],
)
def test_what_is_no_settings_file(tmp_path: Path, text: str, message: str) -> None:
    assert problems(tmp_path, text) == [message]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="is not a UTF-8 text"):
        read_settings(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_settings(tmp_path)


def test_where_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_SETTINGS", str(tmp_path / "mine.toml"))
    assert settings_file() == tmp_path / "mine.toml"
    monkeypatch.delenv("WORKBENCH_SETTINGS")
    assert settings_file().name == "settings.toml"
