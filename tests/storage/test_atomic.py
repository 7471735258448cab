"""Files that are written aside: whole ones or none, whatever goes wrong meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workbench.storage import atomic
from workbench.storage.atomic import write_bytes, written_aside


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with written_aside(path) as partial:
        partial.write_text("new")
        assert partial.parent == tmp_path and path.read_text() == "old"
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(type(error)), written_aside(path) as partial:
        partial.write_text("half")
        raise error
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a"]


def test_a_flush_has_file_and_name_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    with written_aside(tmp_path / "a", flush=True, partial=tmp_path / "half") as partial:
        partial.write_text("new")
    assert flushed == [str(tmp_path / "half"), str(tmp_path)]
    with written_aside(tmp_path / "a") as partial:
        partial.write_text("newer")
    assert len(flushed) == 2


def test_an_error_names_the_file_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        write_bytes(tmp_path / "none" / "a", b"new")
    assert caught.value.filename == str(tmp_path / "none" / "a")
