"""A step that cannot be recorded leaves no trace: the run goes on as if it had never been tried, and says why."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.engine import conftest
from tests.engine.conftest import Make, run, same, weights
from workbench.engine.build import Build
from workbench.engine.state import Checkpoints
from workbench.engine.train_state import TrainState
from workbench.events import Event, Finished, Noted, Trained
from workbench.hooks import Hook

pytestmark = pytest.mark.cuda

make, make_small = conftest.make, conftest.make_small
Plant = Callable[[Build], None]
Run = tuple[Build, list[Event], dict[str, object], TrainState]
"""A build that was trained, what it said, and its last checkpoint."""
FORMATS = {
    "fp32": (),
    "bf16": ("techniques.mixed_precision.dtype=bf16",),
    "fp16": ("techniques.mixed_precision.dtype=fp16",),
    "fp16, overflows": ("techniques.mixed_precision.dtype=fp16", "techniques.mixed_precision.initial_scale=4294967296"),
}
CHANGES = (
    "train.epochs=1",
    "train.deterministic=true",  # on a card two runs differ in their last bits otherwise
    "train.log_every=1",
    "techniques.dropout.rate=0.2",
    "techniques.ema.decay=0.9",
    "techniques.cosine.every=step",
)


def capturing() -> bool:
    return torch.cuda.is_current_stream_capturing()


def waits_for_the_loss(build: Build) -> None:
    plant(build.hooks.objective, lambda loss: loss * float(loss.detach() > -1e30))


def waits_for_a_gradient(build: Build) -> None:
    def edit(parameters: list[nn.Parameter]) -> None:
        for each in parameters:
            if each.grad is not None:
                each.grad.mul_(float(each.grad.sum() > -1e30))

    plant(build.hooks.gradient_edits, edit)


def waits_and_hides_it(build: Build) -> None:
    def hidden(loss: Tensor) -> Tensor:
        try:
            return loss * float(loss.detach() > -1e30)
        except RuntimeError as error:
            raise ValueError("something else") from error

    plant(build.hooks.objective, hidden)


def waits_in_the_forward_pass(build: Build) -> None:
    build.model.register_forward_hook(lambda module, inputs, logits: logits * float(logits.detach().sum() > -1e30))


def fails_on_its_own(build: Build) -> None:
    def edit(parameters: list[nn.Parameter]) -> None:
        if capturing():
            raise KeyError("only while it is recorded")

    plant(build.hooks.gradient_edits, edit)


def runs_out_of_memory(build: Build) -> None:
    def edit(parameters: list[nn.Parameter]) -> None:
        if capturing():
            torch.empty(2**50, dtype=torch.uint8, device=build.device)

    plant(build.hooks.gradient_edits, edit)


def runs_out_of_memory_in_a_library(build: Build) -> None:
    def edit(parameters: list[nn.Parameter]) -> None:
        if capturing():
            raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")

    plant(build.hooks.gradient_edits, edit)


def counts_on_the_host(build: Build) -> None:
    steps = 0

    def objective(loss: Tensor) -> Tensor:
        nonlocal steps
        steps += 1
        return loss * (1 + 1 / steps)

    plant(build.hooks.objective, objective)


def draws_on_the_host(build: Build) -> None:
    plant(build.hooks.objective, lambda loss: loss * (1 + torch.rand(()).item()))


def draws_by_python(build: Build) -> None:
    plant(build.hooks.objective, lambda loss: loss * (1 + random.random()))


def keeps_another_tensor_each_step(build: Build) -> None:
    mean = torch.zeros((), device=build.device)

    def objective(loss: Tensor) -> Tensor:
        nonlocal mean
        mean = 0.9 * mean + 0.1 * loss.detach()
        return loss * (1 + mean)

    plant(build.hooks.objective, objective)


def has_a_layer_that_counts(build: Build) -> None:
    build.model.passes = 0  # type: ignore[assignment]

    def hook(module: nn.Module, inputs: object, logits: Tensor) -> Tensor:
        module.passes += 1  # type: ignore[operator, assignment]
        return logits * (1 + 1 / module.passes)  # type: ignore[operator]

    build.model.register_forward_hook(hook)


def has_an_optimizer_that_counts(build: Build) -> None:
    step, optimizer = build.optimizer.step, build.optimizer
    optimizer.times = 0  # type: ignore[attr-defined]

    def counted() -> None:
        optimizer.times += 1  # type: ignore[attr-defined]
        for group in optimizer.param_groups:
            group["weight_decay"] = 0.01 / optimizer.times  # type: ignore[attr-defined]
        step()

    optimizer.step = counted  # type: ignore[method-assign, assignment]


def plant(hook: Hook[..., Any], function: Callable[..., object]) -> None:
    hook.add(function, name="planted")


CASES: list[tuple[Plant, tuple[str, ...]]] = [
    (waits_for_the_loss, ("techniques.planted, test_graph_refused.py:", "stream is capturing")),
    (waits_for_a_gradient, ("techniques.planted, test_graph_refused.py:", "stream is capturing")),
    (waits_and_hides_it, ("techniques.planted, test_graph_refused.py:", "stream is capturing")),
    (waits_in_the_forward_pass, ("test_graph_refused.py:", "stream is capturing")),
    (fails_on_its_own, ("techniques.planted, test_graph_refused.py:", "only while it is recorded")),
    (runs_out_of_memory, ("techniques.planted, test_graph_refused.py:", "out of memory")),
    (runs_out_of_memory_in_a_library, ("techniques.planted", "CUBLAS_STATUS_ALLOC_FAILED")),
    (counts_on_the_host, ("techniques.planted", "keeps on the host differs in every step")),
    (draws_on_the_host, ("random numbers from torch's generator on the CPU",)),
    (draws_by_python, ("random numbers from random",)),
    (keeps_another_tensor_each_step, ("techniques.planted", "keeps on the host differs in every step")),
    (has_a_layer_that_counts, ("'passes' on the host",)),
    (has_an_optimizer_that_counts, ("what the optimizer's groups keeps on the host differs in every step",)),
]


@pytest.mark.parametrize(
    ("planted", "words", "precision"),
    [
        *((*case, "fp16") for case in CASES),
        *((*case, precision) for case in CASES[:2] for precision in FORMATS if precision != "fp16"),
    ],
)
def test_it_goes_on_as_if_it_had_not_been_tried(
    make_small: Make, tmp_path: Path, planted: Plant, words: tuple[str, ...], precision: str
) -> None:
    """Losses, skips, weights, and all that a checkpoint holds are those of a run without graphs, to the bit."""
    changes = (*CHANGES, *FORMATS[precision])
    plain = trained(make_small(*changes, device="cuda"), planted, tmp_path / "off")
    found = trained(make_small(*changes, "train.compile=graph", device="cuda"), planted, tmp_path / "graph")
    events = found[1]
    notes = [event.message for event in events if isinstance(event, Noted)]
    assert len(notes) == 1 and 'train.compile = "graph": this step cannot be recorded' in notes[0], notes
    assert all(word in notes[0] for word in words), notes[0]
    assert_the_same_run(found, plain)
    assert isinstance(events[-1], Finished)


def assert_the_same_run(found: Run, plain: Run) -> None:
    """Figures, weights and checkpoints are those of the other, to the bit, and the device's stream is its own again."""
    assert figures(found[1]) == figures(plain[1])
    assert same(weights(found[0]), weights(plain[0]))
    assert alike(found[2], plain[2])
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


def trained(build: Build, planted: Plant, folder: Path) -> Run:
    planted(build)
    random.seed(5)
    checkpoints = Checkpoints(folder)
    folder.mkdir()
    events = run(build, checkpoints=checkpoints, state=(state := TrainState.of(build)))
    saved = checkpoints.load()
    assert saved is not None
    return build, events, saved, state


def figures(events: list[Event]) -> list[tuple[float, int]]:
    return [(event.loss, event.skipped) for event in events if isinstance(event, Trained)]


def alike(one: object, other: object, at: str = "") -> bool:
    """Two saved states; times, the recipe's digest and whether steps may be recorded left out."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), at
        names = one.keys() - {"seconds", "recipe", "since", "capturable"}
        return all(alike(one[name], other[name], f"{at}.{name}") for name in names)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return all(alike(a, b, f"{at}[{i}]") for i, (a, b) in enumerate(zip(one, other, strict=True)))
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        assert torch.equal(one, other), at
    elif at.endswith(".lr"):  # a tensor where steps are recorded
        assert float(one) == pytest.approx(float(other)), at  # type: ignore[arg-type]
    else:
        assert one == other, at
    return True


def test_no_memory_stays_with_what_was_not_recorded(make_small: Make) -> None:
    held = []
    for mode in ("off", "graph"):
        build = make_small("train.epochs=1", f"train.compile={mode}", device="cuda")
        waits_for_a_gradient(build)
        run(build)
        build.optimizer.zero_grad()
        torch.cuda.empty_cache()
        held.append(torch.cuda.memory_reserved() - torch.cuda.memory_allocated())
    assert held[1] <= held[0] + 2**21  # a block of the allocator


def test_a_later_recording_that_fails_frees_the_earlier_ones(make_small: Make) -> None:
    """Steps change when layers freeze; by then the memory is gone."""
    changes = ("train.epochs=1.6", "techniques.freeze_layers.start=0.5", *CHANGES[1:3])
    build = make_small(*changes, "train.compile=graph", device="cuda")

    def edit(parameters: list[nn.Parameter]) -> None:
        if capturing() and not all(parameter.requires_grad for parameter in parameters):
            torch.empty(2**50, dtype=torch.uint8, device=build.device)

    plant(build.hooks.gradient_edits, edit)
    events = run(build)
    notes = [event.message for event in events if isinstance(event, Noted)]
    assert len(notes) == 1 and "out of memory" in notes[0]
    assert figures(events) == figures(run(make_small(*changes, device="cuda")))
