"""What the preview pane knows, and the process that it asks."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from tests.tui.fakes import FAKE_PREVIEW
from workbench.preview.protocol import Checks, Refused, Reply, Request, Static
from workbench.recipe import Recipe, read_recipe, write_recipe
from workbench.tui import texts
from workbench.tui.preview_client import PreviewClient, PreviewEnded
from workbench.tui.preview_state import PreviewState


class Asked(list[Request]):
    """Requests that were asked; the newest is the one that counts."""

    @property
    def id(self) -> int:
        return self[-1].id


def static(number: int, parameters: int = 10) -> Static:
    return Static(number, parameters, {"a": parameters}, 5, 50, [[0.0, 0.1]])


def longer(recipe: Recipe, epochs: float) -> Recipe:
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": epochs})})


def test_changes_are_counted_against_the_recipe_as_loaded(recipe: Recipe) -> None:
    asked = Asked()
    state = PreviewState(asked.append, ("p.py",), Path("data"))
    state.look_at(recipe, recipe, trainable=True)
    assert read_recipe(asked[-1].recipe) == recipe and asked[-1].plugins == ("p.py",)
    assert state.hear(static(asked.id)) and state.hear(Checks(asked.id, 2.4, 2.3, []))
    assert len(asked) == 1
    state.look_at(longer(recipe, 3.0), recipe, trainable=True)
    assert state.picture.stale
    state.hear(static(asked.id, 14))
    assert "+4" in texts.preview(state.picture).plain


def test_the_loaded_recipe_is_asked_about_later_if_it_was_changed_before_the_first_answer(recipe: Recipe) -> None:
    asked = Asked()
    state = PreviewState(asked.append, (), Path("data"))
    state.look_at(recipe, recipe, trainable=True)
    first = asked.id
    state.look_at(longer(recipe, 3.0), recipe, trainable=True)
    assert not state.hear(static(first))  # void
    state.hear(static(asked.id, 14))
    state.hear(Checks(asked.id, 2.4, 2.3, []))
    assert asked[-1].stages == ("static",) and read_recipe(asked[-1].recipe) == recipe
    state.look_at(longer(recipe, 4.0), recipe, trainable=True)  # pushes the question out
    state.hear(static(asked.id, 14))
    state.hear(Checks(asked.id, 2.4, 2.3, []))
    state.hear(static(asked.id, 10))
    assert state.picture.baseline is not None and "+4" in texts.preview(state.picture).plain


def test_conflicts_and_refusals(recipe: Recipe) -> None:
    asked = Asked()
    state = PreviewState(asked.append, (), Path("data"))
    state.look_at(recipe, recipe, trainable=True)
    state.hear(Refused(asked.id, "cifar10: no files in data"))
    assert "cifar10: no files in data" in texts.preview(state.picture).plain
    assert "cifar10: no files in data" in texts.line(state.picture, []).plain
    count = len(asked)
    state.look_at(longer(recipe, 3.0), recipe, trainable=False)
    state.hear(Refused(asked.id, "the same again"))
    assert len(asked) <= count + 1  # what cannot be built is not asked about again and again


def heard(client_asks: list[Request], wanted: int, seconds: float = 10) -> list[Reply | PreviewEnded]:
    """Start a client on the fake process, ask, and wait for so many replies."""
    found: list[Reply | PreviewEnded] = []
    enough = threading.Event()

    def hear(reply: Reply | PreviewEnded) -> None:
        found.append(reply)
        if len(found) >= wanted:
            enough.set()

    client = PreviewClient(hear, None, FAKE_PREVIEW)
    for request in client_asks:
        client.ask(request)
    client.start()
    try:
        enough.wait(seconds)
    finally:
        client.close()
    return found


def test_only_the_newest_question_is_answered(recipe: Recipe) -> None:
    text = write_recipe(recipe)
    found = heard([Request(number, text, "data") for number in range(1, 30)], wanted=2)
    assert [type(reply) for reply in found] == [Static, Checks]
    assert all(not isinstance(reply, PreviewEnded) and reply.id == 29 for reply in found)


def test_a_process_that_cannot_be_started_is_reported() -> None:
    found: list[Reply | PreviewEnded] = []
    client = PreviewClient(found.append, None, ["/nowhere/python"])
    client.start()
    for _ in range(100):
        if found:
            break
        time.sleep(0.02)
    client.close()
    assert found == [PreviewEnded(2, again=False)]


def test_the_process_ends_with_its_client(recipe: Recipe) -> None:
    client = PreviewClient(lambda reply: None, None, [sys.executable, "-c", "import sys; sys.stdin.read()"])
    client.start()
    for _ in range(200):
        if client._process is not None:
            break
        time.sleep(0.02)
    process = client._process
    assert process is not None
    client.close()
    assert process.wait(5) != 0
