"""Deleted runs: what comes back, what is kept for how long, and that nobody else looks at them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.runs.helpers import bare_run
from workbench.runs.errors import RunError
from workbench.runs.find.catalog import Catalog
from workbench.runs.find.listing import find_run, list_runs
from workbench.runs.find.speed import Speeds
from workbench.runs.queue.held_devices import LiveRuns
from workbench.runs.store import trash
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import baseline, pin
from workbench.runs.store.status import Status, write_status
from workbench.runs.store.trash import KEEP_DAYS, bring_back, deletions, new_deletion, remove, tidy

DAY = 24 * 3600


def delete(root: Path, *names: str, size: int = 10) -> None:
    """Delete some runs at once."""
    deletion = new_deletion(root)
    for name in names:
        run = bare_run(root, name)
        (run.path / "weights").write_bytes(b"x" * size)
        remove(run, deletion)


def names(runs: list[RunDirectory]) -> list[str]:
    return sorted(run.name for run in runs)


def there(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.name[0] != ".")


def test_the_latest_deletion_comes_back_whole_and_then_the_one_before(tmp_path: Path) -> None:
    delete(tmp_path, "first")
    delete(tmp_path, "second", "third")
    assert there(tmp_path) == []
    assert names(bring_back(tmp_path)) == ["second", "third"]
    assert (tmp_path / "third" / "weights").read_bytes() == b"x" * 10
    assert names(bring_back(tmp_path)) == ["first"]
    with pytest.raises(RunError, match=r"nothing was deleted in .* that could be brought back"):
        bring_back(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second", "third"]  # and no trash any more


def test_runs_come_back_by_name(tmp_path: Path) -> None:
    delete(tmp_path, "20261120-142501-v2-3f9c", "20261120-150212-v2-81aa")
    delete(tmp_path, "other")
    assert names(bring_back(tmp_path, ["81aa"])) == ["20261120-150212-v2-81aa"]
    with pytest.raises(RunError, match="no deleted run 'v3'; there are other, 20261120-142501-v2-3f9c"):
        bring_back(tmp_path, ["v3"])
    delete(tmp_path, "20261121-150212-v2-0000")
    with pytest.raises(RunError, match="'v2' could be 2 deleted runs"):
        bring_back(tmp_path, ["v2"])
    assert there(tmp_path) == ["20261120-150212-v2-81aa"]


def test_a_run_that_is_there_again_stays_as_it_is(tmp_path: Path) -> None:
    delete(tmp_path, "same", "other")
    again = bare_run(tmp_path, "same")
    with pytest.raises(RunError, match="same: cannot be brought back: there is a run of that name again; it is still"):
        bring_back(tmp_path)
    assert not (again.path / "weights").exists() and there(tmp_path) == ["other", "same"]
    (left,) = deletions(tmp_path)
    assert names(list(left.runs)) == ["same"]


@pytest.mark.parametrize("up", ["..", ""])
def test_a_link_to_a_run_that_lies_elsewhere_comes_back(tmp_path: Path, up: str) -> None:
    root, large = tmp_path / "runs", tmp_path / "large"
    moved = bare_run(large, "moved")
    root.mkdir()
    (root / "moved").symlink_to(Path(up, "large", "moved") if up else moved.path)
    remove(RunDirectory(root / "moved"))
    assert there(root) == [] and moved.exists()
    assert names(bring_back(root)) == ["moved"] and RunDirectory(root / "moved").exists()
    remove(RunDirectory(root / "moved"))
    assert tidy(root, everything=True) == 1 and moved.exists()


@pytest.mark.parametrize("other", ["", "other"])
def test_the_baseline_is_the_baseline_again_unless_another_one_is(tmp_path: Path, other: str) -> None:
    run = bare_run(tmp_path, "pinned")
    pin(tmp_path, run.name)
    remove(run)
    assert baseline(tmp_path) == ""
    if other:
        pin(tmp_path, bare_run(tmp_path, other).name)
    bring_back(tmp_path)
    assert baseline(tmp_path) == (other or "pinned")


def test_what_is_old_goes_for_good(tmp_path: Path) -> None:
    delete(tmp_path, "old")
    delete(tmp_path, "new")
    (deleted,) = [deletion for deletion in deletions(tmp_path) if deletion.runs[0].name == "old"]
    now = time.time()
    os.utime(deleted.path, (now, now - KEEP_DAYS * DAY + 60))
    assert tidy(tmp_path, now) == 0
    assert tidy(tmp_path, now + 120) == 1
    assert [run.name for deletion in deletions(tmp_path) for run in deletion.runs] == ["new"]


def test_what_is_too_much_goes_the_oldest_first_and_never_the_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trash, "KEEP_BYTES", 5000)
    for name, size in (("oldest", 3000), ("older", 3000), ("new", 1000)):
        delete(tmp_path, name, size=size)
    assert tidy(tmp_path) == 1
    assert [run.name for deletion in deletions(tmp_path) for run in deletion.runs] == ["new", "older"]
    delete(tmp_path, "huge", size=100_000)
    assert tidy(tmp_path) == 2
    assert names(bring_back(tmp_path)) == ["huge"]


def test_nobody_looks_into_the_trash(tmp_path: Path) -> None:
    run = bare_run(tmp_path, "gone")
    write_status(run, Status("finished", host=os.uname().nodename, images_per_second=100.0))
    remove(run)
    assert list_runs(tmp_path) == [] and Catalog(tmp_path).refresh().entries == ()
    assert Speeds(tmp_path).read() == [] and LiveRuns(tmp_path).find() == []
    for text in ("gone", "last"):
        with pytest.raises(RunError):
            find_run(tmp_path, text)


def test_a_folder_without_a_trash_has_nothing_to_tidy(tmp_path: Path) -> None:
    assert tidy(tmp_path) == 0 and tidy(tmp_path / "nowhere", everything=True) == 0
    assert list(tmp_path.iterdir()) == []
