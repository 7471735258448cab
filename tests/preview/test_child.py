"""The preview process's loop: stages, staleness, errors; with an answer of our own and without torch."""

from __future__ import annotations

import io
import os
import threading

import pytest

from tests.waiting import GIVE_UP, wait_for
from workbench.preview.child import Answer, Newest, _answered, one_line, serve
from workbench.preview.protocol import (
    Checks,
    PreviewRequest,
    Refused,
    Reply,
    Samples,
    Stage,
    Static,
    read_reply,
    read_request,
    to_line,
)
from workbench.recipe import Problem, RecipeError


def request(number: int, stage: Stage = "static") -> PreviewRequest:
    return PreviewRequest(number, stage, "", "data", ("plugin.py",))


def static(number: int) -> Static:
    return Static(number, 10, {"a": 10}, 40, 5, 50, [[0.0, 0.1]], 100)


REPLIES: tuple[Reply, ...] = (
    static(1),
    Checks(2, float("inf"), 2.3, [{"name": "x"}]),
    Samples(3, 1, "AAAA", ["cat"]),
    Refused(4, "no data"),
)


def test_messages_survive_the_wire() -> None:
    assert read_request(to_line(request(3))) == request(3)
    for reply in REPLIES:
        line = to_line(reply)
        assert line.count("\n") == 1
        assert read_reply(line) == reply


@pytest.mark.parametrize("line", ["", "{", "[]", "null", '{"id": 1}', '{"what": 2}', '{"id": 1, "stage": "soup"}'])
def test_anything_else_is_refused_with_a_value_error(line: str) -> None:
    with pytest.raises(ValueError):
        read_request(line)
    with pytest.raises(ValueError):
        read_reply(line)


class Served:
    """A loop in a thread, its requests and what it replied."""

    def __init__(self, answer: Answer) -> None:
        reading, writing = os.pipe()
        self._requests, self._input = os.fdopen(reading), os.fdopen(writing, "w", buffering=1)
        self.replies = io.StringIO()
        self.thread = threading.Thread(target=serve, args=(self._requests, self.replies, answer), daemon=True)
        self.thread.start()

    def ask(self, line: str) -> None:
        self._input.write(line)

    def close(self) -> None:
        self._input.close()
        self.thread.join(GIVE_UP)
        self._requests.close()

    def ids(self) -> list[int]:
        return [read_reply(line).id for line in self.replies.getvalue().splitlines()]


def test_the_end_of_input_ends_it_and_nonsense_does_not() -> None:
    served = Served(lambda asked: static(asked.id))
    served.ask("not json\n" + to_line(request(7)))
    wait_for(lambda: served.ids() == [7])
    served.close()
    assert not served.thread.is_alive()


def test_a_stage_that_takes_long_delays_no_other() -> None:
    go_on = threading.Event()

    def answer(asked: PreviewRequest) -> Reply:
        if asked.stage == "checks":
            assert go_on.wait(GIVE_UP)
        return static(asked.id)

    served = Served(answer)
    served.ask(to_line(request(1, "checks")))
    for number in (2, 3):
        served.ask(to_line(request(number)))
        wait_for(lambda number=number: number in served.ids())  # type: ignore[misc]
    go_on.set()
    wait_for(lambda: served.ids() == [2, 3, 1])
    served.close()


def test_a_newer_request_of_a_stage_makes_the_older_ones_void() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def answer(asked: PreviewRequest) -> Reply:
        if asked.id == 1:
            begun.set()
            assert go_on.wait(GIVE_UP)
        return static(asked.id)

    served = Served(answer)
    served.ask(to_line(request(1)))
    assert begun.wait(GIVE_UP)
    served.ask(to_line(request(2)) + to_line(request(3)) + to_line(request(4, "samples")))
    wait_for(lambda: served.ids() == [4])
    go_on.set()
    wait_for(lambda: 3 in served.ids())
    served.close()
    assert served.ids() == [4, 3]


def test_what_goes_wrong_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(asked: PreviewRequest) -> Reply:
        raise KeyError("x")

    assert _answered(request(4), answer) == Refused(4, "KeyError: 'x'")
    assert "Traceback" in capsys.readouterr().err  # for the log


def test_errors_in_one_line() -> None:
    problems = [Problem("train.epochs", "expected a number"), Problem("model.name", "unknown")]
    assert one_line(RecipeError(problems)) == "train.epochs: expected a number"
    assert one_line(ValueError("")) == "ValueError"
    assert one_line(ValueError("a\nb")) == "ValueError: a"


def test_the_newest_request_wins() -> None:
    newest = Newest()
    newest.put(request(1))
    newest.put(request(2))
    assert newest.take() == request(2)
    assert newest.stale(request(1)) and not newest.stale(request(2))
    newest.close()
    assert newest.take() is None
