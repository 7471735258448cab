"""Python stacks of a thread: where a planted delay shows, and what is left when libraries are folded."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.events import Noted
from workbench.profiling.stack_tree import Frame, StackWindow, own_code, read_stacks, write_stacks
from workbench.profiling.stacks import Stacks

TOOK = {"slow": 0.0, "quick": 0.0}
"""Seconds that they really took: on a busy machine that is not what they were asked to take."""


def own_share(frame: Frame) -> float:
    """The share of the window in the function itself."""
    return frame.share - sum(child.share for child in frame.children)


def work(name: str, seconds: float) -> None:
    begun = now = time.perf_counter()
    while now - begun < seconds:
        sum(range(100))
        now = time.perf_counter()
    TOOK[name] += now - begun


def slow() -> None:
    work("slow", 0.03)


def quick() -> None:
    work("quick", 0.01)


def loop(stacks: Stacks) -> Iterator[int]:
    stacks.start()
    step = 0
    while True:
        slow()
        quick()
        step += 1
        if stacks.after_step(step):
            return
        yield step


def every(frame: Frame) -> Iterator[Frame]:
    yield frame
    for child in frame.children:
        yield from every(child)


def named(frame: Frame, name: str) -> Frame:
    return next(found for found in every(frame) if found.name == name)


def test_the_slow_function_is_found(tmp_path: Path) -> None:
    TOOK.update(slow=0.0, quick=0.0)
    stacks = Stacks(seconds=0.5)
    done = list(loop(stacks))
    (noted,) = stacks.finish(tmp_path / "profile")
    assert isinstance(noted, Noted) and "profile/stacks.html" in noted.message
    window = read_stacks(tmp_path / "profile" / "stacks.json")
    assert window is not None
    assert window.step == window.steps == done[-1] + 1
    assert window.seconds >= 0.5
    for name, seconds in TOOK.items():
        assert named(window.tree, name).seconds == pytest.approx(seconds, rel=0.2, abs=0.05)
    assert named(window.tree, "slow").user
    assert abs(window.tree.share - 1) < 1e-6
    assert named(window.tree, "slow").file.endswith("test_stacks.py")
    assert "</html>" in (tmp_path / "profile" / "stacks.html").read_text()
    scope = json.loads((tmp_path / "profile" / "stacks.speedscope.json").read_text())
    assert any(frame["name"] == "slow" for frame in scope["shared"]["frames"])


def test_only_the_thread_that_started_it_is_seen(tmp_path: Path) -> None:
    over = threading.Event()

    def elsewhere() -> None:
        while not over.is_set():
            quick()

    other = threading.Thread(target=elsewhere)
    other.start()
    stacks = Stacks(seconds=0.2)
    stacks.start()
    while not stacks.after_step(1):
        slow()
    over.set()
    list(stacks.finish(tmp_path))
    window = read_stacks(tmp_path / "stacks.json")
    assert window is not None
    assert "quick" not in {frame.name for frame in every(window.tree)}


def test_a_window_without_a_step_writes_nothing(tmp_path: Path) -> None:
    stacks = Stacks()
    stacks.start()
    (noted,) = stacks.finish(tmp_path)
    assert isinstance(noted, Noted) and "before a step" in noted.message
    assert not list(tmp_path.iterdir())


def test_two_at_once_are_two_windows(tmp_path: Path) -> None:
    outer, inner = Stacks(seconds=0.1), Stacks(seconds=0.1)
    outer.start()
    inner.start()
    slow()
    inner.after_step(1)
    outer.after_step(1)
    assert [type(event) for event in (*inner.finish(tmp_path / "a"), *outer.finish(tmp_path / "b"))] == [Noted, Noted]
    assert (tmp_path / "a" / "stacks.json").exists() and (tmp_path / "b" / "stacks.json").exists()


def frame(name: str, share: float, *children: Frame, user: bool = False) -> Frame:
    return Frame(name, "a.py", 1, share * 10, share, user, children)


TREE = frame(
    "train", 1.0,
    frame("compute", 0.9,
        frame("Net._wrapped_call_impl", 0.5,
            frame("Net._call_impl", 0.5,
                frame("Net.forward", 0.5,
                    frame("_call_impl", 0.49,
                        frame("Conv2d.forward", 0.3, frame("_conv_forward", 0.3)),
                        frame("mine", 0.19, user=True))))),
        frame("backward", 0.4, frame("_engine_run_backward", 0.4)),
        user=True),
    frame("_private", 0.06, frame("sort", 0.06)),
    user=True,
)  # fmt: skip


def test_own_code_keeps_the_user_the_network_and_the_door_to_libraries() -> None:
    def outline(tree: Frame) -> object:
        return (tree.name, round(tree.share, 2), [outline(child) for child in tree.children])

    assert outline(own_code(TREE)) == (
        "train", 1.0, [
            ("compute", 0.9, [
                ("Net.forward", 0.5, [("Conv2d.forward", 0.3, [("_conv_forward", 0.3, [])]), ("mine", 0.19, [])]),
                ("backward", 0.4, []),
            ]),
            ("sort", 0.06, []),
        ],
    )  # fmt: skip


def test_the_file_leaves_out_what_is_too_small_to_see(tmp_path: Path) -> None:
    window = StackWindow(10, 5, 1.0, 0.002, 500, frame("train", 1.0, frame("big", 0.9), frame("tiny", 0.0001)))
    write_stacks(tmp_path / "stacks.json", window)
    read = read_stacks(tmp_path / "stacks.json")
    assert read is not None
    assert [child.name for child in read.tree.children] == ["big"]
    assert own_share(read.tree) > 0.09


def test_a_file_that_is_something_else_is_no_tree(tmp_path: Path) -> None:
    assert read_stacks(tmp_path / "stacks.json") is None
    for text in ("", "[]", "{}", '{"tree": 3}'):
        (tmp_path / "stacks.json").write_text(text)
        assert read_stacks(tmp_path / "stacks.json") is None


def test_stacks_deeper_than_json_is_read_are_cut_and_lose_no_time(tmp_path: Path) -> None:
    """As where a library is first imported while the window is open: hundreds of frames of the import system."""
    tree = Frame("deepest", "a.py", 1, 1.0, 1.0, False)
    for depth in range(400):
        tree = Frame(f"at_{depth}", "a.py", 1, 1.0, 1.0, False, (tree,))
    write_stacks(tmp_path / "stacks.json", StackWindow(1, 1, 1.0, 0.002, 500, tree))
    found = read_stacks(tmp_path / "stacks.json")
    assert found is not None and found.tree.name == "at_399"
    frame, levels = found.tree, 1
    while frame.children:
        (frame,), levels = frame.children, levels + 1
    assert levels > 50 and own_share(frame) == 1.0
