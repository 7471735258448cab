"""Fixtures for all tests."""

from __future__ import annotations

import atexit
import gc
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# As .ci/run does, before anything imports torch: small steps on several threads wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Hundreds of processes are started: where none may keep what it compiled, each compiles all of torch anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest

from tests.cuda import runtime as stand_in
from workbench.commands import training
from workbench.recipe import plugins

REPOSITORY = Path(__file__).resolve().parent.parent
MOST_WORKERS = 8
KEPT_APART = ("cuda", "terminal")
"""Marks of tests that ``.ci/run`` runs apart from the others, in processes that look at nothing else."""


def pytest_configure() -> None:
    """Here, too, what was compiled is kept."""
    sys.dont_write_bytecode = False


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two processes for each core, since many tests wait for something; none where a few tests were named."""
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    return min(2 * (os.cpu_count() or 1), MOST_WORKERS)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is there before the first test stays: to look through it again and again for cycles takes a fifth of all.

    Nor is every two thousandth object of a test a reason to look: that takes a fifth of a screen's test once more.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        if not stand_in.present():  # there, tests fill the device, and what waits to be looked for fills it, too
            gc.set_threshold(50_000, 10, 10)
        gc.enable()
        atexit.register(gc.unfreeze)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only tests with a mark are wanted, a file that has none is not imported."""
    if collection_path.suffix != ".py":
        return None
    wanted = re.fullmatch(rf"({'|'.join(KEPT_APART)})( and (not )?(\w+|\([^()]*\)))*", config.option.markexpr)
    return None if wanted is None or f"mark.{wanted[1]}" in _text(collection_path) else True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """So a file has to say itself that it has such tests."""
    for item in items:
        for name in KEPT_APART:
            if item.get_closest_marker(name) is not None and f"mark.{name}" not in _text(item.path):
                raise pytest.UsageError(f"{item.nodeid} is marked {name}: write pytest.mark.{name} in its own file")


@cache
def _text(path: Path) -> str:
    return path.read_text()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test marked cuda is skipped where there is no such device, one marked real_gpu where it is no real one."""
    if item.get_closest_marker("cuda") is None:
        return
    import torch

    real = item.get_closest_marker("real_gpu")
    if real is not None and (stand_in.present() or not torch.cuda.is_available()):
        pytest.skip(f"needs a real GPU: {real.args[0]}")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device: `python -m tests.cuda` runs it on one made of host memory")


@pytest.fixture(autouse=True)
def _nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of whoever runs the tests change nothing."""
    monkeypatch.setenv("WORKBENCH_SETTINGS", str(tmp_path / "no settings.toml"))


@pytest.fixture(autouse=True)
def _nobodys_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test loads, no other sees; nor what a plugin such as tests/runs/fake_engine.py puts in place."""
    monkeypatch.setattr(plugins, "_loaded", dict(plugins._loaded))
    monkeypatch.setattr(training, "execute", training.execute)


@pytest.fixture(autouse=True)
def _nobodys_threads() -> Iterator[None]:
    """A test that leaves torch with more threads slows all that follow it; it is told so itself."""
    before = _threads() or int(os.environ["OMP_NUM_THREADS"])
    yield
    if (after := _threads()) not in (None, before):
        sys.modules["torch._C"].set_num_threads(before)
        pytest.fail(f"it leaves torch with {after} threads in place of {before}")


def _threads() -> int | None:
    """torch's own count, whatever a test puts in torch's place; None before it is imported."""
    torch = sys.modules.get("torch._C")
    return None if torch is None else torch.get_num_threads()


@pytest.fixture(scope="session")
def cifar10_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the real ``cifar-10-batches-py``; skips where it is not at hand.

    ``WORKBENCH_TEST_CIFAR10`` names it; else a restore script in the folder ``shared/data`` beside the repository
    makes it.
    """
    if given := os.environ.get("WORKBENCH_TEST_CIFAR10"):
        return Path(given)
    script = REPOSITORY.parent / "shared" / "data" / "restore_cifar10.py"
    if not script.exists():
        pytest.skip("needs the real CIFAR-10 files: set WORKBENCH_TEST_CIFAR10 to the folder that holds them")
    root = tmp_path_factory.mktemp("cifar10")
    subprocess.run([sys.executable, str(script), str(root)], check=True, capture_output=True)
    return root


@pytest.fixture
def digits_recipe() -> str:
    """A small consistent recipe text on the embedded data set."""
    return """
format = 1
name = "small"
seed = 3

[data]
source = "digits"
batch_size = 64

[model]
name = "cnn"
widths = [8, 16]
hidden = [32]

[train]
epochs = 2
compile = "off"
log_every = 5

[techniques.batch_norm]

[techniques.sgd]
learning_rate = 0.05
"""
