"""The preview process's loop: stages, staleness, errors; with an answer of our own and without torch."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator

import pytest

from workbench.preview.child import Newest, one_line, serve
from workbench.preview.protocol import Checks, Refused, Reply, Request, Static, read_reply, read_request, to_line
from workbench.recipe import Problem, RecipeError


def request(number: int, recipe: str = "") -> Request:
    return Request(number, recipe, "data", ("plugin.py",))


def static(number: int) -> Static:
    return Static(number, 10, {"a": 10}, 5, 50, [[0.0, 0.1]])


def test_messages_survive_the_wire() -> None:
    assert read_request(to_line(request(3))) == request(3)
    for reply in (static(1), Checks(2, float("inf"), 2.3, [{"name": "x"}]), Refused(3, "no data")):
        line = to_line(reply)
        assert line.count("\n") == 1
        assert read_reply(line) == reply


@pytest.mark.parametrize("line", ["", "{", "[]", "null", '{"id": 1}', '{"what": 2}'])
def test_anything_else_is_refused_with_a_value_error(line: str) -> None:
    with pytest.raises(ValueError):
        read_request(line)
    if line != '{"id": 1}':
        with pytest.raises(ValueError):
            read_reply(line)


def test_stages_come_one_after_the_other_and_the_end_of_input_ends_it() -> None:
    done = threading.Event()

    def answer(asked: Request) -> Iterator[Reply]:
        yield static(asked.id)
        yield Checks(asked.id, 2.4, 2.3, [])
        done.set()

    reading, writing = os.pipe()
    replies = io.StringIO()
    with os.fdopen(reading) as requests:
        thread = threading.Thread(target=serve, args=(requests, replies, answer))
        thread.start()
        with os.fdopen(writing, "w") as file:
            file.write("not json\n" + to_line(request(7)))
            file.flush()
            assert done.wait(5)
        thread.join(5)
        assert not thread.is_alive()
    kinds = [type(read_reply(line)) for line in replies.getvalue().splitlines()]
    assert kinds == [Static, Checks]


def test_a_newer_request_makes_the_older_one_void() -> None:
    first_stage, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def answer(asked: Request) -> Iterator[Reply]:
        yield static(asked.id)
        if asked.id == 1:
            first_stage.set()
            assert go_on.wait(5)
        yield Checks(asked.id, 2.4, 2.3, [])
        if asked.id == 3:
            done.set()

    reading, writing = os.pipe()
    replies = io.StringIO()
    with os.fdopen(reading) as requests, os.fdopen(writing, "w", buffering=1) as file:
        threading.Thread(target=serve, args=(requests, replies, answer), daemon=True).start()
        file.write(to_line(request(1)))
        assert first_stage.wait(5)
        file.write(to_line(request(2)))
        file.write(to_line(request(3)))
        for _ in range(200):
            if done.is_set():
                break
            go_on.wait(0.02)
            go_on.set()
        assert done.wait(5)
    stages = [(reply["id"], reply["stage"]) for reply in map(json.loads, replies.getvalue().splitlines())]
    assert stages[0] == (1, "static")
    assert (3, "static") in stages
    assert (2, "checks") not in stages


def test_what_goes_wrong_is_one_line_and_the_next_request_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    from workbench.preview.child import _answered

    def answer(asked: Request) -> Iterator[Reply]:
        yield static(asked.id)
        raise KeyError("x")

    found = list(_answered(request(4), answer))
    assert found == [static(4), Refused(4, "KeyError: 'x'")]
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
