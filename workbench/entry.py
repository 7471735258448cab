"""Where a process starts: a frame for the screens at once, then everything that takes time to load."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys

from workbench import first_frame
from workbench.arguments import opens_screens
from workbench.memory import keep_freed_memory


def main() -> None:
    """The command line of this process."""
    arguments = sys.argv[1:]
    try:
        completing = "_WORKBENCH_COMPLETE" in os.environ  # the shell asks for words
        if opens_screens(arguments) and not completing:
            first_frame.draw()
            # Hundreds of thousands of objects are made while loading and none becomes garbage: looking for some costs a
            # tenth. The app looks again once it has painted; a command line never stops looking.
            gc.disable()
        keep_freed_memory()
        if arguments or completing:
            from workbench.cli import main as command_line

            command_line(arguments)
        else:
            sys.exit(_screens())
    except KeyboardInterrupt:  # nothing of ours had begun
        sys.exit(130)
    finally:
        # What is left is the end of the interpreter, which gives Ctrl-C its default back: a second one that comes late
        # would make a run that has ended well look killed.
        with contextlib.suppress(ValueError):  # not the main thread
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        first_frame.remove()


def _screens() -> int:
    """The most common start of all, without the commands and what they need; returns the exit code."""
    try:
        from workbench.tui.app.opening import open_where_left

        open_where_left()
    except Exception as error:
        from workbench.commands.errors import report

        return report(error)
    return 0
