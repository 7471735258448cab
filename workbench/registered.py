"""A function of a technique, model or data source, and whose fault an error is that leaves it. Torch-free."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, cast

from workbench.device_lost import may_be_lost
from workbench.out_of_memory import out_of_memory

P = ParamSpec("P")
R = TypeVar("R")


class TechniqueError(Exception):
    """A technique's function failed, or a model's or data source's; one line that names it and its line."""


class DoesNotFit(ValueError):
    """What a technique asks for cannot be had with this model or this data; one sentence for who wrote the recipe."""


FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    TypeError,
    ValueError,
)
"""Kinds of errors that are a function's own where one leaves it, and plain RuntimeErrors that are not the device's."""


def _own(error: Exception) -> bool:
    if isinstance(error, DoesNotFit) or getattr(error, "_not_a_hooks", False):
        return False
    if type(error) in (RuntimeError, NotImplementedError):
        return not (out_of_memory(error) or may_be_lost(error))
    return isinstance(error, FAULTS)


@contextmanager
def named(owner: str) -> Iterator[None]:
    """An error in the block that is its own becomes a TechniqueError of this owner. owner: ``"techniques.sam"``."""
    try:
        yield
    except Exception as error:
        if not _own(error):
            raise
        raise _of(owner, error) from error


def _of(
    owner: str,
    error: Exception,
    function: Callable[..., Any] | None = None,
    about: str = "",
    *,
    always: bool = False,
) -> TechniqueError:
    """The innermost line that is not torch's; where a function cannot even be called, its own, and how it is called."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    ours = [frame for frame in frames if "torch" not in Path(frame.filename).parts]
    expected = ""
    if always and function is not None:  # its own file before those that it calls
        file = getattr(getattr(function, "__code__", None), "co_filename", "")
        ours = [frame for frame in ours if frame.filename == file] or ours
    if ours:
        where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
    else:
        where = _place(function)
        expected = f" (the hook: {about})" if about else ""
    if always:
        expected = f" (expected: {about})"
    return TechniqueError(f"{owner}: {type(error).__name__} in {where}: {' '.join(str(error).split())}{expected}")


def asked_for(
    owner: str,
    expected: str,
    kind: type[R],
    function: Callable[..., Any],
    *args: Any,
    may_raise: type[Exception] | None = ValueError,
) -> R:
    """What a function gives. The fault of one of the user's own becomes a TechniqueError with its line and signature.

    owner: ``"model.vgg"``. expected: the signature. may_raise: what a statement of it may raise, and it stays as it is.
    """
    if is_ours(function):
        return cast(R, function(*args))
    try:
        found = function(*args)
    except Exception as error:
        if not _own(error) or (may_raise is not None and isinstance(error, may_raise) and _by_a_statement(error)):
            raise
        raise _of(owner, error, function, expected, always=True) from error
    if not isinstance(found, kind):
        said = f"gives {type(found).__name__} and not {kind.__name__}"
        raise TechniqueError(f"{owner}: {_place(function)} {said} (expected: {expected})")
    return found


def is_ours(part: Any) -> bool:
    """Whether a function or class is of this package, and not of a plugin or another one that adds to it."""
    return str(getattr(part, "__module__", "")).startswith("workbench.")


def _by_a_statement(error: Exception) -> bool:
    """Whether a ``raise`` raised it, and not what some expression came upon."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and (frames[-1].line or "").startswith("raise")


def _place(function: Callable[..., Any] | None) -> str:
    code = getattr(getattr(function, "func", function), "__code__", None)
    if code is None or "torch" in Path(code.co_filename).parts:
        return "its call"
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}"


def no_hooks_fault(function: Callable[P, R]) -> Callable[P, R]:
    """The function; its errors are nobody's that was registered, though somebody who was calls it."""

    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            error._not_a_hooks = True  # type: ignore[attr-defined]
            raise

    return called


@dataclass(frozen=True)
class Registered(Generic[P, R]):
    """A function at a hook. name: whose it is, which also keys its random draws; rank: lower ones come first."""

    rank: int
    name: str
    function: Callable[P, R]
    returns: str = ""
    """What it gives: "a function" or "a context" that an error may leave, too; else something that is done."""
    about: str = ""
    """What the hook's functions are given and give."""

    @property
    def owner(self) -> str:
        """As messages call it."""
        return self.name if "." in self.name else f"techniques.{self.name}"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function; an error that is the technique's own becomes a TechniqueError."""
        try:
            found = self.function(*args, **kwargs)
        except Exception as error:
            if not _own(error):
                raise
            raise _of(self.owner, error, self.function, self.about) from error
        if self.returns == "a function":
            wrapped: Any = found
            return cast(R, Registered(self.rank, self.name, wrapped))
        return cast(R, _Named(self.owner, cast(Any, found))) if self.returns == "a context" else found


class _Named(AbstractContextManager[Any]):
    """A context whose beginning and end are a technique's."""

    def __init__(self, owner: str, context: AbstractContextManager[Any]) -> None:
        self._owner = owner
        self._context = context

    def __enter__(self) -> Any:
        with named(self._owner):
            return self._context.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool | None:
        if error is not None:  # the block's, which is not the technique's
            return self._context.__exit__(kind, error, trace)
        with named(self._owner):
            return self._context.__exit__(None, None, None)
