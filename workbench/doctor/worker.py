"""A process that probes: one that hangs or dies takes nothing with it but its own answer.

A probe of a dead NFS server or a stuck driver may never return, and a process that waits in the kernel cannot even be
killed. So each probe runs in a child with a time limit; one that exceeds it is left behind and the next gets a new one.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter

from workbench.printing import complain
from workbench.runs.launch import child_environment

T = TypeVar("T")

MOST = 1 << 22
"""Characters of an answer; more is none."""


@dataclass(frozen=True)
class Failure:
    """A probe that gave no answer: why, in one line. hung: it did not come back in time."""

    reason: str
    hung: bool = False


class Worker:
    """Asks probes, one after the other, in a process of its own that is made anew where one was lost."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None
        self._words: Any = None
        self._rest = b""

    def ask(self, kind: type[T], probe: str, seconds: float, /, **arguments: Any) -> T | Failure:
        """What ``module:function`` returns, as ``kind``, a dataclass. Never raises, never takes much longer."""
        try:
            return self._ask(kind, probe, seconds, arguments)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self.close()
            return Failure(f"it could not be asked: {' '.join(str(error).split())[:300]}")

    def close(self) -> None:
        """End the process; does not wait for one that cannot end."""
        process, self._process, self._rest = self._process, None, b""
        if process is None:
            return
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        pipes: tuple[Any, ...] = (process.stdin, process.stdout, self._words)
        for pipe in pipes:
            with contextlib.suppress(OSError, AttributeError):  # one that was never opened
                pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)

    def _ask(self, kind: type[T], probe: str, seconds: float, arguments: dict[str, Any]) -> T | Failure:
        process = self._process or self._start()
        assert process.stdin is not None
        process.stdin.write(json.dumps([probe, arguments]).encode() + b"\n")
        process.stdin.flush()
        line = self._line(process, seconds)
        if line is None:
            self.close()
            return Failure(f"no answer within {seconds:g} s", hung=True)
        if not line:
            code, words = process.wait(2), self._last_words()
            self.close()
            how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
            return Failure(f"its process was ended {how}" + (f": {words}" if words else ""))
        answer = json.loads(line)
        if "error" in answer:
            return Failure(str(answer["error"]))
        return TypeAdapter(kind).validate_python(answer["facts"])

    def _start(self) -> subprocess.Popen[bytes]:
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "workbench.doctor"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            cwd="/",  # the current folder may be gone, where torch aborts
            env=child_environment(self._variables),
            start_new_session=True,
        )
        return self._process

    def _line(self, process: subprocess.Popen[bytes], seconds: float) -> bytes | None:
        """The next line; b"" at the end of the process, None if the time is over."""
        assert process.stdout is not None
        end = time.monotonic() + seconds
        while b"\n" not in self._rest:
            ready = select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))[0]
            if not ready:
                return None
            part = os.read(process.stdout.fileno(), 65536)
            if not part:
                return b""
            if len(self._rest) > MOST:
                raise ValueError("its answer has no end")
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _last_words(self) -> str:
        size = os.fstat(self._words.fileno()).st_size
        text = os.pread(self._words.fileno(), 4000, max(0, size - 4000)).decode(errors="replace")
        lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""


def serve() -> None:
    """Answer requests from standard input on standard output, until it ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is not an answer
    for line in sys.stdin:
        probe, arguments = json.loads(line)
        try:
            module, _, name = probe.partition(":")
            facts = getattr(importlib.import_module(module), name)(**arguments)
            answer: dict[str, Any] = {"facts": asdict(facts)}
        except Exception as error:
            complain(traceback.format_exc())
            text = " ".join(str(error).split())[:300]
            answer = {"error": f"{type(error).__name__}: {text}".rstrip(": ")}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    os._exit(0)  # threads of libraries that hang must not keep it
