"""What a real device must do for a training to be right, tried with small trainings on the embedded digits."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.doctor.finding import Finding
from workbench.doctor.worker import Failure

GROUP = "selftest"
SECONDS = 110.0
"""For all of them together."""


@dataclass(frozen=True)
class Test:
    """One of them. seconds: its limit; gpu: whether only a GPU can do it; meaning: what it says where it passes."""

    name: str
    seconds: float
    meaning: str
    gpu: bool = False


TESTS = (
    Test("learns", 30, "a small network learns digits with both pipelines, which feed the same batches"),
    Test("precision", 40, "fp32, TF32, bf16, fp16 and half weights all learn, as far as the device has them"),
    Test("resume", 30, "stopped and resumed in the middle of an epoch, it ends at the same bits"),
    Test("like the CPU", 30, "its losses are those that the CPU computes", gpu=True),
    Test("recorded", 30, "recorded steps are the eager ones, step by step, with rates that change", gpu=True),
    Test("draws", 30, "dropout draws anew each time a recorded step is repeated", gpu=True),
    Test("waits", 30, "no step waits for the device", gpu=True),
    Test("out of memory", 20, "it is recognised, and the device works on", gpu=True),
)


@dataclass(frozen=True)
class Outcome:
    """passed: whether it did; found: figures in a few words, or what was wrong."""

    passed: bool
    found: str


def perform(name: str, device: str) -> Outcome:
    """Do one of the tests on ``"cpu"`` or ``"cuda:N"``."""
    from workbench.doctor import trials

    tests = {
        "learns": trials.learns,
        "precision": trials.precision,
        "resume": trials.resume,
        "like the CPU": trials.like_the_cpu,
        "recorded": trials.recorded,
        "draws": trials.draws,
        "waits": trials.waits,
        "out of memory": trials.out_of_memory,
    }
    test = next(each for each in TESTS if each.name == name)
    if test.gpu and device == "cpu":
        return Outcome(True, NEEDS)
    try:
        return Outcome(True, tests[name](device))
    except trials.Wrong as wrong:
        return Outcome(False, str(wrong))


NEEDS = "not tested: needs a GPU"


def left_out(test: Test) -> Finding:
    """One for which there was no time left."""
    text, meaning = "not tested: no time was left", f"not known: {test.meaning}"
    return Finding(GROUP, test.name, "warn", text, meaning, "run it again when less goes on here")


def judge(found: Outcome | Failure, test: Test, device: str) -> Finding:
    """The line of a test."""
    if isinstance(found, Failure):
        if found.hung:
            remedy = "run it again when less goes on here; if it stays, please report it with this report"
            return Finding(GROUP, test.name, "warn", found.reason, f"not known: {test.meaning}", remedy)
        return Finding(GROUP, test.name, "broken", found.reason, f"not so: {test.meaning}", REPORT)
    if not found.passed:
        return Finding(GROUP, test.name, "broken", found.found, f"not so: {test.meaning}", REPORT)
    if found.found == NEEDS:
        return Finding(GROUP, test.name, "note", found.found, test.meaning)
    return Finding(GROUP, test.name, "ok", f"{device}: {found.found}", test.meaning)


REPORT = "please report it, with all of this report"
