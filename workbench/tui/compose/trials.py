"""Tests of a recipe that take some seconds: ``workbench check`` in a process of its own, what it says as it comes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

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

RANGE_TEST, OVERFIT_TEST = "learning_rate_range", "overfit_batch"
TITLES = {RANGE_TEST: "Range test: which learning rates suit", OVERFIT_TEST: "Overfit test: one batch by heart"}
COMMAND = (sys.executable, "-P", "-m", "workbench", "check")
FAILED = 3
"""The exit code of a check that found something wrong."""


@dataclass(frozen=True)
class Heard:
    """A line of what the check says, or, with ``over``, that there are no more; error: why it could not be made."""

    line: str = ""
    over: bool = False
    error: str = ""


class TrialScreen(ReadingDialog):
    """Closes with the usual keys; that ends a test at work."""

    BINDINGS = [
        Binding("escape,enter,q", "close", show=False),
        Binding("pagedown,ctrl+d,space", "scroll(10)", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", show=False),
    ]

    def __init__(self, check: str, recipe: str) -> None:
        super().__init__()
        self._check = check
        self._recipe = recipe
        self._lines: list[str] = []
        self._over = False
        self._error = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog trial") as dialog:
            dialog.border_title = Content(f"{TITLES[self._check]} · {self._recipe}")
            dialog.border_subtitle = "esc closes"
            with VerticalScroll(can_focus=False):
                yield Text(classes="trial--said")

    def on_mount(self) -> None:
        self._show()

    def hear(self, heard: Heard) -> None:
        """It said something, or all of it."""
        if heard.over:
            self._over, self._error = True, heard.error
        else:
            self._lines.append(heard.line)
        self._show()

    @when_ready
    def _show(self) -> None:
        text = Content("\n".join(result(self._lines)))
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


class Trial(Child):
    """One of them. ``hear`` is called in a thread; the last that it hears is over."""

    def __init__(self, command: Sequence[str], recipe: Recipe, hear: Callable[[Heard], object]) -> None:
        super().__init__()
        self._command = list(command)
        self._recipe = recipe
        self._hear = hear

    def start(self) -> None:
        """Begin; returns at once."""
        start_thread("a test of the recipe", self._work)

    def _work(self) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="workbench-") as folder, tempfile.TemporaryFile("w+") as words:
                file = Path(folder) / f"{self._recipe.name}.toml"
                file.write_text(write_recipe(self._recipe), encoding="utf-8")
                error = self._follow(file, words)
        except OSError as problem:
            error = f"the test cannot be started: {problem.strerror or problem}"
        self._hear(Heard(over=True, error="" if self.stopped else error))

    def _follow(self, file: Path, words: IO[str]) -> str:
        for line in self.lines([*self._command, str(file)], words):
            self._hear(Heard(line.rstrip("\n")))
        code = self.wait()
        if code in (0, FAILED):
            return ""
        words.seek(0)
        said = [line.strip() for line in words if line.strip()]
        return said[-1].replace(f"{file}:", "") if said else f"workbench check ended with code {code}"


def test(app: App[Any], settings: Settings, device: str, recipe: Recipe, check: str, command: Sequence[str]) -> None:
    """Make a check of a recipe, and show what it says over whatever is in front."""
    options = ["--only", check, "--device", device, "--data-root", str(absolute(settings.data_root))]
    options += [word for plugin in settings.plugins for word in ("--plugin", str(absolute(plugin)))]
    screen = TrialScreen(check, recipe.name)

    def hear(heard: Heard) -> None:
        app.post_message(WorkDone(lambda: screen.hear(heard)))

    trial = Trial([*command, *options], recipe, hear)
    app.push_screen(screen, lambda _: trial.stop())
    trial.start()
