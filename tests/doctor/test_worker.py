"""A probe that hangs, dies or raises costs its own answer and nothing else."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doctor.probes import Fact
from workbench.doctor.worker import Failure, Worker

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker({**os.environ, "PYTHONPATH": str(ROOT)})
    yield made
    made.close()


def good(worker: Worker) -> None:
    assert worker.ask(Fact, "tests.doctor.probes:good", 20, text="ü") == Fact("ü", (1, 2))


def test_an_answer_is_what_the_probe_found_whatever_is_printed(worker: Worker) -> None:
    good(worker)
    good(worker)


def test_one_that_hangs_is_left_behind(worker: Worker) -> None:
    good(worker)
    began = time.monotonic()
    found = worker.ask(Fact, "tests.doctor.probes:hangs", 0.3)
    assert isinstance(found, Failure) and found.hung and found.reason == "no answer within 0.3 s"
    assert time.monotonic() - began < 3
    good(worker)


@pytest.mark.parametrize(("name", "words"), [("dies", "SIGABRT: terminate called"), ("leaves", "with code 7")])
def test_one_that_dies_takes_nothing_with_it(worker: Worker, name: str, words: str) -> None:
    found = worker.ask(Fact, f"tests.doctor.probes:{name}", 20)
    assert isinstance(found, Failure) and not found.hung and words in found.reason
    good(worker)


def test_one_that_raises_is_quoted_on_one_line(worker: Worker) -> None:
    found = worker.ask(Fact, "tests.doctor.probes:raises", 20)
    assert isinstance(found, Failure)
    assert found.reason.startswith("RuntimeError: CUDA error:") and "\n" not in found.reason
    good(worker)


def test_an_endless_answer_is_none(worker: Worker) -> None:
    assert isinstance(worker.ask(Fact, "tests.doctor.probes:floods", 20), Failure)
    good(worker)


def test_one_that_is_not_there(worker: Worker) -> None:
    found = worker.ask(Fact, "tests.doctor.probes:nothing", 20)
    assert isinstance(found, Failure) and "AttributeError" in found.reason
    good(worker)


def test_answers_of_another_shape_are_none(worker: Worker) -> None:
    found = worker.ask(Failure, "tests.doctor.probes:good", 20, text="a")
    assert isinstance(found, Failure) and "could not be asked" in found.reason
