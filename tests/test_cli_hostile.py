"""Nothing that is not ours commands the terminal: every command over names and messages that try."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tests.hostile import EVIL, MARKUP, SHOWN, hostile_folder, not_ours
from workbench.cli import app
from workbench.commands.output import VisibleConsole

SCRIPT = Path(__file__).with_name("hostile_commands.py")
SETTINGS = {"NO_COLOR": "", "TERM": "xterm-256color", "COLUMNS": "100", "PYTHONUTF8": "1"}


def on_a_terminal(command: list[str], folder: Path) -> str:
    """What a program writes to a pseudo-terminal, byte for byte."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, cwd=folder, env=environment(folder)
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # how the end of a pseudo-terminal reads on Linux
            break
        if not part:
            break
        seen += part
    os.close(master)
    process.wait()
    return seen.decode(errors="surrogateescape")


def environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("WORKBENCH")}
    return {**kept, **SETTINGS, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each command over the hostile folder writes to a terminal."""
    folder = tmp_path_factory.mktemp("hostile")
    hostile_folder(folder)
    written = on_a_terminal([sys.executable, str(SCRIPT), str(folder)], folder).replace("\r\n", "\n")
    parts = re.split(r"^### (\[.*\])$", written, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_is_among_them(outputs: dict[str, str]) -> None:
    group = typer.main.get_command(app)
    assert {json.loads(command)[0] for command in outputs} >= set(group.commands)  # type: ignore[attr-defined]
    assert all(re.search(r"### exit \d+$", output, re.MULTILINE) for output in outputs.values())


def test_nothing_commands_the_terminal(outputs: dict[str, str]) -> None:
    assert {command: found for command, output in outputs.items() if (found := not_ours(output))} == {}


def test_it_is_shown_instead(outputs: dict[str, str]) -> None:
    said_nothing = {json.loads(c)[0] for c, output in outputs.items() if "ZXZpbA" in c and "ZXZpbA" not in output}
    assert said_nothing <= {"diff"}  # it shows differences and no names
    (broken,) = [output for command, output in outputs.items() if '"check", "recipes/broken.toml"' in command]
    assert SHOWN in broken and "[@click=app.quit]q" in broken and "unknown technique" in broken
    (named,) = [output for command, output in outputs.items() if "-named.py" in command]
    assert SHOWN in named and "cannot name a technique: use letters" in named


def test_nobody_is_taken_by_surprise(outputs: dict[str, str]) -> None:
    surprised = {command: output for command, output in outputs.items() if "unexpected" in output}
    assert surprised == {}
    debugged = [output for command, output in outputs.items() if "--debug" in command]
    assert any("Traceback" in output for output in debugged)


def test_messages_are_cut(outputs: dict[str, str]) -> None:
    for command, output in outputs.items():
        if "--json" not in command and "--debug" not in command and '"show"' not in command:
            plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output)
            assert max(map(len, plain.split("\n"))) < 1400, command
    assert any("characters more" in output for output in outputs.values())


def test_json_says_the_same_values(outputs: dict[str, str]) -> None:
    (shown,) = [o for c, o in outputs.items() if '"show"' in c and '"--json"' in c and "--confusion" not in c]
    found = json.loads(shown.strip().split("\n")[0])
    assert found["message"] == EVIL + MARKUP


def test_a_pipe_gets_no_more_than_a_terminal(tmp_path: Path) -> None:
    run = hostile_folder(tmp_path)
    for command in (["runs"], ["show", run.name], ["watch", run.name], ["runs", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "workbench", *command], cwd=tmp_path, env=environment(tmp_path), capture_output=True
        )
        output = (done.stdout + done.stderr).decode()
        assert not_ours(output) == [] and "\x1b" not in output and "ZXZpbA" in output
        assert done.returncode in (0, 1)


def test_a_name_that_is_no_text_is_shown_and_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    name = os.fsdecode(b"20261120-142501-\x9b6n\xff-3f9c")
    (tmp_path / "runs" / name).mkdir()
    (tmp_path / "runs" / name / "recipe.toml").write_text("")
    output = on_a_terminal([sys.executable, "-m", "workbench", "runs"], tmp_path)
    assert not_ours(output) == [] and r"\x9b6n\xff" in output


def test_shell_completion_offers_no_name_that_a_shell_would_print(tmp_path: Path) -> None:
    hostile_folder(tmp_path)
    (tmp_path / "runs" / "20261120-142501-fine-3f9e").mkdir()
    (tmp_path / "runs" / "20261120-142501-fine-3f9e" / "recipe.toml").write_text("")
    words = {"_WORKBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "workbench show 2026", "COMP_CWORD": "2"}
    done = subprocess.run(
        [sys.executable, "-m", "workbench"], cwd=tmp_path, env=environment(tmp_path) | words, capture_output=True
    )
    assert not_ours(done.stdout.decode()) == []
    assert done.stdout.decode().split() == ["20261120-142501-fine-3f9e"]


def test_a_console_shows_what_rich_would_pass_on(capsys: pytest.CaptureFixture[str]) -> None:
    VisibleConsole().print(EVIL + MARKUP, soft_wrap=True)
    output = capsys.readouterr().out
    assert not_ours(output) == [] and "]52;c;ZXZpbA==" in output and MARKUP in output
