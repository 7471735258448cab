"""The preview process: reads requests from a file, answers the newest in stages, ends when the file ends."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import IO

from workbench.preview.protocol import Refused, Reply, Request, read_request, to_line

Answer = Callable[[Request], Iterator[Reply]]
"""Yields the replies to a request one after the other; what it raises is refused with one line."""


class Newest:
    """Holds the newest request; older ones are forgotten."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._request: Request | None = None
        self._newest = 0
        self._closed = False

    def put(self, request: Request) -> None:
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

    def take(self) -> Request | None:
        """Wait for a request; None at the end."""
        with self._condition:
            while self._request is None and not self._closed:
                self._condition.wait()
            if self._closed:
                return None
            request, self._request = self._request, None
            return request

    def stale(self, request: Request) -> bool:
        """Whether the answer to a request is no longer wanted."""
        with self._condition:
            return self._closed or request.id != self._newest


def serve(requests: IO[str], replies: IO[str], answer: Answer) -> None:
    """Answer until ``requests`` ends. A thread reads them, so that a newer one is known while an older is worked on."""
    newest = Newest()
    threading.Thread(target=_read, args=(requests, newest), daemon=True, name="requests").start()
    while (request := newest.take()) is not None:
        for reply in _answered(request, answer):
            if newest.stale(request):
                break
            try:
                replies.write(to_line(reply))
                replies.flush()
            except (OSError, ValueError):  # nobody reads any more
                return


def _read(requests: IO[str], newest: Newest) -> None:
    try:
        for line in requests:
            try:
                newest.put(read_request(line))
            except ValueError as error:
                print(f"preview: {error}", file=sys.stderr)
    finally:
        newest.close()


def _answered(request: Request, answer: Answer) -> Iterator[Reply]:
    try:
        yield from answer(request)
    except Exception as error:
        traceback.print_exc()
        yield Refused(request.id, one_line(error))


def one_line(error: Exception) -> str:
    """An error for a person: its first line, with the type's name where the text alone says too little."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    plain = type(error).__name__ in ("RecipeError", "DataError", "BuildError", "PluginError", "CardError")
    return text if text and plain else f"{type(error).__name__}: {text}".rstrip(": ")
