"""The pages for who works on the project say what is so."""

from __future__ import annotations

from tests.techniques_page import PAGE, page


def test_the_page_of_techniques_and_hooks_is_what_the_classes_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: python -m tests.techniques_page"
