"""Python stacks of the training thread, sampled by pyinstrument for a few seconds of a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.events import Event, Noted
from workbench.profiling.stack_tree import Frame, StackWindow, merged, write_stacks

if TYPE_CHECKING:
    from pyinstrument import Profiler
    from pyinstrument.frame import Frame as Sampled

PACKAGE = str(Path(__file__).resolve().parents[1])
INTERVAL = 0.002
"""Seconds between two samples. What it costs is each call's hook, hardly the samples: a longer one saves little."""


class Stacks:
    """An instrument: samples for ``seconds``, at least one step long.

    It sees the thread that starts it and no other: neither loader workers nor autograd's threads nor a GPU. A call that
    stays in C is one long sample. While it is on, Python is slower; the window says by how much its steps took longer.
    """

    def __init__(self, seconds: float = 5.0) -> None:
        self._wanted = seconds
        self._profiler: Profiler | None = None
        self._refused = ""
        self._begun = self._ended = 0.0
        self._steps = self._step = 0

    def start(self) -> None:
        """Begin to sample this thread."""
        from pyinstrument import Profiler

        profiler = Profiler(interval=INTERVAL, async_mode="disabled")
        try:
            profiler.start()
        except (ValueError, RuntimeError) as error:
            self._refused = str(error).splitlines()[0]
            return
        self._profiler, self._begun = profiler, time.perf_counter()
        self._steps, self._refused = 0, ""

    def after_step(self, step: int) -> bool:
        """A step has ended; True when the window is over."""
        self._steps, self._step, self._ended = self._steps + 1, step, time.perf_counter()
        return self._profiler is None or self._ended - self._begun >= self._wanted

    def finish(self, folder: Path) -> Iterator[Event]:
        """Stop, and write ``stacks.json``, ``stacks.html`` and ``stacks.speedscope.json`` into ``folder``."""
        if self._profiler is None:
            yield Noted(message=f"no Python stacks: {self._refused or 'they were never started'}")
            return
        from pyinstrument.renderers import HTMLRenderer, SpeedscopeRenderer

        session, self._profiler = self._profiler.stop(), None
        root = session.root_frame(trim_stem=True)
        if root is None or not self._steps:
            yield Noted(message="no Python stacks: the run ended before a step did")
            return
        window = StackWindow(
            step=self._step,
            steps=self._steps,
            seconds=self._ended - self._begun,
            interval=INTERVAL,
            samples=session.sample_count,
            tree=_frame(root, root.time),
        )
        folder.mkdir(exist_ok=True)
        write_stacks(folder / "stacks.json", window)
        (folder / "stacks.html").write_text(HTMLRenderer().render(session), encoding="utf-8")
        (folder / "stacks.speedscope.json").write_text(SpeedscopeRenderer().render(session), encoding="utf-8")
        yield Noted(
            message=f"Python stacks of {window.steps:,} steps ({window.seconds:.1f} s) are in {folder.name}/stacks.html"
        )


def _frame(sampled: Sampled, total: float) -> Frame:
    from pyinstrument.frame_info import ATTRIBUTE_MARKER_CLASS_NAME

    children = merged(_frame(child, total) for child in sampled.children if not child.is_synthetic)
    classes = {mark for mark in sampled.attributes if mark.startswith(ATTRIBUTE_MARKER_CLASS_NAME)}
    # one function called on several classes goes by its own name
    name = f"{sampled.class_name}.{sampled.function}" if len(classes) == 1 else sampled.function
    path = sampled.file_path or ""
    return Frame(
        name=name,
        file=sampled.file_path_short or path,
        line=sampled.line_no or 0,
        seconds=sampled.time,
        share=sampled.time / total if total else 0.0,
        user=path.startswith(PACKAGE) or sampled.is_application_code,
        children=children,
    )
