from __future__ import annotations

from pathlib import Path

import pytest

from tests.runs.helpers import bare_run
from workbench.runs.errors import RunError
from workbench.runs.store.notes import Notes, baseline, pin, read_notes, split_tags, write_note, write_tags


def test_notes_come_back_as_they_were(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    assert read_notes(run) == Notes()
    write_tags(run, ["paper", "b-2", "paper"])
    write_note(run, '  a "quoted" line\nand another  ')
    assert read_notes(run) == Notes(("paper", "b-2"), 'a "quoted" line\nand another')
    write_tags(run, [])
    write_note(run, "")
    assert read_notes(run) == Notes()


def test_what_somebody_else_wrote_is_kept(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    run.notes_file.write_text('mood = "good"\ntags = ["a", 3, "not one"]\n')
    assert read_notes(run) == Notes(("a",))
    write_note(run, "words")
    assert 'mood = "good"' in run.notes_file.read_text()
    assert read_notes(run) == Notes(("a",), "words")


def test_a_damaged_file_is_said_and_not_overwritten(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    run.notes_file.write_text("tags = [")
    assert "is not TOML" in read_notes(run).problem
    with pytest.raises(RunError, match="mend or delete the file"):
        write_note(run, "words")
    assert run.notes_file.read_text() == "tags = ["
    run.notes_file.write_text('tags = "a"\nnote = "kept"')
    assert read_notes(run).note == "kept" and "tags: not of the right type" in read_notes(run).problem


def test_tags_are_words() -> None:
    assert split_tags(" a, b c,,a ") == ["a", "b", "c"]
    for wrong in ("-a", "a:b", "x" * 41, "a<b", "!"):
        with pytest.raises(RunError, match="cannot be a tag"):
            split_tags(wrong)


def test_there_is_one_baseline(tmp_path: Path) -> None:
    first, second = bare_run(tmp_path, "first"), bare_run(tmp_path, "second")
    assert baseline(tmp_path) == ""
    pin(tmp_path, first.name)
    pin(tmp_path, second.name)
    assert baseline(tmp_path) == "second"
    second.recipe_file.unlink()
    assert baseline(tmp_path) == ""  # it is not there any more
    pin(tmp_path, "")
    pin(tmp_path, "")
    (tmp_path / ".baseline").write_text("../first")
    assert baseline(tmp_path) == ""
