"""The terminal: what it sends, that it may go away, what it says of itself, and that no text commands it."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import selectors
import signal
import struct
import sys
import termios
from collections.abc import Callable, Container, Generator, Iterable, Iterator
from functools import wraps

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._time import get_time
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.color import Color
from textual.constants import ESCAPE_DELAY
from textual.content import Content, Span
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter
from textual.message import Message

from workbench.tui.compat.pictures import Asking, PicturesKnown
from workbench.visible import HOSTILE, OBEYED, visible, visible_places

PASTE_SECONDS = 1.0
"""Seconds without the end of a bracketed paste, after which what came is taken for all of it."""

TYPED_SECONDS = 0.025
"""A key that comes at least so long after what came before it was pressed by a person and is not part of a paste."""

LONGER = "[OPX]^_"
"""What follows the escape character where it begins more than a key with Alt (ECMA-48: CSI, SS3, strings)."""


class PasteParser(XTermParser):
    """Textual's parser of what a terminal sends, with bracketed pastes taken out before.

    Textual waits for the end of a paste for ever, and takes escape sequences in the pasted text for keys. Here a paste
    is text and nothing else, and one whose end was lost on the way ends by itself. now: seconds, of any clock.

    Escape and a key after it, once they arrive together, are the bytes of that key with Alt. Textual then hears the
    key alone: Enter, where somebody left a dialog and went on. They are two keys here, unless Alt makes a key that
    edits a text (``alt+b``) or one of ``chords``, names of keys that have a meaning of their own.
    """

    def __init__(self, debug: bool = False, now: Callable[[], float] = get_time, chords: Container[str] = ()) -> None:
        super().__init__(debug)
        self._now = now
        self._chords = chords
        self._pasted: str | None = None
        self._tail = ""
        self._last = self._grew = now()

    def feed(self, data: str) -> Iterable[Message]:
        """Messages for what the terminal sent; "" where it will send nothing any more."""
        if not data:
            yield from super().feed(data)
        now = self._now()
        if now - self._last > ESCAPE_DELAY:  # an escape sequence in two parts so far apart is none
            self._tail = ""
        # Keys that a person presses in vain would put off the end of the paste for ever.
        if len(data) > len(BRACKETED_PASTE_END) or now - self._last < TYPED_SECONDS:
            self._grew = now
        self._last = now
        while data:
            if self._pasted is None:
                data = yield from self._outside(data)
            else:
                data = yield from self._inside(data)

    def tick(self) -> Iterable[Message]:
        """Messages for what the terminal did not send; called ten times a second."""
        yield from super().tick()
        if self._pasted is not None and self._now() - self._grew >= PASTE_SECONDS:
            text = self._pasted
            lost = next(n for n in range(len(BRACKETED_PASTE_END), -1, -1) if text.endswith(BRACKETED_PASTE_END[:n]))
            yield from self._paste(text[: len(text) - lost])

    def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
        escape, key = sequence[:1], sequence[1:]
        if escape != "\x1b" or len(key) != 1 or key in LONGER or isinstance(ANSI_SEQUENCES_KEYS.get(sequence), tuple):
            yield from super()._sequence_to_key_events(sequence, alt)
            return
        chord = list(super()._sequence_to_key_events(key, alt=True))
        if not any(event.key in self._chords for event in chord):
            yield events.Key("escape", escape)
            chord = list(super()._sequence_to_key_events(key))
        yield from chord

    def _outside(self, data: str) -> Generator[Message, None, str]:
        seen = self._tail + data
        start = seen.find(BRACKETED_PASTE_START)
        if start < 0:
            self._tail = seen[1 - len(BRACKETED_PASTE_START) :]
            yield from super().feed(data)
            return ""
        cut = start + len(BRACKETED_PASTE_START) - len(self._tail)
        # The base class may have begun with it in an earlier read: let it see the whole start, and an end.
        for message in super().feed(data[:cut] + BRACKETED_PASTE_END):
            if not isinstance(message, events.Paste):
                yield message
        self._pasted, self._tail, self._grew = "", "", self._now()
        return data[cut:]

    def _inside(self, data: str) -> Generator[Message, None, str]:
        assert self._pasted is not None
        text, end, rest = (self._pasted + data).partition(BRACKETED_PASTE_END)
        if not end:
            self._pasted = text
            return ""
        yield from self._paste(text)
        return rest

    def _paste(self, text: str) -> Iterator[Message]:
        self._pasted = None
        if text:
            yield events.Paste(text.replace("\x00", ""))


class SurvivingDriver(LinuxDriver):
    """The input thread ends quietly when the terminal is gone; the output: :mod:`workbench.tui.app.descriptors`."""

    def start_application_mode(self) -> None:
        """Enter the terminal, and ask what it can show: it may be another than before."""
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if (shown := getattr(self._app, "shown", None)) is not None:
            shown.forget()  # the terminal's other screen is empty
        self._ask(self.asking().questions(self._cell(), get_time()))

    def resized(self) -> None:
        """The terminal has another size: its cells may have, too."""
        self._ask(self.asking().resized(self._cell()))
        self._tell()

    def asking(self) -> Asking:
        """What the app wants to know of the terminal."""
        found = getattr(self._app, "asking", None)
        return found if isinstance(found, Asking) else Asking("blocks")

    def _ask(self, questions: str) -> None:
        if questions:
            self.write(questions)

    def _tell(self) -> None:
        if (pictures := self.asking().found()) is not None:
            self._app.post_message(PicturesKnown(pictures))

    def _cell(self) -> tuple[int, int] | None:
        """Width and height of a cell in pixels; None where the terminal has not told the system."""
        with contextlib.suppress(OSError):
            lines, columns, width, height = struct.unpack(
                "HHHH", fcntl.ioctl(self.fileno, termios.TIOCGWINSZ, bytes(8))
            )
            if lines and columns and width >= columns and height >= lines:
                return width // columns, height // lines
        return None

    def _run_input_thread(self) -> None:
        # Reading a hung-up terminal raises EIO, which the base class would take for a crash; what it does with a crash
        # leaves no exception behind.
        try:
            self.run_input_thread()
        except OSError:
            return
        except Exception as error:
            self._app.call_later(self._app._handle_exception, error)

    def run_input_thread(self) -> None:
        """Read what the terminal sends until the driver is stopped; the base class with our parser."""
        parser = PasteParser(self._debug, chords=self.chords())
        asking = self.asking()
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode  # a stray byte is no reason to end
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            early = bool(selector.select(0))  # typed while the terminal still made a line feed of Enter
            while not self.exit_event.is_set():
                if selector.select(0.1):
                    if not (data := os.read(self.fileno, 4096)):
                        return
                    if early:
                        data, early = data.replace(b"\n", b"\r"), False
                    typed, next_questions = asking.take(decode(data), get_time())
                    self._ask(next_questions)
                    self._tell()
                    if typed:  # not where only the first bytes of a character came
                        for message in parser.feed(typed):
                            self.process_message(message)
                if kept := asking.tick(get_time()):
                    for message in parser.feed(kept):
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)

    def chords(self) -> set[str]:
        """The keys that the user has given a meaning of their own."""
        return {key for keys in self._app._keymap.values() for key in keys.split(",")}

    def _sigtstp_application(self, *_: object) -> None:
        # The base class stops this process alone; a shell that started it through another one, such as uv, would wait
        # for that one for ever. fg continues the whole job.
        if self._auto_restart:
            self.suspend_application_mode()
            self._must_signal_resume = True
        os.kill(0, signal.SIGSTOP)

    def _get_terminal_size(self) -> tuple[int, int]:
        """The terminal's own word; the base class believes COLUMNS and LINES, which a shell may have left behind."""
        for file in (sys.__stdout__, sys.__stderr__):
            with contextlib.suppress(AttributeError, ValueError, OSError):
                size = os.get_terminal_size(file.fileno())  # type: ignore[union-attr]
                if size.columns > 0 and size.lines > 0:
                    return size.columns, size.lines
        return super()._get_terminal_size()

    def terminal_gone(self) -> bool:
        """Whether the terminal that the keys came from no longer exists."""
        if not self.input_tty:
            return False
        try:
            termios.tcgetattr(self.fileno)
        except (termios.error, OSError):
            return True
        return False


class VisibleLines(LineFilter):
    """Shows what a terminal would obey, each segment in the cells that it has; links lead nowhere and are dropped."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if not any(_hostile(segment) for segment in segments):
            return segments
        return [_shown(segment) if _hostile(segment) else segment for segment in segments]


def _hostile(segment: Segment) -> bool:
    text, style, _ = segment
    return OBEYED.search(text) is not None or (style is not None and style.link is not None)


def _shown(segment: Segment) -> Segment:
    text, style, _ = segment
    return Segment(set_cell_size(visible(text, keep=""), cell_len(text)), style.update_link(None) if style else None)


def guard_content() -> None:
    """Let every ``Content`` made of a text in this process begin with its visible form. Doing it twice does nothing.

    Textual takes out five control characters and passes the others on to the terminal, ESC among them, as if they had
    no width. There are two gates. Every text that Textual lays out becomes a ``Content``: there it gets its visible
    form, so that it is measured and wrapped as it will be seen. Lines that widgets draw cell by cell pass a filter on
    their way out: VisibleLines.
    """
    if hasattr(Content.__init__, "__wrapped__"):
        return
    plain = Content.__init__

    @wraps(plain)
    def init(
        self: Content,
        text: str = "",
        spans: list[Span] | None = None,
        cell_length: int | None = None,
        strip_control_codes: bool = True,
    ) -> None:
        if strip_control_codes and text and HOSTILE.search(text):
            text, places = visible_places(text)
            spans = [Span(places[min(s.start, len(places) - 1)], places[min(s.end, len(places) - 1)], s.style)
                     for s in spans or ()]  # fmt: skip
            cell_length = None
        plain(self, text, spans, cell_length, strip_control_codes)

    Content.__init__ = init  # type: ignore[method-assign]
