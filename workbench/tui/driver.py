"""Textual's driver for Linux and macOS, made to survive a terminal that goes away."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios

from textual.drivers.linux_driver import LinuxDriver


class SurvivingDriver(LinuxDriver):
    """The input thread ends quietly when the terminal is gone; for the output see :mod:`workbench.tui.fds`."""

    def _run_input_thread(self) -> None:
        # Reading a hung-up terminal raises EIO, which the base class would take for a crash; what it does with a crash
        # leaves no exception behind.
        try:
            self.run_input_thread()
        except OSError:
            return
        except Exception as error:
            self._app.call_later(self._app._handle_exception, error)

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
