"""Whatever stands in a run's directory, or is no file at all: every reader says what it can, none breaks or waits."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.runs.fake_engine import diverged, started, trained
from tests.runs.helpers import bare_run, lasting, state_of
from tests.storage.odd_files import ODD
from workbench.commands.evaluation import say_confusion, say_mistakes
from workbench.commands.profile_text import read_phases, step_lines
from workbench.commands.reporter import Reporter
from workbench.evaluation.results import Mistake, Results, write_results
from workbench.events import Evaluated, Event, Finished, Noted, PhasesMeasured, Resumed, to_json
from workbench.profiling.operators import Operator, OperatorTable, read_operators, write_operators
from workbench.profiling.stack_tree import Frame, StackWindow, read_stacks, write_stacks
from workbench.recipe import RecipeError, read_recipe_file
from workbench.runs.errors import RunError
from workbench.runs.find.catalog import Catalog
from workbench.runs.find.listing import list_runs
from workbench.runs.find.speed import Speeds
from workbench.runs.launch import last_words
from workbench.runs.queue import jobs
from workbench.runs.store.continuation import read_continuation
from workbench.runs.store.control_file import take_requests
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.environment import note_resume
from workbench.runs.store.events import LONGEST, EventReader, what_counts
from workbench.runs.store.machine import MachineReader, Sampler
from workbench.runs.store.notes import baseline, read_notes
from workbench.runs.store.results import load_results
from workbench.runs.store.status import Status, read_status, write_status
from workbench.settings import SettingsError, read_settings
from workbench.tui.app.leaving import read_session
from workbench.tui.run.follower import Follower
from workbench.tui.run.view import RunView
from workbench.tui.runs.lister import CurveReader

EVENTS: tuple[Event, ...] = (
    started(),
    trained(2),
    Evaluated(step=2, epoch=0.4, split="test", loss=1.0, accuracy=0.7, seconds=1.0),
    PhasesMeasured(step=3, samples=2, every=1, step_seconds=0.1, seconds={"forward": 0.05}, cost=0.001),
    Resumed(step=1),
    trained(3),
    diverged(3),
    Noted(message="größer"),
    Finished(step=20, seconds=1.0, test_loss=0.1, test_accuracy=0.9),
)
STATUS = Status("running", 1, "here", "boot", "", 1.5, 1.5, 3, 20, 0.5, 1.5, seed=3, message="é")
RESULTS = Results(
    "test", 20, 0.5, 0.75, ("cat", "dog"), ((1, 1), (0, 2)), 1, 2, (Mistake(3, 0, 1, 0.9, b"\x00\x80\xff" * 2),)
)
QUIET = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def digest(events: list[Event]) -> None:
    """All that is made of events: the words of the command line, and the picture of the screens."""
    reporter, view = Reporter("run"), RunView()
    counted = what_counts(events)
    for event in events:
        reporter.take(event)
    view.feed(counted)
    view.loss.smoothed()
    view.accuracy.smoothed()


def read_the_events(run: RunDirectory) -> None:
    reader = EventReader(run)
    digest(reader.read_new())
    assert bool(reader.unread) <= bool(reader.problem)
    CurveReader(run).read()
    Speeds(run.path.parent).read()


def read_the_state(run: RunDirectory) -> None:
    read_status(run)
    state_of(run)
    list_runs(run.path.parent)
    Catalog(run.path.parent).refresh()


def read_the_machine(run: RunDirectory) -> None:
    view = RunView()
    view.feed_machine(MachineReader(run).read_new())
    Sampler(run).sample("cpu", 3)


def read_the_results(run: RunDirectory) -> None:
    try:
        results = load_results(run.results_file)
    except RunError as error:
        assert "\n" not in str(error)
        assert str(run.results_file) in str(error)
        return
    say_confusion(results)
    say_mistakes(results)


def read_the_recipe(run: RunDirectory) -> None:
    try:
        read_recipe_file(run.recipe_file)
    except RecipeError as error:
        assert str(error)


def read_what_it_continues(run: RunDirectory) -> None:
    try:
        read_continuation(run)
    except RunError as error:
        assert str(run.continues_file) in str(error) and "\n" not in str(error)


def read_the_settings(run: RunDirectory) -> None:
    try:
        read_settings(run.path / "settings.toml")
    except SettingsError as error:
        assert str(error)


def read_the_queue(run: RunDirectory) -> None:
    root = run.path.parent
    assert len(jobs.entries(root)) + len(jobs.unreadable(root)) <= 1


def read_the_phases(run: RunDirectory) -> None:
    if (found := read_phases(run.path)) is not None and math.isfinite(found.step_seconds) and found.step_seconds > 0:
        list(step_lines(found, 80))


@dataclass(frozen=True)
class Kind:
    """One file: its place below the folder of runs, how it is read, and how an ordinary one is written."""

    place: str
    read: Callable[[RunDirectory], object]
    write: Callable[[RunDirectory, Path], object]


def lines(*texts: str) -> Callable[[RunDirectory, Path], object]:
    return lambda run, path: path.write_text("".join(text + "\n" for text in texts))


RUN = "20261120-142501-small-3f9c"
FRAME = Frame("f", "a.py", 3, 1.0, 1.0, True, (Frame("g", "b.py", 4, 0.5, 0.5, False),))
KINDS = {
    "events": Kind(f"{RUN}/events.jsonl", read_the_events, lines(*map(to_json, EVENTS))),
    "status": Kind(f"{RUN}/status.json", read_the_state, lambda run, path: write_status(run, STATUS)),
    "machine": Kind(
        f"{RUN}/machine.jsonl", read_the_machine, lines('{"time":1.5,"step":3,"cpu":1.5,"memory":10,"gpu":null}')
    ),
    "notes": Kind(f"{RUN}/user.toml", read_notes, lines('tags = ["good"]', 'note = "a"')),
    "control": Kind(f"{RUN}/control.json", take_requests, lines('[{"action": "stop", "time": 1.5}]')),
    "results": Kind(f"{RUN}/evaluation.json", read_the_results, lambda run, path: write_results(path, RESULTS)),
    "recipe": Kind(f"{RUN}/recipe.toml", read_the_recipe, lambda run, path: None),
    "continuation": Kind(
        f"{RUN}/continues.json",
        read_what_it_continues,
        lines(
            '{"run": "a", "how": {"schedule": "hold", "step": 6, "steps": 6, "steps_per_epoch": 3, "last": 0.5, '
            '"rate": 0.1, "recipe": "ab", "earlier": null}}'
        ),
    ),
    "environment": Kind(f"{RUN}/env.json", lambda run: note_resume(run.env_file, []), lines('{"resumed": [{}]}')),
    "log": Kind(f"{RUN}/log.txt", last_words, lines("a warning")),
    "operators": Kind(
        f"{RUN}/operators.json",
        lambda run: read_operators(run.path / "operators.json"),
        lambda run, path: write_operators(path, OperatorTable(3, 5, False, (Operator("mm", 2.0, 0.1, 0.0, 1.0),))),
    ),
    "stacks": Kind(
        f"{RUN}/stacks.json",
        lambda run: read_stacks(run.path / "stacks.json"),
        lambda run, path: write_stacks(path, StackWindow(3, 5, 1.0, 0.001, 100, FRAME)),
    ),
    "phases": Kind(f"{RUN}/phases.json", read_the_phases, lines(to_json(EVENTS[3]))),
    "request": Kind(f".queue/5000000000-{RUN}.json", read_the_queue, lines(json.dumps({"run": RUN, "queued": 1.5}))),
    "baseline": Kind(".baseline", lambda run: baseline(run.path.parent), lines(RUN)),
    "settings": Kind(f"{RUN}/settings.toml", read_the_settings, lines("[screens]", 'theme = "nord"')),
    "session": Kind(
        f"{RUN}/session.json",
        lambda run: read_session(run.path / "session.json"),
        lines('{"recipe": "", "screens": {}}'),
    ),
}


def fresh(root: Path, kind: Kind) -> tuple[RunDirectory, Path]:
    shutil.rmtree(root, ignore_errors=True)
    run = bare_run(root, RUN)
    path = root / kind.place
    path.parent.mkdir(exist_ok=True)
    return run, path


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(
        [10**400, -(10**30), 2**63, -1, math.nan, math.inf, 1e308, -1e308, "\x1b]52;c;eA==\x07", "\u2028"]
    )
    | st.floats()
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("name", KINDS)
@QUIET
@given(data=st.data())
def test_any_bytes_are_survived(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    with tempfile.TemporaryDirectory() as folder:
        run, path = fresh(Path(folder) / "runs", kind)
        kind.write(run, path)
        whole = path.read_bytes()
        how = data.draw(st.sampled_from(["anything", "flipped", "cut", "inserted"]))
        at = data.draw(st.integers(0, max(0, len(whole) - 1)))
        if how == "anything":
            whole = data.draw(st.binary(max_size=300))
        elif how == "flipped":
            whole = whole[:at] + bytes([whole[at] ^ 1 << data.draw(st.integers(0, 7))]) + whole[at + 1 :]
        elif how == "cut":
            whole = whole[:at]
        else:
            whole = whole[:at] + data.draw(st.binary(max_size=50)) + whole[at:]
        path.write_bytes(whole)
        kind.read(run)


@pytest.mark.parametrize("name", [name for name in KINDS if KINDS[name].place.endswith(("json", "jsonl"))])
@QUIET
@given(data=st.data())
def test_any_values_of_any_type_are_survived(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    with tempfile.TemporaryDirectory() as folder:
        run, path = fresh(Path(folder) / "runs", kind)
        kind.write(run, path)
        found = []
        for line in path.read_text().splitlines() if kind.place.endswith("l") else [path.read_text()]:
            values = json.loads(line)
            for _ in range(data.draw(st.integers(0, 2))):
                _replace(values, data)
            found.append(json.dumps(values))
        path.write_text("\n".join(found) + "\n")
        kind.read(run)


def _replace(values: Any, data: st.DataObject) -> None:
    """Put any value in the place of one, however deep."""
    keys = list(values) if isinstance(values, dict) else list(range(len(values)))
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))
    if isinstance(values[key], dict | list) and data.draw(st.booleans()):
        _replace(values[key], data)
    else:
        values[key] = data.draw(VALUES)


BREAKING = {
    "lists": "[" * 100_000,
    "objects": '{"a":' * 100_000,
    "number": "9" * 5000,
    "toml": "x = " + "[" * 100_000,
    "zeros": "\x00" * 9999,
}


@pytest.mark.parametrize("text", BREAKING)
@pytest.mark.parametrize("name", KINDS)
def test_what_breaks_parsers_is_survived(name: str, text: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    run, path = fresh(tmp_path / "runs", kind)
    path.write_text(BREAKING[text] + "\n")
    kind.read(run)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", KINDS)
def test_what_is_no_file_is_survived(name: str, odd: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    run, path = fresh(tmp_path / "runs", kind)
    path.unlink(missing_ok=True)
    ODD[odd](path)
    problems: list[BaseException] = []

    def read() -> None:
        try:
            kind.read(run)
        except BaseException as error:
            problems.append(error)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    reading.join(20)
    assert not reading.is_alive()
    assert not problems


def test_lines_that_cannot_be_read_are_counted_and_the_others_count(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    reader = EventReader(run)
    good = [to_json(event).encode() for event in EVENTS]
    bad = [
        good[1].replace(b'"loss":0.5', b'"loss":"x"'),
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"kind":"trained"}',
        b'{"kind":"from_the_future"}',
        good[1].replace(b'"step":2', b'"step":-2'),
        good[0].replace(b'"classes":["a","b"]', b'"classes":"ab"'),
        b'{"kind":"noted","message":"' + b"x" * LONGEST + b'"}',
    ]
    with run.events_file.open("wb") as file:
        for number, line in enumerate(bad):
            file.write(line + b"\n\n" + good[number] + b"\n")
        file.write(good[8] + b"\n" + b"[" * (LONGEST + 10))
    assert reader.read_new() == list(EVENTS)
    assert (reader.unread, reader.problem) == (8, f"{run.events_file}: left out 8 lines that could not be read")
    with run.events_file.open("ab") as file:
        file.write(b"[" * LONGEST)
    assert reader.read_new() == []
    with run.events_file.open("ab") as file:
        file.write(b"\n" + good[1] + b"\n")
    assert reader.read_new() == [EVENTS[1]]
    assert reader.unread == 9


def test_a_file_that_is_no_run_s_is_said(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    reader = EventReader(run)
    ODD["huge"](run.events_file)
    assert reader.read_new() == []
    assert reader.problem == f"{run.events_file}: cannot be read: it has 10.0 GB, far more than any run writes"
    run.events_file.unlink()
    ODD["pipe"](run.events_file)
    assert EventReader(run).read_new() == []


def test_a_gigabyte_without_a_line_is_read_in_blocks(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    with run.events_file.open("wb") as file:
        file.truncate(200 << 20)
        file.seek(0, 2)
        file.write(b"\n" + to_json(EVENTS[1]).encode() + b"\n")
    import tracemalloc

    tracemalloc.start()
    reader = EventReader(run)
    assert reader.read_new() == [EVENTS[1]]
    assert tracemalloc.get_traced_memory()[1] < 40 << 20
    tracemalloc.stop()
    assert reader.unread == 1


def test_the_screens_go_on_and_say_it(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    write_status(run, lasting("running"))
    follower = Follower(run)
    run.events_file.write_bytes(to_json(EVENTS[0]).encode() + b'\n{"kind":"trained","loss":"x"}\n')
    follower.poll()
    (reading,) = follower.take()
    assert (reading.events, reading.state) == ([EVENTS[0]], "running")
    assert reading.log == [f"{run.events_file}: left out 1 line that could not be read"]
    with run.events_file.open("ab") as file:
        file.write(to_json(EVENTS[1]).encode() + b"\n")
    follower.poll()
    (reading,) = follower.take()
    assert (reading.events, reading.log) == ([EVENTS[1]], [])


def test_damaged_results_are_refused(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    write_results(run.results_file, RESULTS)
    assert load_results(run.results_file) == RESULTS
    whole = run.results_file.read_bytes()
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        for bit in range(8):
            data = bytearray(whole)
            data[int(share * len(data))] ^= 1 << bit
            run.results_file.write_bytes(data)
            try:
                assert load_results(run.results_file) == RESULTS  # only the digest's own name was hit
            except RunError as error:
                assert "evaluation.json: is damaged" in str(error)
                assert "workbench show" in str(error)
    run.results_file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunError, match="is damaged"):
        load_results(run.results_file)
    before = json.loads(whole)
    del before["digest"]
    run.results_file.write_text(json.dumps(before))  # of an earlier version
    assert load_results(run.results_file) == RESULTS
