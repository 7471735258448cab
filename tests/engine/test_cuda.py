"""What only a CUDA device can show: no step waits for it, and it sees the batches that the CPU sees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.checks.conftest import feeding, small_digits
from tests.cuda import runtime
from tests.engine.conftest import Make, run, same, weights
from tests.techniques.table import NAMES, trial
from workbench.checks.run_checks import RunChecks
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import Build, build
from workbench.engine.state import Checkpoints
from workbench.engine.train import train
from workbench.engine.train_state import TrainState
from workbench.events import Finished, Noted, Stopped, Trained

pytestmark = pytest.mark.cuda
COMPARED = pytest.mark.skipif(runtime.present(), reason="the stand-in is asked more: tests/cuda/test_auto.py")
COUNTED = pytest.mark.skipif(runtime.present(), reason="the stand-in is asked more: tests/cuda/test_no_waits.py")
COMPILES = pytest.mark.real_gpu("the kernels that torch.compile writes must run")

TECHNIQUES = (
    "techniques.random_crop.padding=2",
    "techniques.horizontal_flip.probability=0.5",
    "techniques.color_jitter.hue=0.1",
    "techniques.gradient_clipping.limit=1.0",
    "techniques.label_smoothing.smoothing=0.1",
    "techniques.channels_last.enabled=true",
    "techniques.cosine.every=step",
)


QUIETLY = (
    "train.log_every=1000",
    "train.eval_every=100",
    "train.checkpoint_every=100",
    "data.drop_last=true",
    "train.epochs=2",
)
"""Nothing between the steps of an epoch that has to wait."""


@pytest.fixture
def waiting_is_an_error() -> Iterator[None]:
    yield
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_no_step_waits_for_the_device(make: Make, waiting_is_an_error: None, dtype: str, optimizer: str) -> None:
    waits_nowhere(
        make(
            *TECHNIQUES,
            f"techniques.mixed_precision.dtype={dtype}",
            f"techniques.sgd.enabled={str(optimizer == 'sgd').lower()}",
            f"techniques.adamw.enabled={str(optimizer == 'adamw').lower()}",
            *QUIETLY,
            device="cuda",
            dataset=small_digits(640, 64),
        )
    )


@COUNTED
@pytest.mark.parametrize("name", NAMES)
def test_no_technique_makes_a_step_wait(name: str, tmp_path: Path, waiting_is_an_error: None) -> None:
    waits_nowhere(on_small_digits(name, *QUIETLY, folder=tmp_path))


def on_small_digits(name: str, *overrides: str, folder: Path) -> Build:
    """The trial of a technique on the device, on images of half the size: ten steps an epoch."""
    return build(feeding(trial(name, extra=overrides), small_digits(640, 64)), "cuda", folder)


def waits_nowhere(build: Build) -> None:
    """Train; fail where a step, but for those at an epoch's ends, waits for the device."""

    state = TrainState.of(build)

    # The alarm is raised in each step's forward pass and lasts until the next one's; an epoch's ends may wait.
    def alarm(module: object, inputs: object) -> None:
        place = state.step % len(build.pipeline)
        torch.cuda.set_sync_debug_mode("error" if 1 < place < len(build.pipeline) - 1 else "default")

    build.model.register_forward_pre_hook(alarm)
    with backend(build.recipe):
        events = []
        for event in train(build, Control(), observers=[RunChecks(build)], state=state):
            torch.cuda.set_sync_debug_mode("default")
            events.append(event)
    assert isinstance(events[-1], Finished)


def test_batches_are_those_of_the_cpu(make: Make) -> None:
    here, there = make(*TECHNIQUES), make(*TECHNIQUES, device="cuda")
    for step in (0, 7, len(here.pipeline) - 1):
        one, other = here.pipeline.batch(1, step), there.pipeline.batch(1, step)
        assert torch.equal(one.indices, other.indices.cpu())
        assert torch.equal(one.labels, other.labels.cpu())
        # sums in another order may round one level up or down
        assert int((one.images.int() - other.images.cpu().int()).abs().max()) <= 1


def test_the_network_starts_from_the_cpus_weights(make: Make) -> None:
    here, there = make("techniques.he_init.fan=in"), make("techniques.he_init.fan=in", device="cuda")
    assert same(weights(here), {name: value.cpu() for name, value in weights(there).items()})


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_it_learns_and_resumes(make_small: Make, tmp_path: Path, dtype: str) -> None:
    overrides = (*TECHNIQUES, f"techniques.mixed_precision.dtype={dtype}", "train.epochs=4", "train.deterministic=true")
    control, checkpoints = Control(), Checkpoints(tmp_path)
    first = run(
        make_small(*overrides, device="cuda"),
        control,
        checkpoints,
        on_event=lambda e: control.stop() if isinstance(e, Trained) and e.step == 40 else None,
    )
    assert isinstance(first[-1], Stopped)
    second = run(make_small(*overrides, device="cuda"), Control(), checkpoints, checkpoints.load())
    end = second[-1]
    assert isinstance(end, Finished)
    assert end.test_accuracy > 0.85


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
@pytest.mark.parametrize("mode", ["graph", *(pytest.param(mode, marks=COMPILES) for mode in ("default", "max"))])
def test_every_mode_of_execution_gives_the_same_curve(make_small: Make, dtype: str, mode: str) -> None:
    changes = (*TECHNIQUES, f"techniques.mixed_precision.dtype={dtype}", "train.epochs=2", "train.log_every=1")
    events = run(make_small(*changes, f"train.compile={mode}", device="cuda"))
    told = [event.message for event in events if isinstance(event, Noted)]
    assert all(message.startswith("compiled the network in") for message in told), told
    found = [event.loss for event in events if isinstance(event, Trained)]
    plain = [event.loss for event in run(make_small(*changes, device="cuda")) if isinstance(event, Trained)]
    assert found[:10] == pytest.approx(plain[:10], rel=0.02)
    assert found[-1] == pytest.approx(plain[-1], abs=0.1)


@COMPARED
@pytest.mark.parametrize("name", NAMES)
def test_every_technique_can_be_recorded(name: str, tmp_path: Path) -> None:
    recorded, plain = (
        run(on_small_digits(name, f"train.compile={mode}", "train.epochs=1", "train.log_every=1", folder=tmp_path))
        for mode in ("graph", "off")
    )
    assert not [event for event in recorded if isinstance(event, Noted)]
    found, expected = ([e.loss for e in some if isinstance(e, Trained)] for some in (recorded, plain))
    assert len(found) == 10
    assert found[0] == pytest.approx(expected[0], rel=0.02)
