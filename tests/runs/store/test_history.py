"""What the events of a run add up to, and when they are to be added up anew."""

from __future__ import annotations

from pathlib import Path

from tests.runs.fake_engine import started, trained
from tests.runs.helpers import bare_run
from workbench.events import (
    CheckFinished,
    CheckpointSaved,
    Continued,
    Evaluated,
    Event,
    Failed,
    Noted,
    Paused,
    Resumed,
    to_json,
)
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import EventReader
from workbench.runs.store.history import RunHistory, read_history


def write(run: RunDirectory, *events: Event) -> None:
    with run.events_file.open("a") as file:
        file.writelines(f"{to_json(event)}\n" for event in events)


def evaluated(step: int, split: str = "test") -> Evaluated:
    return Evaluated(step=step, epoch=1.0, split=split, loss=0.5, accuracy=step / 100, seconds=1.0)


def checked(name: str, verdict: str = "pass") -> CheckFinished:
    return CheckFinished(name=name, verdict=verdict, expected="", found="", reason="why")  # type: ignore[arg-type]


def test_a_history_is_the_last_of_each_kind() -> None:
    history = RunHistory([started(), checked("before", "fail"), trained(10), checked("during", "fail")])
    assert history.started is not None and (history.step, history.steps) == (10, history.started.steps)
    assert [check.name for check in history.failing()] == ["during"]
    for event in (checked("during"), evaluated(10, "validation"), evaluated(10), evaluated(20), Paused(step=20)):
        history.take(event)
    assert history.failing() == [] and list(history.checks) == ["before", "during"] and history.paused
    assert [(e.split, e.step) for e in history.evaluations] == [("validation", 10), ("test", 10), ("test", 20)]
    latest = history.latest("test")
    assert latest is not None and latest.step == 20 and history.latest("other") is None
    for event in (Continued(step=20), CheckpointSaved(step=20, file="last.pt"), Failed(error="no")):
        history.take(event)
    assert not history.paused and history.checkpoints == 1 and isinstance(history.ended, Failed)
    history.take(Resumed(step=20))
    assert history.ended is None


def test_a_reader_begins_anew_where_events_were_withdrawn(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    reader = EventReader(run)
    assert reader.read() == ([], True)
    write(run, started(), trained(10), evaluated(10))
    events, anew = reader.read()
    assert len(events) == 3 and not anew
    write(run, Resumed(step=0), trained(5), Noted(message="more"))
    events, anew = reader.read()
    assert anew and [type(event).__name__ for event in events] == ["RunStarted", "Resumed", "Trained", "Noted"]
    assert reader.read() == ([], False)
    history = read_history(run)
    assert history.evaluations == [] and history.trained is not None and history.trained.step == 5


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    run.events_file.write_text("nonsense\n")
    told: list[str] = []
    assert read_history(run, told.append).started is None
    assert told == [f"{run.events_file}: left out 1 line that could not be read"]
