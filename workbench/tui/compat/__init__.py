"""What rests on the inside of Textual; ``tests/tui/test_compat.py`` says when a part of it can go."""
