"""Why a step could not be executed as it was to be: the first cause, and whose line it was."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, TracebackType
from typing import Any

import torch

from workbench import torch_compat
from workbench.hooks import Hooks
from workbench.recipe.registries import TECHNIQUES
from workbench.registered import TechniqueError

LIBRARY = Path(torch.__file__).parent
MACHINERY = {
    str(Path(__file__).with_name(f"{name}.py"))
    for name in ("compilation", "execution", "recorded_batches", "recorder", "train")
} | {str(Path(__file__).parent.with_name(name)) for name in ("hooks.py", "registered.py")}
"""Files of ours that every step goes through: no place to look."""
CONSEQUENCES = ("due to a previous error", "capture was invalidated", "Offset increment outside graph capture")
"""What CUDA and torch say of a recording that something else has spoilt already."""


def chain(error: BaseException) -> list[BaseException]:
    """An error and what it was raised from or after, the last one first in time."""
    found: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in found:
        found.append(at)
        inner = getattr(at, "inner_exception", None)  # so torch's compiler keeps it
        at = inner or at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return found


def first_cause(error: BaseException) -> BaseException:
    """The error of a chain that says what happened.

    While a stream is recorded, one wrong call makes every later one fail, and the end of the recording too: the reason
    is the earliest that speaks of a recording. The compiler's errors wrap what it met. Else it is the error itself.
    """
    told = [
        each
        for each in chain(error)
        if not isinstance(each, TechniqueError) and not any(words in str(each) for words in CONSEQUENCES)
    ]
    recording = [each for each in told if "captur" in str(each).lower()]
    compiling = [each for each in told if type(each).__module__ in torch_compat.COMPILER_ERRORS]
    return (recording or (told if compiling else told[:1]) or [error])[-1]


def reason(error: BaseException, hooks: Hooks) -> str:
    """One line of about 200 characters at most: the technique and the place, if they can be told, and what happened."""
    cause = first_cause(error)
    said = next(iter(str(cause).splitlines()), "").strip()[:200] or type(cause).__name__
    if not isinstance(cause, RuntimeError | AssertionError) and not said.startswith(type(cause).__name__):
        said = f"{type(cause).__name__}: {said}"
    where = _where(cause.__traceback__, hooks)
    return f"{where}: {said}" if where else said


def _where(trace: TracebackType | None, hooks: Hooks) -> str:
    """The innermost line of a technique, else of anything that is not torch's."""
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(trace)]
    # From there on it is the code of a mode that looks on at every operation.
    looked_on = (
        i for i, (code, _) in enumerate(frames) if code.co_name in ("__torch_dispatch__", "__torch_function__")
    )
    frames = frames[: next(looked_on, len(frames))]
    ours = [(code, line) for code, line in frames if LIBRARY not in Path(code.co_filename).parents]
    known = owners(hooks)
    for code, line in reversed(ours):
        if (name := known.get(code) or known.get(code.co_filename)) is not None:
            return f"techniques.{name}, {Path(code.co_filename).name}:{line}"
    places = [f"{Path(code.co_filename).name}:{line}" for code, line in ours if code.co_filename not in MACHINERY]
    return places[-1] if places else ""


def owners(hooks: Hooks) -> dict[CodeType | str, str]:
    """The techniques of a build by their code, and by the file of their class if it holds one technique alone."""
    found: dict[CodeType | str, str] = {}
    files: dict[str, set[str]] = {}
    for each in hooks.registered():
        found |= dict.fromkeys(_codes(each.function), each.name)
        module = sys.modules.get(TECHNIQUES[each.name].__module__) if each.name in TECHNIQUES else None
        if module is not None and getattr(module, "__file__", None):
            files.setdefault(str(module.__file__), set()).add(each.name)
    return found | {file: names.pop() for file, names in files.items() if len(names) == 1}


def _codes(function: Callable[..., Any]) -> Iterator[CodeType]:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    waiting = [code] if isinstance(code, CodeType) else []
    while waiting:
        yield (at := waiting.pop())
        waiting += [each for each in at.co_consts if isinstance(each, CodeType)]
