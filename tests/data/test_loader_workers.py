from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from workbench.data.base import DataError
from workbench.data.loader import LoaderPipeline
from workbench.data.pipeline import make_pipeline
from workbench.data.sources import folder as folder_module
from workbench.data.sources.folder import Folder
from workbench.data.splits import ArraySplit
from workbench.data.workers import cause_of_death, start_workers
from workbench.randomness import SampleRng
from workbench.recipe.schema import Data
from workbench.registered import Registered, TechniqueError

COUNT = 64


def split_of(count: int = COUNT) -> ArraySplit:
    return ArraySplit(torch.zeros(count, 3, 4, 4, dtype=torch.uint8), torch.zeros(count, dtype=torch.int64))


def mark(images: Tensor, rng: SampleRng) -> Tensor:
    return images + rng.integers(256).to(torch.uint8)[:, :, None, None]


def loader(function: Callable[[Tensor, SampleRng], Tensor] = mark, **settings: object) -> LoaderPipeline:
    data = Data(**({"pipeline": "loader", "workers": 2, "batch_size": 4} | settings))
    pipeline = make_pipeline(data, split_of(), "cpu", 0, (Registered(0, "test", function),))
    assert isinstance(pipeline, LoaderPipeline)
    return pipeline


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture(autouse=True)
def no_process_stays() -> Iterator[None]:
    before = set(multiprocessing.active_children())
    yield
    assert set(multiprocessing.active_children()) <= before


def test_persistent_workers_stay_between_epochs_and_close_ends_them() -> None:
    pipeline = loader()
    assert pipeline.worker_pids() == ()
    list(pipeline.epoch(0))
    pids = pipeline.worker_pids()
    assert len(pids) == 2
    list(pipeline.epoch(1))
    assert pipeline.worker_pids() == pids
    pipeline.close()
    assert all(map(gone, pids)) and pipeline.worker_pids() == ()
    pipeline.close()
    assert len(list(pipeline.epoch(2))) == 16  # they start again
    assert not set(pids) & set(pipeline.worker_pids())
    pipeline.close()


def test_other_workers_end_with_their_epoch_finished_or_not() -> None:
    pipeline = loader(persistent_workers=False)
    batches = pipeline.epoch(0)
    next(batches)
    pids = pipeline.worker_pids()
    assert len(pids) == 2
    batches.close()  # type: ignore[attr-defined]
    assert all(map(gone, pids))
    list(pipeline.epoch(1))
    assert pipeline.worker_pids() == ()


def test_closing_in_the_middle_of_an_epoch_is_quick() -> None:
    pipeline = loader(prefetch=8)
    next(pipeline.epoch(0))
    pids, start = pipeline.worker_pids(), time.monotonic()
    pipeline.close()
    assert all(map(gone, pids)) and time.monotonic() - start < 3


class Captured(io.StringIO):
    """What Textual puts in place of sys.stderr: it has a fileno, and that is -1."""

    def fileno(self) -> int:
        return -1


def in_app_thread(work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> object:
    """Run something as the app runs a training: in a plain thread, with captured streams."""
    monkeypatch.setattr(sys, "stderr", Captured())
    monkeypatch.setattr(sys, "stdout", Captured())
    result: list[object] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert result, "it hangs"
    return result[0]


def test_workers_run_under_an_app_that_captured_the_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> list[int]:
        pipeline = loader()
        try:
            return [int(batch.images.sum()) for epoch in range(2) for batch in pipeline.epoch(epoch)]
        finally:
            pipeline.close()

    here = loader(workers=0)
    expected = [int(batch.images.sum()) for epoch in range(2) for batch in here.epoch(epoch)]
    assert in_app_thread(work, monkeypatch) == expected


def test_processes_spawn_under_an_app_that_captured_the_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no fork (macOS, Windows). The process does nothing: one of torch's takes seconds."""
    context = multiprocessing.get_context("spawn")

    def start() -> multiprocessing.process.BaseProcess:
        process = context.Process(target=os.getpid)
        process.start()
        return process

    def work() -> int | None:
        process = start_workers(start, torch.device("cpu"), context)
        process.join(30)
        return process.exitcode

    assert in_app_thread(work, monkeypatch) == 0
    assert isinstance(sys.stderr, Captured)


@pytest.mark.parametrize("persistent", [True, False])
def test_a_killed_worker_is_a_clear_error(persistent: bool) -> None:
    pipeline = loader(persistent_workers=persistent)
    batches = pipeline.epoch(0)
    next(batches)
    pids = pipeline.worker_pids()
    os.kill(pids[0], signal.SIGKILL)
    while len(pipeline.worker_pids()) == 2:  # a moment; in the middle of a wait it takes up to 5 s
        time.sleep(0.01)
    with pytest.raises(DataError, match=r"a loader worker died \(SIGKILL.*try fewer workers \(data.workers = 1\)"):
        list(batches)
    assert all(map(gone, pids))


def die(images: Tensor, rng: SampleRng) -> Tensor:
    info = get_worker_info()
    if info is not None and info.id == 1:
        os._exit(7)
    return images


def test_a_worker_that_dies_at_work_is_not_waited_for_for_ever() -> None:
    pipeline = loader(die)
    start = time.monotonic()
    with pytest.raises(DataError, match=r"a loader worker died \(exit code 7\)"):
        list(pipeline.epoch(0))
    assert time.monotonic() - start < 15
    assert pipeline.worker_pids() == ()


def test_workers_do_not_hear_what_is_meant_for_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = multiprocessing.Value("i", 0)

    def hear(*args: object) -> None:
        heard.value = 1

    before = signal.signal(signal.SIGWINCH, hear)  # as the app does; forked processes inherit handlers
    pipeline = loader()
    batches = pipeline.epoch(0)
    next(batches)
    for pid in pipeline.worker_pids():
        for name in (signal.SIGINT, signal.SIGHUP, signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH):
            os.kill(pid, name)
    assert len(list(batches)) == 15
    pipeline.close()
    signal.signal(signal.SIGWINCH, before)
    assert heard.value == 0


def test_starting_workers_leaves_the_apps_signal_handlers_alone() -> None:
    """torch's SIGCHLD handler would raise in the main thread, wherever that is when a worker dies."""
    before = signal.getsignal(signal.SIGCHLD)
    pipeline = loader()
    next(pipeline.epoch(0))
    assert signal.getsignal(signal.SIGCHLD) == before
    pipeline.close()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_file_that_breaks_during_training_is_named(
    workers: int, make_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder(train=8)
    monkeypatch.setattr(folder_module, "IN_MEMORY_BYTES", 0)
    split = Folder(path=str(folder)).load(Path()).train
    pipeline = make_pipeline(Data(pipeline="loader", workers=workers, batch_size=4), split, "cpu", 0, ())
    (folder / "train" / "dog" / "3.png").write_text("broken now")
    with pytest.raises(DataError) as error:
        list(pipeline.epoch(0))
    assert "train/dog/3.png could be read before" in str(error.value) and "\n" not in str(error.value)
    pipeline.close()


def fail(images: Tensor, rng: SampleRng) -> Tensor:
    raise ValueError("no such colour")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_fault_in_an_augmentation_names_its_technique_and_place(workers: int) -> None:
    pipeline = loader(fail, workers=workers)
    with pytest.raises(
        TechniqueError, match=r"techniques\.test: ValueError in test_loader_workers\.py:\d+: no such colour"
    ):
        next(pipeline.epoch(0))
    pipeline.close()


def test_exit_codes_in_words() -> None:
    assert cause_of_death(3) == "exit code 3"
    assert cause_of_death(-signal.SIGKILL) == "SIGKILL: often the system ran out of memory"
    assert cause_of_death(-signal.SIGSEGV) == "SIGSEGV"
    assert "shared memory" in cause_of_death(-signal.SIGBUS)
