"""What screens and widgets have in common: nothing reaches one before it is composed or after it is taken away."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from textual._context import NoActiveAppError
from textual.timer import Timer
from textual.widget import Widget

P = ParamSpec("P")
R = TypeVar("R")

LIFE = ("on_unmount", "on_load", "on_compose")
"""Handlers of the events that make a widget ready, and of the one that ends it.

``on_mount`` is none of them: it comes also to a widget that was taken away meanwhile, and to which nothing was mounted.
"""

HANDLERS = ("on_", "_on_", "key_", "action_", "check_action")


def when_ready(method: Callable[P, R]) -> Callable[P, R | None]:
    """Let a method of a :class:`Composed` do nothing, and return None, before it is composed and after it is gone.

    For methods that others call when they please, such as what a timer of the app has a screen show.
    """

    @functools.wraps(method)
    def guarded(*arguments: P.args, **keywords: P.kwargs) -> R | None:
        return method(*arguments, **keywords) if arguments[0].ready else None  # type: ignore[attr-defined]

    guarded.guarded = True  # type: ignore[attr-defined]
    return guarded


if TYPE_CHECKING:
    Base = Widget
else:
    Base = object  # Textual looks for styles along the first base that is a widget: this must not be one


class Composed(Base):
    """Mixed into a screen or a widget: its handlers, actions and timers act only while its widgets are there.

    A tick, a reading thread or a key may be faster than the first layout, and is often still on its way when a screen
    is closed; none of its handlers has to think of that. Its own ``on_unmount`` is left alone.
    """

    _composed = False

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name, value in list(vars(cls).items()):
            handles = name.startswith(HANDLERS) and name not in LIFE
            if inspect.isfunction(value) and (handles or hasattr(value, "_textual_on")):
                setattr(cls, name, _guard(value))
        known = vars(cls)["_decorated_handlers"]
        for message, handlers in known.items():
            known[message] = [(_guard(method), selectors) for method, selectors in handlers]

    async def mount_composed_widgets(self, widgets: list[Widget]) -> None:
        """The widgets are there, and what is in them."""
        await super().mount_composed_widgets(widgets)
        self._composed = True

    @property
    def ready(self) -> bool:
        """Whether all of its widgets are there."""
        try:
            return self._composed and self.is_attached and not (self._pruning or self._closing or self._closed)
        except NoActiveAppError:
            return False

    def set_timer(self, delay: float, callback: Any = None, **keywords: Any) -> Timer:
        """Call something after a delay, if this is still there then."""
        return super().set_timer(delay, callback and self._while_ready(callback), **keywords)

    def set_interval(self, interval: float, callback: Any = None, **keywords: Any) -> Timer:
        """Call something again and again, as long as this is there."""
        return super().set_interval(interval, callback and self._while_ready(callback), **keywords)

    def _while_ready(self, callback: Callable[[], R]) -> Callable[[], R | None]:
        @functools.wraps(callback)
        def called() -> R | None:
            return callback() if self.ready else None

        return called


def _guard(method: Any) -> Any:
    return method if hasattr(method, "guarded") else when_ready(method)
