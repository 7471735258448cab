"""What the preview pane knows, and the process that it asks."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from tests.tui.fakes import FAKE_PREVIEW
from tests.waiting import GIVE_UP, wait_for
from workbench.preview.protocol import Checks, PreviewRequest, Refused, Reply, Samples, Stage, Static
from workbench.recipe import Recipe, read_recipe, write_recipe
from workbench.recipe.registries import TECHNIQUES
from workbench.tui.compose import texts
from workbench.tui.compose.preview_client import QUIET, PreviewClient, PreviewEnded
from workbench.tui.compose.preview_state import PreviewState


class Asked(list[PreviewRequest]):
    """Requests that were asked."""

    def last(self, stage: Stage) -> int:
        """The id of the newest request for a stage; 0 if there was none."""
        return next((request.id for request in reversed(self) if request.stage == stage), 0)

    def count(self, stage: Stage) -> int:  # type: ignore[override]
        return sum(request.stage == stage for request in self)


def static(number: int, parameters: int = 10) -> Static:
    return Static(number, parameters, {"a": parameters}, 4 * parameters, 5, 50, [[0.0, 0.1]], 100)


def longer(recipe: Recipe, epochs: float) -> Recipe:
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": epochs})})


def test_changes_are_counted_against_the_recipe_as_loaded(recipe: Recipe) -> None:
    asked = Asked()
    state = PreviewState(asked.append, ("p.py",), Path("data"))
    state.look_at(recipe, recipe, trainable=True)
    assert read_recipe(asked[-1].recipe) == recipe and asked[-1].plugins == ("p.py",)
    assert state.hear(static(asked.last("static"))) and state.hear(Checks(asked.last("checks"), 2.4, 2.3, []))
    assert [request.stage for request in asked] == ["static", "checks"]
    state.look_at(longer(recipe, 3.0), recipe, trainable=True)
    assert state.picture.stale and state.picture.checks_stale
    state.hear(static(asked.last("static"), 14))
    assert not state.picture.stale and state.picture.checks_stale
    shown = texts.preview(state.picture).plain
    assert "+4" in shown and "56 multiply-adds  +16" in shown
    assert "2.400 before the change" in shown
    state.hear(Checks(asked.last("checks"), 2.5, 2.3, [], ["this CPU does not compute in fp16"]))
    assert texts.preview(state.picture).plain.endswith("! this CPU does not compute in fp16")
    assert "2.500" in texts.preview(state.picture).plain and "before" not in texts.preview(state.picture).plain


def test_the_loaded_recipe_is_asked_about_if_it_was_changed_before_the_first_answer(recipe: Recipe) -> None:
    asked = Asked()
    state = PreviewState(asked.append, (), Path("data"))
    state.look_at(recipe, recipe, trainable=True)
    first = asked.last("static")
    state.look_at(longer(recipe, 3.0), recipe, trainable=True)
    assert not state.hear(static(first))  # void
    state.hear(static(asked.last("static"), 14))
    baseline = next(request for request in asked if request.stage == "baseline")
    assert read_recipe(baseline.recipe) == recipe
    state.look_at(longer(recipe, 4.0), recipe, trainable=True)
    state.hear(static(asked.last("static"), 14))
    assert asked.count("baseline") == 1
    state.hear(static(baseline.id, 10))
    assert "+4" in texts.preview(state.picture).plain


def test_conflicts_and_refusals(recipe: Recipe) -> None:
    asked = Asked()
    state = PreviewState(asked.append, (), Path("data"))
    state.look_at(recipe, recipe, trainable=True)
    state.hear(Refused(asked.last("static"), "cifar10: no files in data"))
    assert "cifar10: no files in data" in texts.preview(state.picture).plain
    assert "cifar10: no files in data" in texts.line(state.picture).plain
    late = asked.last("checks")
    state.look_at(longer(recipe, 3.0), recipe, trainable=False)
    assert not state.hear(Checks(late, 2.4, 2.3, []))  # void
    state.hear(Refused(asked.last("baseline"), "the same again"))
    state.look_at(longer(recipe, 4.0), recipe, trainable=False)
    assert asked.count("baseline") == 1  # what cannot be built is not asked about again and again


@pytest.mark.parametrize(
    ("own", "others", "sign", "named"),
    [
        ("pass", {"parameters": "fail", "memory": "pass"}, "2.545 ✓", "✗ parameters"),
        ("pass", {"parameters": "fail", "class balance": "warn", "files": "fail"}, "2.545 ✓", "✗ parameters (+2 more)"),
        ("warn", {"memory": "pass", "duplicates": "not judged"}, "2.545 !", ""),
        ("fail", {"class balance": "warn"}, "2.545 ✗", "! class balance"),
        ("", {"parameters": "fail"}, "2.545 expected", "✗ parameters"),
    ],
)
def test_the_sign_beside_the_first_loss_is_its_own(
    recipe: Recipe, own: str, others: dict[str, str], sign: str, named: str
) -> None:
    asked = Asked()
    state = PreviewState(asked.append, (), Path("data"))
    state.look_at(recipe, recipe, trainable=True)
    state.hear(Static(asked.last("static"), 156_554, {"a": 156_554}, 2_934_016, 23, 230, [[0.0, 0.1]], 1437))
    verdicts = {"initial loss": own, **others} if own else others
    found = [{"name": n, "verdict": v, "expected": "a", "found": "b", "reason": "c"} for n, v in verdicts.items()]
    state.hear(Checks(asked.last("checks"), 2.545, 2.544, found))
    for width in (80, 100, 160):
        line = texts.line(state.picture, width).plain
        assert sign.removesuffix(" expected") in line and len(line) <= width
        assert line.endswith(named) if named else line.endswith("expected 2.544")
        assert sum(mark in line for mark in "✓✗!") == bool(own) + bool(named) - (own == "fail" and named[:1] == "✗")
    assert sign in texts.line(state.picture, 160).plain
    assert f"First loss  {sign.removesuffix(' expected')}" in texts.preview(state.picture).plain
    shown = texts.preview_checks(state.picture).plain
    assert ("· duplicates  not judged" in shown) == ("duplicates" in others)


def test_samples_are_asked_for_when_they_can_be_seen_and_look_different(recipe: Recipe) -> None:
    asked = Asked()
    state = PreviewState(asked.append, (), Path("data"))
    state.look_at(recipe, recipe, trainable=True)
    assert asked.count("samples") == 0  # nobody sees them
    state.room_for_samples(4, 14)
    assert asked.count("samples") == 1 and (asked[-1].count, asked[-1].side, asked[-1].roll) == (4, 14, 0)
    state.hear(Samples(asked.last("samples"), 14, "", []))
    state.room_for_samples(4, 14)
    other = longer(recipe, 3.0).with_technique(TECHNIQUES["label_smoothing"]())
    state.look_at(other, recipe, trainable=True)
    assert asked.count("samples") == 1  # neither the length nor the loss shows
    state.look_at(other.with_technique(TECHNIQUES["cutout"]()), recipe, trainable=True)
    assert asked.count("samples") == 2
    state.roll_again()
    assert asked.count("samples") == 3 and asked[-1].roll == 1
    state.room_for_samples(0, 0)
    state.roll_again()
    assert asked.count("samples") == 3
    state.room_for_samples(9, 12)
    assert asked.count("samples") == 4 and asked[-1].roll == 2
    state.hear(Refused(asked.last("samples"), "an image is broken"))
    assert state.picture.samples_error and not state.picture.error


def heard(client_asks: list[PreviewRequest], wanted: int) -> list[Reply | PreviewEnded]:
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
        enough.wait(GIVE_UP)
    finally:
        client.close()
    return found


def test_only_the_newest_question_is_answered(recipe: Recipe) -> None:
    text = write_recipe(recipe)
    questions = [PreviewRequest(n, "static", text, "data") for n in range(1, 10)]
    questions += [PreviewRequest(n, "baseline", text, "data") for n in range(11, 20)]
    questions += [PreviewRequest(n, "checks", text, "data") for n in range(21, 30)]
    found = heard(questions, wanted=3)
    kinds = {reply.id: type(reply) for reply in found if not isinstance(reply, PreviewEnded)}
    assert kinds == {9: Static, 19: Static, 29: Checks}


def test_what_takes_long_waits_for_quiet_and_the_rest_does_not(recipe: Recipe) -> None:
    text = write_recipe(recipe)
    heard_at: dict[int, float] = {}
    client = PreviewClient(
        lambda reply: heard_at.setdefault(getattr(reply, "id", 0), time.monotonic()), None, FAKE_PREVIEW
    )
    client.start()
    client.ask(PreviewRequest(1, "static", text, "data"))
    wait_for(lambda: 1 in heard_at)
    for number in (2, 4, 6):
        asked = time.monotonic()
        client.ask(PreviewRequest(number + 1, "checks", text, "data"))
        client.ask(PreviewRequest(number, "static", text, "data"))
        wait_for(lambda number=number: number in heard_at)  # type: ignore[misc]
        time.sleep(QUIET["checks"] / 2)
    wait_for(lambda: 7 in heard_at)
    client.close()
    assert heard_at[7] - asked >= QUIET["checks"]
    assert heard_at[6] < heard_at[7] and 3 not in heard_at and 5 not in heard_at


def test_a_process_that_cannot_be_started_is_reported() -> None:
    found: list[Reply | PreviewEnded] = []
    client = PreviewClient(found.append, None, ["/nowhere/python"])
    client.start()
    wait_for(lambda: found)
    client.close()
    assert found == [PreviewEnded(2, again=False)]


def test_the_process_ends_with_its_client(recipe: Recipe) -> None:
    client = PreviewClient(lambda reply: None, None, [sys.executable, "-c", "import sys; sys.stdin.read()"])
    client.start()
    process = wait_for(lambda: client._process)
    client.close()
    assert process.wait(GIVE_UP) != 0
