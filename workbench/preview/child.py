"""The preview process: reads requests from a file, answers the newest of each stage, ends when the file ends."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import IO

from workbench.preview.beside import Beside
from workbench.preview.protocol import STAGES, PreviewRequest, Refused, Reply, Stage, read_request, to_line

Answer = Callable[[PreviewRequest], Reply]
"""Replies to a request; what it raises is refused with one line. Called in a thread for each stage, at once."""


class Newest:
    """Holds the newest request; older ones are forgotten."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._request: PreviewRequest | None = None
        self._newest = 0
        self._closed = False

    def put(self, request: PreviewRequest) -> None:
        """A request arrived."""
        with self._condition:
            self._request = request
            self._newest = request.id
            self._condition.notify()

    def close(self) -> None:
        """None will follow."""
        with self._condition:
            self._closed = True
            self._condition.notify()

    def take(self) -> PreviewRequest | None:
        """Wait for a request; None at the end."""
        with self._condition:
            while self._request is None and not self._closed:
                self._condition.wait()
            if self._closed:
                return None
            request, self._request = self._request, None
            return request

    def stale(self, request: PreviewRequest) -> bool:
        """Whether the answer to a request is no longer wanted."""
        with self._condition:
            return self._closed or request.id != self._newest


def serve(
    requests: IO[str],
    replies: IO[str],
    answer: Answer,
    stages: Sequence[Stage] = STAGES,
    beside: Beside | None = None,
) -> None:
    """Answer until ``requests`` ends, each stage in a thread of its own: what takes long delays nothing else.

    Requests of other stages go ``beside``, whose replies are passed on; if that process dies, so does this one.
    Does not wait for answers that nobody will hear any more.
    """
    lock = threading.Lock()
    newest = {stage: Newest() for stage in stages}
    for stage, held in newest.items():
        threading.Thread(target=_work, args=(held, replies, lock, answer), daemon=True, name=stage).start()
    if beside is not None:
        threading.Thread(target=_pass_on, args=(beside, replies, lock), daemon=True, name="beside").start()
    try:
        for line in requests:
            try:
                request = read_request(line)
            except ValueError as error:
                print(f"preview: {error}", file=sys.stderr)
                continue
            if request.stage in newest:
                newest[request.stage].put(request)
            elif beside is not None:
                with contextlib.suppress(OSError):  # it died: the thread that hears it ends this process
                    beside.requests.write(line)
                    beside.requests.flush()
    finally:
        for held in newest.values():
            held.close()


def _pass_on(beside: Beside, replies: IO[str], lock: threading.Lock) -> None:
    for line in beside.replies:
        with lock, contextlib.suppress(OSError, ValueError):
            replies.write(line)
            replies.flush()
    code = beside.wait()
    os._exit(code if code >= 0 else 128 - code)


def _work(newest: Newest, replies: IO[str], lock: threading.Lock, answer: Answer) -> None:
    while (request := newest.take()) is not None:
        reply = _answered(request, answer)
        with lock:
            if newest.stale(request):
                continue
            try:
                replies.write(to_line(reply))
                replies.flush()
            except (OSError, ValueError):  # nobody reads any more
                return


def _answered(request: PreviewRequest, answer: Answer) -> Reply:
    try:
        return answer(request)
    except Exception as error:
        traceback.print_exc()
        return Refused(request.id, one_line(error))


def one_line(error: Exception) -> str:
    """An error for a person: its first line, with the type's name where the text alone says too little."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    plain = type(error).__name__ in (
        "RecipeError",
        "DataError",
        "BuildError",
        "PluginError",
        "SpecError",
        "TechniqueError",
    )
    return text if text and plain else f"{type(error).__name__}: {text}".rstrip(": ")
