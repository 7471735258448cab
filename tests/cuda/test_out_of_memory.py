"""Memory that is too small: one sentence with the size to try, nothing lost, and a run with less of it if asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.cuda.test_faults import begun, failure, goes_on, saved_step, trained
from tests.cuda.test_faults import undisturbed as undisturbed
from tests.runs.helpers import invoke
from workbench.data.pipeline import EvaluationSet
from workbench.data.splits import ArraySplit
from workbench.engine import recorder
from workbench.engine.build import Build
from workbench.events import Evaluated, Event, Failed, Finished, Noted, Trained
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import read_events

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("standin")]

MIB = 2**20
Fill = Callable[[float], None]


@pytest.fixture
def fill(standin: ModuleType) -> Iterator[Fill]:
    """Leaves so many MiB of a device of 2 GiB, as if others used the rest, and nothing of what torch keeps."""
    with standin.memory(2048), ExitStack() as held:

        def leave(mebibytes: float) -> None:
            held.close()
            torch.cuda.empty_cache()
            others = [torch.empty(int((2048 - mebibytes) * MIB) - standin.used(0), dtype=torch.uint8, device="cuda:0")]
            held.callback(others.clear)

        yield leave
    torch.cuda.empty_cache()


def hears(when: Callable[[Event], bool], act: Callable[[], object]) -> Callable[[Event], None]:
    """Acts once, at an event."""
    done: list[Event] = []

    def hear(event: Event) -> None:
        if not done and when(event):
            done.append(event)
            act()

    return hear


@pytest.mark.parametrize("mode", ["off", "graph"])
def test_in_a_step(mode: str, fill: Fill, tmp_path: Path, undisturbed: Callable[[str], RunDirectory]) -> None:
    whole, run = undisturbed(mode), begun(tmp_path, mode)
    state = trained(run, hear=hears(lambda e: isinstance(e, Trained) and e.step == 5, lambda: fill(0)))
    assert state == "failed"
    ended = failure(run)
    assert ended.error == (
        "out of memory at data.batch_size = 128: try --set data.batch_size=64; its last checkpoint is good (step 4)"
    )
    assert (ended.instead, ended.resumable) == ("data.batch_size=64", False)
    assert saved_step(run) == 4
    fill(1800)
    goes_on(run, whole)


def test_in_a_step_that_is_made_of_parts(fill: Fill, tmp_path: Path) -> None:
    run = begun(tmp_path, "off", "techniques.gradient_accumulation.micro_batch_size=32")
    trained(run, hear=hears(lambda e: isinstance(e, Trained) and e.step == 5, lambda: fill(0)))
    assert "try --set techniques.gradient_accumulation.micro_batch_size=16;" in failure(run).error


def test_while_a_step_is_recorded(
    fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: Callable[[str], RunDirectory],
) -> None:  # fmt: skip
    """Then steps go on without a graph, to the same bits."""
    whole, run, record = undisturbed("graph"), begun(tmp_path, "graph"), recorder.Recorder.record

    def recording(self: Any, function: Callable[[], Tensor]) -> Any:
        fill(0)
        try:
            return record(self, function)
        finally:
            fill(1800)

    monkeypatch.setattr(recorder.Recorder, "record", recording)
    assert trained(run) == "finished"
    (note,) = [e.message for e in read_events(run) if isinstance(e, Noted) and "recorded" in e.message]
    assert "out of memory" in note
    assert results(run) == results(whole)


def hungry(monkeypatch: pytest.MonkeyPatch, per_image: int) -> None:
    """Evaluation takes so many MiB for each image."""
    plain = Build.plain

    def taking(self: Build, images: Tensor) -> Tensor:
        torch.empty(len(images) * per_image * MIB, dtype=torch.uint8, device=images.device)
        return plain(self, images)

    monkeypatch.setattr(Build, "plain", taking)


def results(run: RunDirectory) -> tuple[list[float], list[tuple[str, float]], list[float]]:
    """The curve's losses; accuracies and losses of evaluations."""
    events = read_events(run)
    evaluated = [e for e in events if isinstance(e, Evaluated)]
    losses = [e.loss for e in events if isinstance(e, Trained)]
    return losses, [(e.split, e.accuracy) for e in evaluated], [e.loss for e in evaluated]


def test_in_an_evaluation_batches_become_smaller(
    fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: Callable[[str], RunDirectory]
) -> None:
    """Every image is still seen once, and nothing of the training changes."""
    whole, run = undisturbed("off"), begun(tmp_path, "off", "data.eval_batch_size=200")
    hungry(monkeypatch, 1)
    assert trained(run, hear=hears(lambda e: isinstance(e, Trained) and e.step == 4, lambda: fill(120))) == "finished"
    notes = [e.message for e in read_events(run) if isinstance(e, Noted)]
    said = "out of memory at 200 images at a time in the evaluation; it takes 100 now"
    assert notes == [said, said]  # validation and test
    (curve, accuracies, losses), (expected, right, near) = results(run), results(whole)
    assert (curve, accuracies) == (expected, right)
    assert all(math.isclose(a, b, rel_tol=1e-5) for a, b in zip(losses, near, strict=True))


def test_in_an_evaluation_where_a_single_image_is_too_large(
    fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begun(tmp_path, "off", "train.checkpoint_every=0.1")
    hungry(monkeypatch, 500)
    hear = hears(lambda e: isinstance(e, Trained) and e.step == 4, lambda: fill(100))
    assert trained(run, hear=hear, checks=False) == "failed"
    ended = failure(run)
    assert ended.error.startswith("out of memory at data.eval_batch_size = 1, which cannot be less (cuda:0 has 0.")
    assert ended.error.endswith("make the network smaller; its last checkpoint is good (step 3)")
    assert ended.instead == ""


def test_an_evaluation_set_without_room_comes_batch_by_batch(fill: Fill) -> None:
    """29 MiB of images, in batches of 0.3 MiB."""
    images = torch.randint(256, (10_000, 3, 32, 32), dtype=torch.uint8)
    split = ArraySplit(images, torch.arange(10_000) % 10)
    kept, streamed = EvaluationSet(split, "cuda:0", 100), EvaluationSet(split, "cuda:0", 100)
    expected = [batch.images.sum().item() for batch in kept]
    fill(6)
    for _ in range(2):
        assert [batch.images.sum().item() for batch in streamed] == expected


def test_in_the_build(fill: Fill, tmp_path: Path) -> None:
    run = begun(tmp_path, "off", "model.hidden=[4096]")
    fill(8)
    assert trained(run) == "failed"
    ended = failure(run)
    assert ended.error.startswith("out of memory before the first batch (cuda:0 has 0.0")
    assert ended.error.endswith("choose another device, or make the network smaller; there is no checkpoint yet")


def test_at_the_first_step(fill: Fill, tmp_path: Path) -> None:
    run = begun(tmp_path, "off", "model.widths=[256]", "data.batch_size=1024")
    fill(24)
    assert trained(run, checks=False) == "failed"
    assert "at data.batch_size = 1024: try --set data.batch_size=512; there is no checkpoint yet" in failure(run).error


def test_a_set_that_is_larger_than_the_free_memory(fill: Fill, tmp_path: Path) -> None:
    run, pieces = begun(tmp_path, "off", "model.hidden=[64]"), []
    fill(3)
    with suppress(torch.OutOfMemoryError):  # blocks that others have left room in
        while True:
            pieces.append(torch.empty(2 * MIB, dtype=torch.uint8, device="cuda:0"))
    assert trained(run) == "failed"
    ended = failure(run)
    assert ended.error.startswith("data.pipeline: the images need ") and 'set pipeline = "loader"' in ended.error
    assert ended.instead == "data.pipeline=loader"


# ---- if asked ----
@pytest.mark.parametrize("asked", [False, True])
def test_the_run_begins_anew_with_what_fits(
    asked: bool, fill: Fill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = [
        f"--set={change}"
        for change in ("model.widths=[64]", "model.hidden=[16]", "data.batch_size=1024", "train.epochs=1")
    ]
    fill(120)
    more = ["--smaller"] if asked else []
    found = invoke(capsys, "run", "digits", "--device=cuda:0", "--no-checks", "-q", *settings, *more)
    sentence = "failed: out of memory at data.batch_size = 1024: try --set data.batch_size=512"
    assert sentence in found.err
    runs = [RunDirectory(path) for path in (tmp_path / "runs").iterdir() if path.is_dir()]
    runs.sort(key=lambda run: -run.recipe().data.batch_size)
    assert isinstance(read_events(runs[0])[-1], Failed)
    if not asked:
        assert (found.code, len(runs)) == (1, 1)
        return
    assert found.code == 0
    assert isinstance(read_events(runs[-1])[-1], Finished)
    sizes = [run.recipe().data.batch_size for run in runs]
    assert sizes == [1024 >> k for k in range(len(runs))] and len(runs) > 2
    assert f"once more with data.batch_size=512, as {runs[1].name}" in found.err


def test_only_memory_begins_anew(
    standin: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    with standin.fails("cudaErrorECCUncorrectable"):
        found = invoke(capsys, "run", "digits", "--device=cuda:0", "-q", "--smaller")
    assert found.code == 1 and "once more" not in found.err
