"""The selftest's trials pass where all is well, and say so where it is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from workbench.doctor import trials
from workbench.doctor.selftest import NEEDS, TESTS, perform
from workbench.engine.build import Build
from workbench.engine.state import Checkpoints

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(autouse=True)
def _alarm_off() -> Iterator[None]:
    yield
    if torch.cuda.is_available():
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.slow
@pytest.mark.parametrize("name", [test.name for test in TESTS if not test.gpu and test.name != "precision"])
def test_a_cpu_passes(name: str) -> None:
    found = perform(name, "cpu")
    assert found.passed and found.found != NEEDS


@pytest.mark.parametrize("name", [test.name for test in TESTS if test.gpu])
def test_what_needs_a_gpu_is_not_called_passed_without(name: str) -> None:
    assert perform(name, "cpu").found == NEEDS


@pytest.mark.cuda
@on_a_gpu
@pytest.mark.parametrize(
    "name",
    [pytest.param(test.name, marks=pytest.mark.slow if test.name in ("learns", "precision") else ()) for test in TESTS],
)
def test_a_gpu_passes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    found = perform(name, "cuda:0")
    assert found.passed and found.found != NEEDS, found.found


@pytest.mark.slow
def test_a_resumed_training_that_ends_elsewhere_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Checkpoints.load

    def damaged(self: Checkpoints, *names: str) -> object:
        state = load(self, *names)
        assert state is not None
        weight = next(value for value in state["model"].values() if value.dtype == torch.float32)
        weight.view(-1)[0] = weight.view(-1)[0].nextafter(torch.tensor(9.0))
        return state

    monkeypatch.setattr(Checkpoints, "load", damaged)
    found = perform("resume", "cpu")
    assert not found.passed and "tensors differ" in found.found


def test_a_network_that_does_not_learn_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "LEARNED", 0.999)
    found = perform("learns", "cpu")
    assert not found.passed and "right after three epochs" in found.found


def test_pipelines_that_differ_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.data.loader import LoaderPipeline

    batch = LoaderPipeline.batch
    monkeypatch.setattr(LoaderPipeline, "batch", lambda *given: (b := batch(*given))._replace(images=b.images.flip(-1)))
    found = perform("learns", "cpu")
    assert not found.passed and "augment" in found.found


@pytest.mark.cuda
@on_a_gpu
def test_dropout_that_stands_still_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = trials._losses
    monkeypatch.setattr(trials, "_losses", lambda d, *c: losses(d, *(each for each in c if "dropout" not in each)))
    assert not perform("draws", "cuda:0").passed


@pytest.mark.cuda
@on_a_gpu
@pytest.mark.parametrize("name", ["waits", "recorded"])
def test_a_step_that_waits_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    criterion = Build.criterion

    def waiting(self: Build, logits: Tensor, targets: Tensor) -> Tensor:
        loss = criterion(self, logits, targets)
        loss.item()
        return loss

    monkeypatch.setattr(Build, "criterion", waiting)
    assert not perform(name, "cuda:0").passed
