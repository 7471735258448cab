from __future__ import annotations

from pathlib import Path

from tests.runs.fake_engine import trained
from tests.runs.helpers import bare_run
from workbench.events import CheckFinished, Evaluated, Noted, Resumed, to_json
from workbench.runs.store.events import EventReader, read_events, withdraw


def evaluated(step: int) -> Evaluated:
    return Evaluated(step=step, epoch=1.0, split="test", loss=1.0, accuracy=0.5, seconds=1.0)


def test_reading_on_gives_only_what_is_new(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    reader = EventReader(run)
    assert reader.read_new() == []
    with run.events_file.open("a") as file:
        file.write(to_json(trained(1)) + "\n" + to_json(trained(2)) + "\n")
    assert reader.read_new() == [trained(1), trained(2)]
    assert reader.read_new() == []


def test_a_line_that_is_still_being_written_waits(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    reader = EventReader(run)
    line = to_json(Noted(message="größer"))
    half = len(line) // 2
    for part, expected in ((line[:half], 0), (line[half:], 0), ("\n", 1)):
        with run.events_file.open("a", encoding="utf-8") as file:
            file.write(part)
        assert len(reader.read_new()) == expected


def test_torn_and_unknown_lines_are_left_out(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    lines = [
        to_json(trained(1)),
        '{"kind":"trained","st',
        '{"kind":"from_the_future"}',
        "\xff",
        "null",
        to_json(trained(2)),
    ]
    run.events_file.write_bytes("\n".join(lines).encode("latin-1") + b'\n{"kind":')
    assert read_events(run) == [trained(1), trained(2)]


def test_resuming_withdraws_what_lies_beyond(tmp_path: Path) -> None:
    run = bare_run(tmp_path)
    check = CheckFinished(name="x", verdict="pass", expected="", found="", reason="")
    said = [check, trained(1), trained(2), evaluated(2), trained(3), Noted(message="n"), Resumed(step=2), trained(3)]
    run.events_file.write_text("".join(to_json(event) + "\n" for event in said))
    assert read_events(run) == [
        check,
        trained(1),
        trained(2),
        evaluated(2),
        Noted(message="n"),
        Resumed(step=2),
        trained(3),
    ]


def test_a_later_withdrawal_takes_earlier_ones_along() -> None:
    assert withdraw([trained(5), Resumed(step=5), trained(6), trained(2)], 3) == [trained(2)]
