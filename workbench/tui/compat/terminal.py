"""Textual's driver for Linux and macOS, made to survive a terminal that goes away."""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import signal
import sys
import termios

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate
from textual.drivers.linux_driver import LinuxDriver

from workbench.tui.compat.turns import PasteParser


class SurvivingDriver(LinuxDriver):
    """The input thread ends quietly when the terminal is gone; the output: :mod:`workbench.tui.app.descriptors`."""

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
        chords = {key for keys in self._app._keymap.values() for key in keys.split(",")}
        parser = PasteParser(self._debug, chords=chords)
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
                    if text := decode(data):  # not where only the first bytes of a character came
                        for message in parser.feed(text):
                            self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)

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


class CroppedUpdate(ChopsUpdate):
    """The same update, cropped at both ends."""

    @classmethod
    def of(cls, update: ChopsUpdate) -> CroppedUpdate:
        """The cropped form of an update."""
        return cls(update.chops, update.spans, update.chop_ends)

    def render_segments(self, console: Console) -> str:
        """The terminal's sequences for the changed stretches."""
        sequences: list[str] = []
        for y, start, end in self.spans:
            for edge, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                first, last = max(x, start), min(edge, end)
                if strip is None or first >= last:
                    continue
                part = strip if (first, last) == (x, edge) else strip.crop(first - x, last - x)
                sequences += [Control.move_to(first, y).segment.text, part.render(console)]
        return "".join(sequences)
