"""Workers that are forked, forked by a server, or spawned: the same batches, from a user's own parts too."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from workbench.data import loader as loader_module
from workbench.data.base import DataError
from workbench.data.loader import LoaderPipeline
from workbench.data.parcel import Parcel
from workbench.data.pipeline import make_pipeline
from workbench.data.splits import ArraySplit
from workbench.data.workers import start_method
from workbench.recipe.plugins import PluginError, load_plugin
from workbench.recipe.schema import Data
from workbench.registered import Registered

PLUGIN = '''
import torch


class Ramp:
    """Images that are made when they are asked for, by a function that only this file has."""

    def __init__(self):
        self.labels = torch.arange(40) % 2
        self.pixel = lambda index: torch.full((3, 4, 4), index, dtype=torch.uint8)

    def __len__(self):
        return len(self.labels)

    def images(self, indices=None):
        places = range(len(self)) if indices is None else indices.tolist()
        return torch.stack([self.pixel(place) for place in places])


def brighter(by):
    return lambda images, draws: images + draws.integers(by)[:, :, None, None].to(torch.uint8)


class Inverted:
    def __init__(self):
        self.apply = self._apply

    def _apply(self, images, draws):
        return 255 - images
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Any]:
    """The module of a plugin whose file is gone by the time that workers start."""
    path = tmp_path / "own.py"
    path.write_text(PLUGIN)
    before = set(sys.modules)
    load_plugin(path)
    path.unlink()
    (name,) = [name for name in set(sys.modules) - before if name.startswith("workbench_plugin_")]
    yield sys.modules[name]
    del sys.modules[name]


def use(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen() -> BaseContext:
        return multiprocessing.get_context(method)

    monkeypatch.setattr(loader_module, "start_method", chosen)


def pipeline_of(split: Any, *functions: Callable[..., Tensor], **settings: object) -> LoaderPipeline:
    data = Data(**({"pipeline": "loader", "workers": 2, "batch_size": 8} | settings))
    fillers = tuple(Registered(number, f"own{number}", function) for number, function in enumerate(functions))
    made = make_pipeline(data, split, "cpu", 0, fillers)
    assert isinstance(made, LoaderPipeline)
    return made


def grey(count: int = 40) -> ArraySplit:
    return ArraySplit(torch.zeros(count, 3, 4, 4, dtype=torch.uint8), torch.zeros(count, dtype=torch.int64))


def test_processes_with_threads_are_never_forked() -> None:
    assert start_method().get_start_method() in ("forkserver", "spawn")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # a fork, asked for
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_plugins_data_set_and_transforms_work(method: str, plugin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use(method, monkeypatch)
    functions = (plugin.brighter(9), plugin.Inverted().apply, lambda images, rng: images.flip(3))
    here = pipeline_of(plugin.Ramp(), *functions, workers=0)
    there = pipeline_of(plugin.Ramp(), *functions)
    try:
        for one, other in zip(here.epoch(1), there.epoch(1), strict=True):
            assert torch.equal(one.images, other.images)
    finally:
        there.close()


def test_no_warning_of_pythons_where_the_process_has_threads() -> None:
    """From 3.12 on Python warns where a process with threads is forked, because its child may wait for ever."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    pipeline = pipeline_of(grey(), persistent_workers=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert sum(len(list(pipeline.epoch(epoch))) for epoch in range(2)) == 10
    finally:
        stop.set()
        thread.join()


def test_what_cannot_be_sent_is_named_with_the_remedy() -> None:
    file = io.TextIOWrapper(io.BytesIO())

    def reads(images: Tensor, rng: object) -> Tensor:
        file.readline()
        return images

    pipeline = pipeline_of(grey(), lambda images, rng: images, reads)
    with pytest.raises(DataError, match=r"^techniques\.own1 cannot be sent to loader workers: .*data\.workers = 0$"):
        next(pipeline.epoch(0))

    split = grey()
    split.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"^the data set cannot be sent to loader workers: .*lock.*data\.workers = 0$"):
        next(pipeline_of(split).epoch(0))


class Unopenable:
    """Fails in the worker."""

    labels = torch.zeros(8, dtype=torch.int64)

    def __len__(self) -> int:
        return 8

    def images(self, indices: Tensor | None = None) -> Tensor:
        return torch.zeros(8 if indices is None else len(indices), 3, 4, 4, dtype=torch.uint8)

    def __setstate__(self, state: object) -> None:
        raise FileNotFoundError("no database here")

    def __getstate__(self) -> dict[str, int]:
        return {"a": 1}


def test_what_cannot_be_opened_in_a_worker_is_said() -> None:
    pipeline = pipeline_of(Unopenable())
    with pytest.raises(DataError, match=r"a loader worker cannot open the data: FileNotFoundError: no database here"):
        next(pipeline.epoch(0))
    pipeline.close()


def test_a_parcel_holds_arrays_once_and_what_is_opened_is_the_receivers_own() -> None:
    array = np.arange(100_000, dtype=np.int32).reshape(100, 1000)
    tensor = torch.arange(50_000).view(5, 10_000)
    thing = {"array": array, "tensor": tensor, "turned": tensor.T, "few": torch.arange(3), "empty": np.zeros((0, 4))}
    parcel = Parcel(thing)
    one, other = parcel.open(), parcel.open()
    for name, value in thing.items():
        assert np.array_equal(np.asarray(value), np.asarray(one[name])), name
    one["array"][0, 0] = 7
    one["tensor"][0, 0] = 7
    assert other["array"][0, 0] == 0 and other["tensor"][0, 0] == 0 and array[0, 0] == 0 and tensor[0, 0] == 0


def test_a_parcel_is_opened_with_the_plugins_as_they_were_loaded(plugin: Any) -> None:
    del plugin
    parcel = Parcel(1)
    parcel._plugins = (*parcel._plugins, type(parcel._plugins[0])(Path("broken.py"), "1 / 0"))
    with pytest.raises(PluginError, match=r"broken\.py:1: ZeroDivisionError"):
        parcel.open()


MAIN = """
import sys, time
import torch
from workbench.data.pipeline import make_pipeline
from workbench.data.splits import ArraySplit
from workbench.registered import Registered
from workbench.recipe.schema import Data

def shout(images, draws):
    print("from a worker", file=sys.stderr, flush=True)
    return images

split = ArraySplit(torch.zeros(40, 3, 4, 4, dtype=torch.uint8), torch.zeros(40, dtype=torch.int64))
pipeline = make_pipeline(Data(pipeline="loader", batch_size=8), split, "cpu", 0, (Registered(0, "shout", shout),))
from multiprocessing import forkserver
batches = pipeline.epoch(0)
next(batches)
print(*pipeline.worker_pids(), forkserver._forkserver._forkserver_pid, flush=True)
time.sleep(60)
"""


def test_workers_end_with_a_process_that_is_killed_and_a_script_needs_no_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(MAIN)
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    pids = [int(word) for word in process.stdout.readline().split()]
    assert len(pids) == 3
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 20
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, pids))
    assert "from a worker" in process.stderr.read()
    process.stdout.close()
    process.stderr.close()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_worker_writes_where_its_run_writes_now(tmp_path: Path) -> None:
    """The server keeps the streams of its own start; each run of an app has a log of its own."""

    def shout(images: Tensor, rng: object) -> Tensor:
        os.write(2, b"from a worker\n")
        return images

    next(first := pipeline_of(grey()).epoch(0))  # the server is up
    kept = os.dup(2)
    log = os.open(tmp_path / "log.txt", os.O_CREAT | os.O_WRONLY)
    try:
        os.dup2(log, 2)
        pipeline = pipeline_of(grey(), shout)
        list(pipeline.epoch(0))
        pipeline.close()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(log)
    del first
    assert "from a worker" in (tmp_path / "log.txt").read_text()
