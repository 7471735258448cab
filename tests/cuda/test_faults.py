"""A device that vanishes: the run fails with one clear line, its last checkpoint is good, it goes on to equal bits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tests.runs.helpers import state_of
from tests.runs.training.test_faults import new_run, same
from workbench.device_lost import lost, remedy
from workbench.engine import recorder
from workbench.engine.state import Checkpoints
from workbench.events import CheckFinished, Evaluated, Event, Failed, Noted, RunStarted, Trained
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import read_events
from workbench.runs.store.status import read_status
from workbench.runs.training.execute import execute
from workbench.tui.app.training import Training

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("standin")]

ECC, LAUNCH, GONE = "cudaErrorECCUncorrectable", "cudaErrorLaunchFailure", "cudaErrorDevicesUnavailable"
SAID = {ECC: "uncorrectable ECC error encountered", LAUNCH: "unspecified launch failure", GONE: "busy or unavailable"}
RESET = "reset it (nvidia-smi --gpu-reset, or restart the machine)"
MODES = {
    "off": ("train.compile=off",),
    "graph": ("train.compile=graph", "techniques.ema.decay=0.9"),
    "loader": ("train.compile=off", "data.pipeline=loader", "data.workers=1"),
}
ONE_EPOCH = ("train.epochs=1", "train.eval_every=0.5", "data.validation=0.2", "data.batch_size=128")
"""Nine steps; an evaluation and a checkpoint after the fourth and the eighth, the last ones after the ninth."""


def begun(root: Path, mode: str = "off", *changes: str) -> RunDirectory:
    return new_run(root, *ONE_EPOCH, *MODES[mode], *changes)


def trained(
    run: RunDirectory, *, resume: bool = False, hear: Callable[[Event], None] = lambda event: None, checks: bool = True
) -> str:
    return execute(run, device="cuda:0", resume=resume, on_event=hear, checks=checks)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RunDirectory]:
    """A run of each mode that was left alone."""
    made: dict[str, RunDirectory] = {}

    def of(mode: str) -> RunDirectory:
        if mode not in made:
            made[mode] = begun(tmp_path_factory.mktemp("undisturbed"), mode)
            assert trained(made[mode]) == "finished"
        return made[mode]

    return of


@dataclass
class Loss:
    """The device is lost from an event on, or from some calls after it; until the block is left."""

    standin: ModuleType
    error: str
    when: Callable[[Event], bool]
    calls: int = 0

    def __enter__(self) -> Loss:
        self._stack = ExitStack()
        self.struck = False
        return self

    def __call__(self, event: Event) -> None:
        if not self.struck and self.when(event):
            self.strike()

    def strike(self) -> None:
        self.struck = True
        self._stack.enter_context(self.standin.fails(self.error, after=self.calls))

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def failure(run: RunDirectory) -> Failed:
    """How the run ended, which is all that it says: no check and no note takes the device's fault for another one."""
    events = read_events(run)
    assert isinstance(events[-1], Failed)
    assert not [e for e in events if isinstance(e, Noted) and "recorded" in e.message]
    assert not [e for e in events if isinstance(e, CheckFinished) and "itself failed" in e.reason]
    assert state_of(run) == "failed"
    status = read_status(run)
    assert status is not None and status.message == events[-1].error
    return events[-1]


def saved_step(run: RunDirectory) -> int | None:
    """Where the last checkpoint stands, which is readable; None without one. Nothing unfinished lies beside it."""
    assert not list(run.checkpoints.glob("*.partial"))
    state = Checkpoints(run.checkpoints).load()
    return None if state is None else int(state["step"])


def goes_on(run: RunDirectory, whole: RunDirectory) -> None:
    """The device is well again: the run goes on to the bits of one that was left alone."""
    assert trained(run, resume=True) == "finished", read_events(run)[-1]
    assert same(run, whole)


AT: dict[str, tuple[Callable[[Event], bool], int, int | None]] = {
    "in the checks": (lambda e: isinstance(e, RunStarted), 5, None),
    "in the first step": (lambda e: isinstance(e, CheckFinished) and e.name == "memory", 40, None),
    "in a step": (lambda e: isinstance(e, Trained) and e.step == 2, 20, None),
    "in an evaluation": (lambda e: isinstance(e, Evaluated) and e.split == "validation", 10, None),
    "in the first checkpoint": (lambda e: isinstance(e, Evaluated) and e.split == "test", 3, None),
    "in a later step": (lambda e: isinstance(e, Trained) and e.step == 6, 10, 4),
    "in a later checkpoint": (lambda e: isinstance(e, Evaluated) and (e.step, e.split) == (8, "test"), 3, 4),
    "after the last step": (lambda e: isinstance(e, Trained) and e.step == 9, 2, 8),
    "in the last checks": (lambda e: isinstance(e, Evaluated) and (e.step, e.split) == (9, "test"), 0, 8),
    "in the last checkpoint": (lambda e: isinstance(e, CheckFinished) and e.name == "accuracy by class", 3, 8),
}
"""By name: from which event on, after how many calls; the step of the checkpoint that is there then."""
SOME = ("in a later checkpoint",)
"""Tried in every mode, as steps are."""


@pytest.mark.parametrize(
    ("place", "mode"),
    [
        pytest.param(place, mode, marks=() if mode == "off" or place == "in a step" else pytest.mark.slow)
        for place in AT
        for mode in MODES
        if mode == "off" or place in SOME or "step" in place
    ],
)
def test_a_run_whose_device_vanishes_goes_on_to_the_same_bits(
    place: str, mode: str, standin: ModuleType, tmp_path: Path, undisturbed: Callable[[str], RunDirectory]
) -> None:
    when, calls, saved = AT[place]
    error = (ECC, LAUNCH, GONE)[(list(AT).index(place) + list(MODES).index(mode)) % 3]
    run = begun(tmp_path, mode)
    with Loss(standin, error, when, calls) as loss:
        assert trained(run, hear=loss) == "failed"
    assert loss.struck
    ended = failure(run)
    assert ended.error.startswith("cuda:0 gave way: ") and SAID[error] in ended.error and RESET in ended.error
    left = "there is no checkpoint yet" if saved is None else f"its last checkpoint is good (step {saved})"
    assert left in ended.error and "\n" not in ended.error
    assert saved_step(run) == saved
    assert ended.resumable == (place not in ("in the checks", "in the first step"))
    goes_on(run, undisturbed(mode))


@pytest.mark.parametrize("error", [ECC, LAUNCH, GONE])
@pytest.mark.parametrize(
    "calls", [pytest.param(0, marks=pytest.mark.slow), 1, pytest.param(20, marks=pytest.mark.slow)]
)
def test_a_device_that_is_lost_in_the_build(standin: ModuleType, tmp_path: Path, error: str, calls: int) -> None:
    run = begun(tmp_path)
    with standin.fails(error, after=calls):
        assert trained(run) == "failed"
    assert SAID[error] in failure(run).error
    assert saved_step(run) is None
    assert trained(run, resume=True) == "finished"


def test_a_device_that_is_lost_while_a_step_is_recorded(
    standin: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: Callable[[str], RunDirectory]
) -> None:
    run, record = begun(tmp_path, "graph"), recorder.Recorder.record
    with Loss(standin, ECC, lambda event: False, 25) as loss, monkeypatch.context() as patch:

        def recording(self: Any, function: Callable[[], torch.Tensor]) -> Any:
            def losing() -> torch.Tensor:
                loss.strike()
                return function()

            return record(self, losing)

        patch.setattr(recorder.Recorder, "record", recording)
        assert trained(run, hear=loss) == "failed"
    assert loss.struck
    assert SAID[ECC] in failure(run).error
    goes_on(run, undisturbed("graph"))


def test_a_device_that_is_lost_while_a_run_is_put_back(
    standin: ModuleType, tmp_path: Path, undisturbed: Callable[[str], RunDirectory]
) -> None:
    run = begun(tmp_path)
    with Loss(standin, GONE, lambda e: isinstance(e, Trained) and e.step == 5) as loss:
        assert trained(run, hear=loss) == "failed"
    with Loss(standin, ECC, lambda e: isinstance(e, RunStarted), 3) as loss:
        assert trained(run, resume=True, hear=loss) == "failed"
    assert SAID[ECC] in failure(run).error
    assert saved_step(run) == 4
    goes_on(run, undisturbed("off"))


def test_the_screens_training_thread_ends_with_the_run(standin: ModuleType, tmp_path: Path) -> None:
    run = begun(tmp_path)
    with Loss(standin, LAUNCH, lambda e: isinstance(e, Trained) and e.step == 5) as loss:
        training = Training(
            lambda: run, lambda _: None, device="cuda:0", data_root=tmp_path, execute=partial(execute, on_event=loss)
        )
        training.start()
        training.join(30)
    assert not training.alive
    assert (training.state, training.error) == ("failed", "")
    assert "unspecified launch failure; its last checkpoint is good (step 4)" in failure(run).error


def test_a_process_whose_device_stays_lost_ends_in_good_order(tmp_path: Path) -> None:
    changes = (*ONE_EPOCH, *MODES["loader"], *MODES["graph"], "train.checkpoint_every=0.2")
    settings = [f"--set={change}" for change in changes]
    variables = {"STANDIN_FAIL": ECC, "STANDIN_FAIL_AFTER": "900", "STANDIN_COMPUTES": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "workbench", "run", "digits", "--device=cuda:0", "--no-checks", "-q", *settings],
        capture_output=True, text=True, cwd=tmp_path, timeout=60, env={**os.environ, **variables},
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("failed: cuda:0 gave way: uncorrectable ECC error encountered; its last checkpoint is good")
    assert "; then go on with: workbench run --resume " in line


# ---- the words ----
BELOW = (
    "\nSearch for `cudaErrorStreamCaptureInvalidated' in https://docs.nvidia.com/cuda/ for more information."
    "\nCUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be "
    "incorrect.\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1"
    "\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n"
)
"""What torch 2.11 has below every error of CUDA."""


@pytest.mark.parametrize(
    ("text", "said", "advice"),
    [
        ("CUDA error: unspecified launch failure\nCUDA kernel errors might", "unspecified launch failure", "new one"),
        ("Caught AcceleratorError in pin memory thread for device 0.\nOriginal Traceback (most recent call last):\n"
         "RuntimeError: CUDA error: uncorrectable ECC error encountered\n", SAID[ECC], RESET),
        ("Triton Error [CUDA]: an illegal memory access was encountered",
         "an illegal memory access was encountered", "new one"),
        ("CUDA error: device-side assert triggered", "device-side assert triggered", "a label beyond the classes"),
        (f"CUDA error: device-side assert triggered{BELOW}", "device-side assert triggered", "a label beyond the"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_lost_device(text: str, said: str, advice: str) -> None:
    assert lost(RuntimeError(text)) == said
    assert advice in remedy(said)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(f"CUDA error: operation failed due to a previous error during capture{BELOW}"),
        RuntimeError(f"CUDA error: out of memory{BELOW}"),
        RuntimeError("CUDA error: operation not permitted when stream is capturing"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("CUDA error: invalid argument"),
        RuntimeError("unknown error"),
        ValueError("CUDA error: unknown error"),
    ],
)
def test_what_is_no_lost_device(error: Exception) -> None:
    assert lost(error) == ""
