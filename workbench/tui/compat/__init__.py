"""What rests on the inside of Textual, in one place; the tests named here say what breaks, and what can go when.

- ``turns``: input takes its turn, one order of tasks on every Python, what ended the app, leaving from a signal
  handler: tests/tui/test_turns.py, test_typeahead.py, test_compat.py, test_crash.py
- ``terminal``: pastes and keys with Escape, a terminal that goes away, its size: tests/tui/test_pastes.py,
  test_terminal.py, test_compat.py, and for Ctrl-Z tests/end_to_end/test_queue.py; text that would command the
  terminal is shown instead: tests/tui/test_hostile.py
- ``updates``: cells that are shown already are not sent, pictures lie over what is painted:
  tests/tui/test_run_charts.py, test_pictures.py
- ``pictures``: what the terminal is asked, textual-image's encoder: tests/tui/test_pictures.py
- ``composed``: nothing reaches a widget before it is composed or after it is gone: tests/tui/test_early_and_late.py

tests/tui/test_slices.py holds that nothing else uses private names of Textual.
"""
