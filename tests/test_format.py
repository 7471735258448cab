"""Numbers, shares, durations, sizes and values in words."""

from __future__ import annotations

import datetime
import math
import tomllib
from typing import Any

import pytest

from workbench.format import UNKNOWN, age, bare, duration, figure, file_size, gib, gib_of, milliseconds, percent, toml


def test_numbers() -> None:
    assert [percent(s, 1) for s in (0.9412, 1.0, None, math.nan)] == ["94.1 %", "100.0 %", UNKNOWN, UNKNOWN]
    assert [figure(v) for v in (0.12345, 2.75e20, math.inf, None)] == ["0.1235", "2.75e+20", "inf", UNKNOWN]
    assert [duration(s) for s in (7, 750, 11_100, 172_799, 200_000, math.nan)] == [
        "0:07", "12:30", "3:05:00", "47:59:59", "2 d 07 h", UNKNOWN,
    ]  # fmt: skip
    assert [age(s) for s in (12, 300, 5999, 6000, 172_800)] == ["12 s", "5 min", "99 min", "1 h", "2 d"]
    assert [milliseconds(s) for s in (0.00041, 0.0123, 0.212, 3.2)] == ["0.41 ms", "12.3 ms", "212 ms", "3.20 s"]
    assert [file_size(n) for n in (312, 45_100_000, 3 * 10**12)] == ["312 bytes", "45.1 MB", "3,000.0 GB"]
    assert gib(3 << 29) == "1.5 GiB" and gib_of(1 << 30, 1 << 31, 2) == "1.00 of 2.00 GiB"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (3, "3"),
        (4.0, "4"),
        (0.1, "0.1"),
        (1e-05, "1e-05"),
        (1e20, "1e+20"),
        (math.inf, "inf"),
        ("adam", '"adam"'),
        ('a "b"\n', '"a \\"b\\"\\n"'),
        ("\x1b", '"\\u001b"'),
        ((64, 0.5, "x"), '[64, 0.5, "x"]'),
        ([[True], []], "[[true], []]"),
        ({"a": 1, "b": [2.0]}, "{a = 1, b = [2]}"),
        (datetime.date(2026, 11, 20), "2026-11-20"),
    ],
)
def test_a_value_reads_back_as_it_was(value: Any, text: str) -> None:
    assert toml(value) == text
    read = tomllib.loads(f"value = {text}")["value"]
    assert read == (list(value) if isinstance(value, tuple) else value)


def test_a_bare_text_has_no_quotes() -> None:
    assert bare("adam") == "adam" and bare(("adam",)) == '["adam"]' and bare(False) == "false"
