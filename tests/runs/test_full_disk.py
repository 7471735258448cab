"""There is no room: which file, how much was needed, and a run that stopped at its last checkpoint, never "lost"."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs.fake_engine import started, trained
from tests.runs.helpers import bare_run, lasting, state_of
from workbench.events import CheckpointSaved, Failed, Finished
from workbench.runs import errors
from workbench.runs.errors import CannotWrite
from workbench.runs.store.events import read_events
from workbench.runs.store.status import new_status, read_status, write_status
from workbench.runs.training.writer import RunWriter
from workbench.storage import atomic


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    with contextlib.suppress(OSError), (folder / "filler").open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 512)


def test_the_status_is_written_on_a_full_disk(small_disk: Path) -> None:
    run = bare_run(small_disk)
    write_status(run, lasting("running"))
    fill(small_disk)
    for state, message in (("stopped", "a" * 600), ("failed", "short")):
        status = new_status(state)
        write_status(run, wanted := status.__class__(**{**vars(status), "message": message}))
        assert read_status(run) == wanted
    with pytest.raises(
        CannotWrite, match=r"status\.json: cannot be written: No space left on device \(\d.* needed, 0 bytes"
    ):
        write_status(run, status.__class__(**{**vars(status), "device": "a" * 90_000}))
    assert state_of(run) == "failed"
    write_status(run, status.__class__(**{**vars(status), "message": "a" * 90_000}))
    assert read_status(run) == status.__class__(**{**vars(status), "message": "a" * 1000 + "…"})
    assert [path.name for path in run.path.iterdir() if "partial" in path.name] == []


def test_a_run_that_cannot_write_has_stopped(small_disk: Path) -> None:
    run = bare_run(small_disk)
    with RunWriter(run) as writer:
        writer.write(started())
        writer.write(trained(1))
        writer.write(CheckpointSaved(step=1, file="last.pt"))
        fill(small_disk)
        with pytest.raises(CannotWrite) as caught:
            for step in range(2, 200):
                writer.write(trained(step))
        said = writer.break_off(str(caught.value))
    assert f"{run.events_file}: cannot be written: No space left on device (" in said
    assert "bytes needed, 0 bytes free)" in said
    assert said.endswith(
        f"the run stopped at its last checkpoint (step 1); go on with: workbench run --resume {run.path}"
    )
    status = read_status(run)
    assert status is not None
    assert (status.state, status.message) == ("stopped", said)
    (small_disk / "filler").unlink()
    with RunWriter(run) as writer:
        writer.write(Finished(step=20, seconds=1.0, test_loss=0.1, test_accuracy=0.9))
    assert [type(event).__name__ for event in read_events(run)][-1] == "Finished"


def test_an_end_that_cannot_be_written_is_in_the_status(small_disk: Path) -> None:
    run = bare_run(small_disk)
    with pytest.raises(CannotWrite), RunWriter(run) as writer:
        writer.write(started())
        fill(small_disk)
        writer.write(Failed(error="out of memory" + "!" * 5000))
    assert state_of(run) == "failed"


def test_what_is_no_lack_of_room_is_not_called_so(tmp_path: Path) -> None:
    said = str(errors.cannot_write(tmp_path / "a", OSError(errno.EACCES, "Permission denied"), 3))
    assert said == f"{tmp_path / 'a'}: cannot be written: Permission denied; choose another folder with --runs"
    said = str(errors.cannot_write(tmp_path / "none" / "a", OSError(errno.EDQUOT, "Disk quota exceeded"), 45_100_000))
    assert "Disk quota exceeded (45.1 MB needed, " in said
    assert " free); make room there, or choose another folder with --runs" in said


def test_writing_over_needs_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.Path, "write_bytes", full)
    with pytest.raises(CannotWrite):
        errors.replace_text(tmp_path / "a", "text", last_resort=True)
    (tmp_path / "a").write_text("longer than that")
    errors.replace_text(tmp_path / "a", "text", last_resort=True)
    assert (tmp_path / "a").read_text() == "text" + " " * 12
    with pytest.raises(CannotWrite):
        errors.replace_text(tmp_path / "a", "more", last_resort=False)
