"""Looking a machine over: what is there, what it means, what to do."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from workbench import __version__
from workbench.commands import options
from workbench.commands.errors import CHECK_FAILED
from workbench.commands.options import settings_of
from workbench.commands.output import VisibleConsole, on_terminal, say, say_json
from workbench.doctor.finding import Finding, broken, summary
from workbench.filesystem import current_folder
from workbench.visible import visible

MARKS = {"ok": ("✓", "+"), "note": ("·", "-"), "warn": ("!", "!"), "broken": ("✗", "x")}
STYLES = {"ok": "green", "note": "cyan", "warn": "bold yellow", "broken": "bold red"}
INDENT = 22


def doctor(
    context: typer.Context,
    selftest: Annotated[
        bool, typer.Option("--selftest", help="Train small things on the device, in under two minutes.")
    ] = False,
    as_json: options.Json = False,
    json_lines: Annotated[bool, typer.Option("--json-lines", hidden=True)] = False,
    device: options.Device = None,
    runs_folder: options.Runs = None,
    data_root: options.DataRoot = None,
    debug: options.Debug = False,
) -> None:
    """Look this machine over: GPU, torch, speed, disks, memory, terminal; what is found, what it means, what to do.

    \b
    Exit code 3 if something is broken; what only wants a look is not.

    \b
    Examples:
      workbench doctor
      workbench doctor --selftest > report.txt
      workbench doctor --json | jq '.findings[] | select(.remedy != "")'
    """
    settings = settings_of(context, device=device, runs=runs_folder, data_root=data_root, debug=debug)
    from workbench.doctor.examine import Place, examine

    began = time.monotonic()
    here = current_folder()  # nothing is looked at here: a dead disk would hold this process up
    place = Place(
        runs=os.path.normpath(here / settings.runs),
        data=os.path.normpath(here / settings.data_root),
        device=settings.device,
        selftest=selftest,
    )
    quiet = as_json or json_lines
    findings: list[Finding] = []
    facts: dict[str, Any] = {}
    with _Doing(on=not quiet) as doing:
        for group in examine(place, _terminal(on=not quiet), doing.say):
            doing.clear()
            findings += group.findings
            facts |= group.facts
            if json_lines:
                say_json({"group": group.name, "findings": [asdict(each) for each in group.findings]})
            elif not as_json:
                _say(group.name, group.findings)
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        say_json(
            {
                "workbench": __version__,
                "time": time.time(),
                "seconds": seconds,
                "broken": broken(findings),
                "findings": [asdict(each) for each in findings],
                "facts": facts,
            }
        )
    elif not json_lines:
        _say_summary(findings, seconds)
    if broken(findings):
        raise typer.Exit(CHECK_FAILED)


def _terminal(*, on: bool) -> list[Finding]:
    from workbench.doctor import terminal
    from workbench.doctor.asking import look
    from workbench.doctor.worker import Failure, Worker

    around = None
    if on and sys.stdout.isatty() and os.environ.get("TMUX"):
        worker = Worker()
        found = worker.ask(terminal.Tmux, "workbench.doctor.terminal:tmux", 5)
        worker.close()
        around = terminal.Tmux() if isinstance(found, Failure) else found
    return terminal.judge(look(around) if on else terminal.Terminal(tty=False))


def _say(name: str, findings: list[Finding]) -> None:
    """A group: for people in columns with what is to be done standing out, for pipes a line each."""
    if not findings:
        return
    if not on_terminal():
        for each in findings:
            parts = [each.found, each.meaning, f"to do: {each.remedy}" if each.remedy else ""]
            text = "; ".join(filter(None, parts))
            say(visible(f"{each.level:<6}  {name:<20}  {each.name:<18}  {text}", keep=""))
        return
    console = VisibleConsole()
    console.print(Text(name, "bold"))
    for each in findings:
        console.print(_drawn(each, _unicode()))


def _drawn(finding: Finding, unicode: bool) -> Padding:
    mark = MARKS[finding.level][0 if unicode else 1]
    style = STYLES[finding.level]
    wanted = bool(finding.remedy)
    text = Text()
    name = visible(finding.name, keep="")
    text.append(mark, style)
    text.append(f" {name:<{INDENT - 5}} ", "bold" if wanted else "")
    text.append(visible(finding.found, keep=""), style if wanted else "")
    if finding.meaning:
        text.append(f"; {visible(finding.meaning, keep='')}", "" if wanted else "dim")
    return Padding(_hanging(text, finding, unicode), (0, 0, 0, 2))


def _hanging(text: Text, finding: Finding, unicode: bool) -> Text:
    """The text with its later lines below the first one's words, then what is to be done."""
    console = VisibleConsole()
    width = max(20, console.width - 2 - INDENT + 3)
    start = INDENT - 2
    head, body = text[:start], text[start:]
    lines = list(body.wrap(console, width - 1))
    if finding.remedy:
        arrow = "→ " if unicode else "> "
        remedy = Text(arrow + visible(finding.remedy, keep=""), "bold")
        lines += [(line if n == 0 else Text("  ") + line) for n, line in enumerate(remedy.wrap(console, width - 3))]
    whole = Text()
    for number, line in enumerate(lines):
        line.rstrip()
        whole.append_text(head if number == 0 else Text("\n" + " " * start))
        whole.append_text(line)
    return whole


def _unicode() -> bool:
    from workbench.settings import Screens
    from workbench.tui.app.opening import ascii_only

    return not ascii_only(Screens()) and (sys.stdout.encoding or "").lower().startswith("utf")


def _say_summary(findings: list[Finding], seconds: float) -> None:
    text = f"{summary(findings)} ({seconds:.0f} s)"
    if not on_terminal():
        say(text)
        return
    levels = {each.level for each in findings}
    style = next((STYLES[level] for level in ("broken", "warn") if level in levels), "bold green")
    VisibleConsole().print(Text(visible(text, keep=""), style))


class _Doing:
    """What is being done just now, on a line of the terminal that goes away again."""

    def __init__(self, *, on: bool) -> None:
        self._on = on and sys.stderr.isatty() and on_terminal()
        self._shown = False

    def __enter__(self) -> _Doing:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def say(self, doing: str) -> None:
        """Another thing is being done."""
        if self._on:
            self.clear()
            with contextlib.suppress(OSError):
                sys.stderr.write(f"  … {visible(doing, keep='')[:60]}")
                sys.stderr.flush()
            self._shown = True

    def clear(self) -> None:
        """Wipe the line."""
        if self._shown:
            with contextlib.suppress(OSError):
                sys.stderr.write("\r\x1b[2K")
                sys.stderr.flush()
            self._shown = False
