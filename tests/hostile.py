"""A folder in which everything that is not ours tries to command the terminal, and what it must never bring about.

No pytest here: sessions in terminals of their own build it, too.
"""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import replace
from pathlib import Path

from tests.tui.fakes import NOW, RECIPE, evaluated, profiled, started, trained, written
from workbench.evaluation.results import Mistake, Results, write_results
from workbench.events import CheckFinished, Diverged, Event, Failed, Noted
from workbench.profiling.operators import table_of, write_operators
from workbench.profiling.stack_tree import Frame, StackWindow, write_stacks
from workbench.recipe import read_recipe
from workbench.runs.store.directory import RunDirectory

CLIPBOARD, ASK, COLOUR = "\x1b]52;c;ZXZpbA==\x07", "\x1b[6n", "\x1b[5;41m"
"""Writes the user's clipboard; lets the terminal type an answer; blinks."""

EVIL = f"{CLIPBOARD}{ASK}{COLOUR}\x9b6n\x9d0;t\x9c\x08\r\x7f\u202e\u2066[bold red]b[@click=app.quit]q[link=x]"
MARKUP = "[/][/bold][$nothing]"
"""Square brackets that markup would stumble over; a slash cannot stand in a file's name."""

SHOWN = r"\x1b]52;c;ZXZpbA==\x07"
"""What a reader sees of it."""

PLUGIN = f"""
from workbench.checks.base import Check, Result
from workbench.models.base import Model
from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

EVIL = {EVIL + MARKUP!r}


class Evil(Technique):
    __doc__ = EVIL
    name = "evil"
    group = "loss"
    source = EVIL
    tradeoff = EVIL
    excludes = {{"cosine": EVIL}}
    share: float = parameter(1.0, ge=0, le=1, description=EVIL, unit=EVIL)
    word: str = parameter(EVIL, description=EVIL)

    def register(self, build):
        pass


class EvilModel(Model):
    __doc__ = EVIL
    name = "evil_model"


class EvilCheck(Check):
    __doc__ = EVIL
    name = "evil_check"
    title = EVIL
    when = "before"

    def examine(self, build):
        return Result("fail", EVIL, EVIL, EVIL, EVIL)
"""


def escaped(text: str) -> str:
    """A text as TOML writes it in quotes."""
    return json.dumps(text)


def hostile_folder(folder: Path) -> RunDirectory:
    """Fill a folder: ``runs`` with a failed and a diverged run, ``recipes``, a plugin. Returns the failed run."""
    text = textwrap.dedent(RECIPE).replace('about = "a small recipe for tests"', f"about = {escaped(EVIL + MARKUP)}")
    text = text.replace("epochs = 10", "epochs = 0.2").replace("warmup_epochs = 1", "warmup_epochs = 0")
    recipe = read_recipe(text)
    classes = (EVIL + MARKUP,) * 10
    said: list[Event] = [
        replace(started(), recipe=EVIL, device=EVIL, classes=classes),
        CheckFinished(time=NOW - 99, name=EVIL, verdict="fail", expected=EVIL, found=EVIL, reason=EVIL, advice=MARKUP),
        *(trained(step) for step in range(5, 60, 5)),
        evaluated(46),
        Noted(time=NOW - 50, message=EVIL + MARKUP),
    ]  # fmt: skip
    long = "x" * 20_000
    first = written(
        folder / "runs" / f"20261120-142501-{EVIL}-3f9c", recipe,
        [*said, Failed(time=NOW - 40, error=EVIL + MARKUP + long)], "failed",
    )  # fmt: skip
    second = written(
        folder / "runs" / f"20261120-142502-{EVIL}-3f9d", recipe,
        [*said, Diverged(time=NOW - 40, step=55, what=EVIL, layer=EVIL, indices=(1,), reason=EVIL)], "diverged",
    )  # fmt: skip
    for run in (first, second):
        status = json.loads(run.status_file.read_text())
        status |= {"host": EVIL, "device": EVIL, "message": EVIL + MARKUP, "namespace": EVIL}
        run.status_file.write_text(json.dumps(status))
        run.notes_file.write_text(f"note = {escaped(EVIL + MARKUP)}\ntags = [{escaped(EVIL)}, 'good']\n")
        run.log_file.write_text(EVIL + MARKUP + "\n")
        run.env_file.write_text(json.dumps({"host": EVIL, "gpu": EVIL}))
        how = {
            "schedule": "hold",
            "step": 1,
            "steps": 1,
            "steps_per_epoch": 1,
            "last": 1.0,
            "rate": 0.1,
            "recipe": EVIL,
        }
        run.continues_file.write_text(json.dumps({"run": EVIL, "how": how}))
        frame = Frame(EVIL + MARKUP, EVIL, 1, 5.0, 1.0, True, ())
        profiled(run)
        write_stacks(run.profile / "stacks.json", StackWindow(150, 24, 5.0, 0.002, 2490, frame))
        write_operators(run.profile / "operators.json", table_of(150, 5, [(EVIL + MARKUP, 45, 0.31, 0.0)]))
        confusion = tuple(tuple(9 if i == j else 1 for j in range(10)) for i in range(10))
        mistakes = (Mistake(3, 1, 2, 0.9, bytes(8 * 8 * 3)),)
        write_results(run.results_file, Results("test", 150, 0.5, 0.5, classes, confusion, 8, 8, mistakes))
    (folder / "runs" / ".baseline").write_text(second.name)
    (folder / "recipes").mkdir()
    (folder / "recipes" / "fine.toml").write_text(text)
    (folder / "recipes" / f"{EVIL}.toml").write_text(text)
    (folder / "recipes" / "broken.toml").write_text(
        f"{escaped(EVIL)} = 1\nname = {escaped(EVIL)}\n[techniques.{escaped(EVIL + MARKUP)}]\n"
        f"[data]\nsource = {escaped(EVIL)}\n[model]\nname = {escaped(EVIL)}\n[train]\n{escaped('k' * 9000)} = 2\n"
    )
    plugin = folder / f"{EVIL}.py"
    plugin.write_text(PLUGIN)
    (folder / f"{EVIL}-broken.py").write_text(f"raise ValueError({EVIL + MARKUP!r})")
    (folder / "evil.toml").write_text(text + "[techniques.evil]\n")
    named = "from workbench.techniques.base import Technique\n\nclass Named(Technique):\n    name = "
    (folder / f"{EVIL}-named.py").write_text(named + repr(EVIL + MARKUP))
    return first


OURS = re.compile(
    r"\x1b\[[0-9;?<>=$!]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p"  # styles, the cursor, modes
    r"|\x1b\]22;[a-z-]*\x07|\x1b[78=>()]B?"  # the pointer's shape
)


def not_ours(output: str) -> list[str]:
    """What a terminal would obey in some output, apart from our own sequences; empty if all is well."""
    found = [evil for evil in (CLIPBOARD[:-1], ASK, COLOUR) if evil in output]
    rest = re.sub("(?<!=)\x07", "", OURS.sub("", output)).replace("\r\n", "\n")  # a bell of Textual's follows no text
    return found + re.findall(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069].{0,20}", rest)
