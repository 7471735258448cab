"""What a process on cuda:1 does to cuda:0, command by command: `python -m tests.cuda.two_devices FOLDER [slow]`.

A program of its own, since a process has as many devices as it began with, and a context stays.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.cuda import runtime
from workbench.cli import main as command_line
from workbench.control import Control
from workbench.doctor.selftest import TESTS, perform
from workbench.events import Event, Finished, Trained
from workbench.paths import packaged_recipes
from workbench.recipe import read_recipe
from workbench.runs.store.directory import RunDirectory, create_run
from workbench.runs.store.events import read_events
from workbench.runs.training.execute import execute
from workbench.tui.app.training import Training

SMALL = (
    "--set", "train.epochs=1", "--set", "techniques.cosine.warmup_epochs=0", "--set", "train.eval_every=0.5",
    "--set", "data.batch_size=128", "--set", "model.widths=[8]", "--set", "model.hidden=[16]",
)  # fmt: skip
LOADER = ("--set", "data.pipeline=loader", "--set", "data.workers=1")
GRAPH = ("--set", "train.compile=graph", "--set", "train.log_every=2")
MEASURED = ("--set", "techniques.dropout.rate=0.1", "--set", "techniques.ema.decay=0.9")
ON = ("--device", "cuda:1")

COMMANDS: dict[str, tuple[str, ...]] = {
    "run": ("run", "digits", "-q", *SMALL, *ON),
    "run, recorded": ("run", "digits", "-q", *SMALL, *GRAPH, *MEASURED, *ON),
    "run, fp16": ("run", "digits", "-q", *SMALL, "--set", "techniques.mixed_precision.dtype=fp16", *ON),
    "run, from a loader": ("run", "digits", "-q", *SMALL, *LOADER, *ON),
    "run, deterministic": ("run", "digits", "-q", *SMALL, "--set", "train.deterministic=true", *ON),
    "run, measured": ("run", "digits", "-q", *SMALL, "--profile", *ON),
    "check": ("check", "digits", *SMALL, *ON),
}
"""By name: what is asked of the command line, in this order."""

SLOW: dict[str, tuple[str, ...]] = {
    "profile": ("profile", "digits", "--seconds=0.5", *SMALL, *ON),
    "profile, from a loader": ("profile", "digits", "--seconds=0.5", *SMALL, *LOADER, *ON),
    "bench": ("bench", "digits", "--seconds=0.5", "--mode=graph", "--pipeline=device", *SMALL, *ON),
}
"""What takes many seconds."""


def commanded(arguments: tuple[str, ...]) -> tuple[int, str]:
    """A command's exit code and what it said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            command_line(list(arguments))
        except SystemExit as left:
            return int(left.code or 0), said.getvalue()
    return 0, said.getvalue()


def made(folder: Path) -> RunDirectory:
    """A new run, with what is on the device in more than one place."""
    changes = ("train.epochs=1", "techniques.cosine.warmup_epochs=0", "data.batch_size=128", "model.widths=[8]")
    averaged = ("techniques.ema.decay=0.9", "train.log_every=1")
    recipe = read_recipe((packaged_recipes() / "digits.toml").read_text(), overrides=(*changes, *averaged))
    return create_run(folder, recipe, argv=[])


def in_the_screens_thread(folder: Path) -> tuple[int, str]:
    """A run of the screens, which is measured meanwhile."""
    training = Training(lambda: made(folder / "screens"), lambda _: None, device="cuda:1", data_root=folder)
    for what in ("phases", "stacks"):
        training.control.measure(what)
    training.start()
    training.join()
    return int(training.state != "finished"), training.error


def tested() -> tuple[int, str]:
    """The doctor's tests of the device, in this process."""
    outcomes = [perform(test.name, "cuda:1") for test in TESTS]
    return int(not all(each.passed for each in outcomes)), "; ".join(each.found for each in outcomes)


def moved(folder: Path, device: str) -> tuple[int, str]:
    """A run that stops on cuda:1 in its middle and goes on elsewhere; what both halves and a whole one came to."""
    whole, run, control = made(folder / "whole"), made(folder / device), Control()

    def hear(event: Event) -> None:
        if isinstance(event, Trained) and event.step == 5:
            control.stop()

    execute(run, device="cuda:1", control=control, on_event=hear, checks=False)
    states = [execute(run, device=device, resume=True, checks=False), execute(whole, device="cuda:1", checks=False)]
    ends = [[e for e in read_events(each) if isinstance(e, Finished)][-1:] for each in (run, whole)]
    figures = [[(end.step, end.test_loss, end.test_accuracy) for end in each] for each in ends]
    return int(states != ["finished", "finished"]), json.dumps(figures)


def main(folder: Path, *, slow: bool) -> None:
    """Print a line of JSON for each: its name, the exit code, what was said, and what cuda:0 has by then."""
    cases: dict[str, Callable[[], tuple[int, str]]] = {
        name: lambda arguments=arguments: commanded(arguments)
        for name, arguments in (SLOW if slow else COMMANDS).items()
    }
    if slow:
        cases["selftest"] = tested
    else:
        cases["in the screens' thread"] = lambda: in_the_screens_thread(folder)
        cases["goes on on cpu"] = lambda: moved(folder, "cpu")
        cases["goes on on cuda:0"] = lambda: moved(folder, "cuda:0")
    with runtime.listened() as log:
        for name, case in cases.items():
            code, said = case()
            places = [list(entry.places[:6]) for entry in log.entries if entry.device == 0]
            log.entries.clear()
            found = {
                "name": name, "code": code, "said": said, "context": runtime.context(0), "used": runtime.used(0),
                "used on 1": runtime.used(1), "places": places[:1],
            }  # fmt: skip
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), slow="slow" in sys.argv)
