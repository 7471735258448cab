"""Work aside: what a thread finds out comes back on the screen, or is dropped where nobody looks any more."""

from __future__ import annotations

import threading

import pytest

from tests.tui.conftest import AppFactory
from tests.waiting import until
from workbench.runs.errors import RunError
from workbench.tui.common.background import WorkDone, aside, start_thread


def refuse() -> None:
    raise RunError("no such run")


async def test_a_result_comes_back_in_the_thread_of_the_screens(make_app: AppFactory) -> None:
    app = make_app()
    seen: list[object] = []
    async with app.run_test() as pilot:
        aside(app, "a question", threading.current_thread, lambda worker: seen.extend((worker, threading.get_ident())))
        await until(pilot, lambda: len(seen) == 2)
    worker, heard_in = seen
    assert isinstance(worker, threading.Thread) and worker.daemon and worker.name == "a question"
    assert heard_in == threading.get_ident() != worker.ident


async def test_a_run_error_comes_back_too_and_ends_it(make_app: AppFactory) -> None:
    app = make_app()
    seen: list[str] = []
    async with app.run_test() as pilot:
        aside(app, "refused", refuse, lambda _: seen.append("done"), lambda error: seen.append(str(error)))
        await until(pilot, lambda: bool(seen))
        aside(app, "refused quietly", refuse)
        await pilot.pause(0.1)
    assert seen == ["no such run"] and app.ended_by is None


def test_any_other_exception_is_the_threads_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app hears of it by threading.excepthook, see workbench.tui.app.lifecycle."""
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)

    class Nobody:
        def post_message(self, message: object) -> bool:
            raise AssertionError("nothing is to be said")

    before = set(threading.enumerate())
    aside(Nobody(), "broken", lambda: 1 / 0)
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert [args.exc_type for args in told] == [ZeroDivisionError] and told[0].thread is not None
    assert told[0].thread.name == "broken"


async def test_nothing_follows_where_the_app_has_left(make_app: AppFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    go_on, seen, broken = threading.Event(), list[str](), list[threading.ExceptHookArgs]()
    monkeypatch.setattr(threading, "excepthook", broken.append)
    before = set(threading.enumerate())
    async with app.run_test():
        aside(app, "slow", go_on.wait, lambda _: seen.append("done"))
    go_on.set()
    for thread in set(threading.enumerate()) - before:
        if thread.name == "slow":
            thread.join()
    assert not seen and not broken
    assert not app.post_message(WorkDone(lambda: seen.append("done")))


def test_a_thread_begins_at_once_and_ends_with_the_process() -> None:
    begun = threading.Event()
    thread = start_thread("watching", begun.wait)
    assert thread.daemon and thread.name == "watching" and thread.is_alive()
    begun.set()
    thread.join()
