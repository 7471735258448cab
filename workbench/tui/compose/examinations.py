"""``workbench doctor`` and ``workbench check``, each in a process of its own: what they say is shown as it comes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import TypeAdapter
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from workbench.doctor import terminal
from workbench.doctor.finding import Finding, summary
from workbench.filesystem import absolute
from workbench.recipe import Recipe, write_recipe
from workbench.recipe.registries import CHECKS
from workbench.tui.common.background import Child, WorkDone, start_thread
from workbench.tui.common.screens import ReadingDialog
from workbench.tui.common.services import Settings
from workbench.tui.common.texts import MUTED
from workbench.tui.common.widgets import Text
from workbench.tui.compat.composed import when_ready
from workbench.visible import visible

if TYPE_CHECKING:
    from textual.app import App

T = TypeVar("T")

WORKBENCH = (sys.executable, "-P", "-m", "workbench")
DOCTOR_COMMAND = (*WORKBENCH, "doctor", "--json-lines")
CHECK_COMMAND = (*WORKBENCH, "check")
FOUND_SOMETHING = 3
"""The exit code of either that found something wrong."""


@dataclass(frozen=True)
class Heard(Generic[T]):
    """Some of what an examination says, or, with ``over``, that there is no more; error: why it could not be made."""

    said: tuple[T, ...] = ()
    over: bool = False
    error: str = ""


class Examination(Child, ABC, Generic[T]):
    """A process that looks something over. ``hear`` is called in a thread; the last that it hears is over."""

    name: str

    def __init__(self, command: Sequence[str], hear: Callable[[Heard[T]], object]) -> None:
        super().__init__()
        self._command = list(command)
        self._hear = hear

    def start(self) -> None:
        """Begin; returns at once."""
        start_thread(self.name, self._work)

    def _work(self) -> None:
        try:
            error = self._follow()
        except OSError as problem:
            error = f"{self.name} cannot be started: {problem.strerror or problem}"
        self._hear(Heard(over=True, error="" if self.stopped else error))

    @abstractmethod
    def _follow(self) -> str:
        """Run the command to its end and hand on what it says; returns why it could not do its work."""


class MachineExamination(Examination[Finding]):
    """The machine's. own: the findings about the terminal, of which the other process has none."""

    name = "workbench doctor"

    def __init__(
        self, command: Sequence[str], own: Callable[[], list[Finding]], hear: Callable[[Heard[Finding]], object]
    ) -> None:
        super().__init__(command, hear)
        self._own = own

    def _follow(self) -> str:
        for line in self.lines(self._command):
            if (findings := read_line(line)) is None:
                continue
            ours = bool(findings) and findings[0].group == terminal.GROUP
            self._hear(Heard(tuple(self._own() if ours else findings)))
        code = self.wait()
        return "" if code in (0, FOUND_SOMETHING) else f"{self.name} ended with code {code}"


_FINDINGS = TypeAdapter(list[Finding])


def read_line(line: str) -> list[Finding] | None:
    """The findings of a line of ``workbench doctor --json-lines``; None for anything else."""
    try:
        return _FINDINGS.validate_python(json.loads(line)["findings"])
    except (ValueError, KeyError, TypeError):
        return None


class RecipeExamination(Examination[str]):
    """The recipe's: some check of it, line by line. ascii: its chart does without braille."""

    name = "the test"

    def __init__(
        self, command: Sequence[str], recipe: Recipe, hear: Callable[[Heard[str]], object], *, ascii: bool = False
    ) -> None:
        super().__init__(command, hear)
        self._recipe = recipe
        self._environment = {"PYTHONIOENCODING": "ascii"} if ascii else {}

    def _follow(self) -> str:
        with tempfile.TemporaryDirectory(prefix="workbench-") as folder, tempfile.TemporaryFile("w+") as words:
            file = Path(folder) / f"{self._recipe.name}.toml"
            file.write_text(write_recipe(self._recipe), encoding="utf-8")
            return self._follow_file(file, words)

    def _follow_file(self, file: Path, words: IO[str]) -> str:
        for line in self.lines([*self._command, str(file)], words, self._environment):
            self._hear(Heard((line.rstrip("\n"),)))
        code = self.wait()
        if code in (0, FOUND_SOMETHING):
            return ""
        words.seek(0)
        said = [line.strip() for line in words if line.strip()]
        return said[-1].replace(f"{file}:", "") if said else f"workbench check ended with code {code}"


class ExaminationScreen(ReadingDialog, Generic[T]):
    """Shows what one says. Closes with the usual keys; that ends what is at work."""

    BINDINGS = [
        Binding("escape,enter,q", "close", show=False),
        Binding("pagedown,ctrl+d,space", "scroll(10)", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._said: list[T] = []
        self._over = False
        self._error = ""

    def on_mount(self) -> None:
        self._show()

    def hear(self, heard: Heard[T]) -> None:
        """More was said, or all of it."""
        self._said += heard.said
        self._over, self._error = heard.over, heard.error
        self._show()

    def _show(self) -> None:
        """Draw what there is."""
        raise NotImplementedError


MARKS = {"ok": ("✓", "$success"), "note": ("·", "$muted"), "warn": ("!", "$warning"), "broken": ("✗", "$error")}


class DoctorScreen(ExaminationScreen[Finding]):
    """The machine: what is to be done stands first."""

    BINDINGS = [Binding("d", "close", show=False)]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog doctor") as dialog:
            dialog.border_title = "This machine"
            dialog.border_subtitle = "esc closes · workbench doctor --selftest tries the device"
            yield Text(classes="doctor--summary")
            with VerticalScroll(can_focus=False):
                yield Text(classes="doctor--findings")

    @when_ready
    def _show(self) -> None:
        if self._error:
            text = Content.styled(f"✗ {visible(self._error, keep='')}", "$error")
        elif self._over:
            text = Content.styled(summary(self._said), "bold")
        else:
            text = Content.styled("looking… (about 15 seconds)", "$muted")
        self.query_one(".doctor--summary", Text).show(text)
        wanted = [each for each in self._said if each.remedy]
        rest = [each for each in self._said if not each.remedy]
        lines = [_line(each) for each in (*wanted, *rest)]
        self.query_one(".doctor--findings", Text).show(Content("\n").join(lines))


def _line(finding: Finding) -> Content:
    mark, style = MARKS[finding.level]
    found, meaning, remedy, name = (
        visible(text, keep="") for text in (finding.found, finding.meaning, finding.remedy, finding.name)
    )
    parts: list[str | tuple[str, str]] = [(f"{mark} ", style), (f"{name}  ", "bold" if remedy else "$muted")]
    parts.append((found, style) if remedy else found)
    parts += [(f"; {meaning}", "" if remedy else "$muted")] if meaning else []
    parts += [(f"\n    → {remedy}", "bold")] if remedy else []
    return Content.assemble(*parts)


RANGE_TEST, OVERFIT_TEST = "learning_rate_range", "overfit_batch"
TITLES = {RANGE_TEST: "Range test: which learning rates suit", OVERFIT_TEST: "Overfit test: one batch by heart"}


class TrialScreen(ExaminationScreen[str]):
    """One test of a recipe: what it is about while it is at work, then what it said."""

    def __init__(self, check: str, recipe: str) -> None:
        super().__init__()
        self._check = check
        self._recipe = recipe

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog trial") as dialog:
            dialog.border_title = Content(f"{TITLES[self._check]} · {self._recipe}")
            dialog.border_subtitle = "esc closes"
            with VerticalScroll(can_focus=False):
                yield Text(classes="trial--said")

    @when_ready
    def _show(self) -> None:
        text = Content("\n".join(result(self._said)))
        if self._error:
            text = Content.styled(f"✗ {visible(self._error, keep='')}", "$error")
        elif not self._over:
            about = CHECKS[self._check].about().partition("\n\n")[0]
            text = Content.assemble(
                " ".join(about.split()), ("\n\nat work… (seconds; longer for a large network)", MUTED)
            )
        self.query_one(".trial--said", Text).show(text)


def result(lines: Sequence[str]) -> list[str]:
    """What a check said of the recipe, without the figures before it, which the preview shows."""
    first = next((number for number, line in enumerate(lines) if line.startswith("check ")), 0)
    return [visible(line, keep="") for line in lines[first:]]


def _begin(
    app: App[Any], screen: ExaminationScreen[T], examination: Callable[[Callable[[Heard[T]], object]], Examination[T]]
) -> None:
    """Show what it says as it comes, over whatever is in front; closing the screen ends it."""
    begun = examination(lambda heard: app.post_message(WorkDone(lambda: screen.hear(heard))))
    app.push_screen(screen, lambda _: begun.stop())
    begun.start()


def examine_machine(app: App[Any], settings: Settings, device: str, command: Sequence[str]) -> None:
    """Look the machine over."""
    size, seen = app.size, terminal.variables(os.environ)

    def own() -> list[Finding]:
        """The terminal cannot be asked anything while the screens have it."""
        around = None
        if "TMUX" in os.environ:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                around = terminal.tmux()
        return terminal.judge(terminal.Terminal(True, size.width, size.height, seen, around))

    options = ["--runs", str(absolute(settings.runs)), "--data-root", str(absolute(settings.data_root))]
    whole = [*command, *options, "--device", device]
    _begin(app, DoctorScreen(), lambda hear: MachineExamination(whole, own, hear))


def examine_recipe(
    app: App[Any], settings: Settings, device: str, recipe: Recipe, check: str, command: Sequence[str]
) -> None:
    """Make a check of a recipe."""
    options = ["--only", check, "--device", device, "--data-root", str(absolute(settings.data_root))]
    options += [word for plugin in settings.plugins for word in ("--plugin", str(absolute(plugin)))]
    whole = [*command, *options]
    screen, ascii = TrialScreen(check, recipe.name), settings.ascii
    _begin(app, screen, lambda hear: RecipeExamination(whole, recipe, hear, ascii=ascii))
