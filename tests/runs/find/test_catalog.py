from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.runs.helpers import SMALL, bare_run
from workbench.runs.find import catalog as module
from workbench.runs.find.catalog import Catalog
from workbench.runs.store.notes import pin, write_tags
from workbench.runs.store.status import Status, new_status, write_status


def test_what_did_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [bare_run(tmp_path, f"2026112{day}-000000-small-000{day}") for day in range(3)]
    for run in runs:
        write_status(run, Status("finished", test_accuracy=0.5))
    catalog = Catalog(tmp_path)
    first = catalog.refresh()
    assert [entry.name for entry in first.entries] == [run.name for run in reversed(runs)]

    read: list[str] = []
    real = module.read_status
    monkeypatch.setattr(module, "read_status", lambda run: (read.append(run.name), real(run))[1])
    second = catalog.refresh()
    assert second == first and read == []
    assert all(a is b for a, b in zip(first.entries, second.entries, strict=True))

    write_status(runs[0], Status("finished", test_accuracy=0.6))
    write_tags(runs[1], ["paper"])
    pin(tmp_path, runs[2].name)
    third = catalog.refresh()
    assert sorted(read) == [runs[0].name, runs[1].name]
    assert third.entries[2].status == Status("finished", test_accuracy=0.6)
    assert third.entries[1].notes.tags == ("paper",)
    assert third.entries[0] is first.entries[0]
    assert third.baseline == runs[2].name


def test_runs_come_and_go(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "runs")
    assert catalog.refresh().entries == ()
    run = bare_run(tmp_path / "runs")
    (tmp_path / "runs" / ".deleted-x-1").mkdir()
    (tmp_path / "runs" / ".deleted-x-1" / "recipe.toml").write_text(SMALL)
    assert [entry.name for entry in catalog.refresh().entries] == [run.name]
    run.recipe_file.unlink()
    assert catalog.refresh().entries == ()


def test_a_process_that_dies_without_a_word_is_noticed(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        write_status(run, dataclasses.replace(new_status("running", child.pid), heartbeat=time.time() + 60))
        catalog = Catalog(tmp_path)
        assert catalog.refresh().entries[0].state == "running"
        child.kill()
    assert catalog.refresh().entries[0].state == "lost"
