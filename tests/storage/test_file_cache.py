"""What is read from files is read again only where one of them has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.storage.file_cache import FileCache, stamp


def test_a_value_stays_until_one_of_its_files_changes(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    cache: FileCache[str, list[str]] = FileCache()
    before: list[list[str] | None] = []

    def make(known: list[str] | None) -> list[str]:
        before.append(known)
        return [path.read_text() for path in (one, other) if path.exists()]

    first = cache.get("both", (one, other), make)
    assert first == ["1"] and cache.get("both", (one, other), make) is first
    other.write_text("2")
    second = cache.get("both", (one, other), make)
    assert second == ["1", "2"] and before == [None, first]
    one.unlink()
    assert cache.get("both", (one, other), make) == ["2"]


def test_what_cannot_be_made_is_tried_again(tmp_path: Path) -> None:
    cache: FileCache[str, str] = FileCache()
    path = tmp_path / "a"
    with pytest.raises(FileNotFoundError):
        cache.get("a", (path,), lambda known: path.read_text())
    path.write_text("text")
    assert cache.get("a", (path,), lambda known: path.read_text()) == "text"


def test_the_oldest_are_forgotten(tmp_path: Path) -> None:
    made: list[int] = []

    def make(number: int) -> int:
        made.append(number)
        return number

    cache: FileCache[int, int] = FileCache(2)
    for number in (1, 2, 3, 2, 1):
        assert cache.get(number, (), lambda known, number=number: make(number)) == number  # type: ignore[misc]
    assert made == [1, 2, 3, 1]
    cache.keep_only([1])
    assert cache.get(1, (), lambda known: make(1)) == 1 and made[-1] == 1 and len(made) == 4
    assert cache.replace(1, 7) == 7 and cache.get(1, (), lambda known: make(1)) == 7


def test_a_stamp_tells_versions_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert stamp(path) is None
    path.write_text("a")
    first = stamp(path)
    path.with_name("b").write_text("a")
    path.with_name("b").replace(path)
    assert first is not None and stamp(path) != first
