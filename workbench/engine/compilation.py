"""The network compiled by torch.compile, with the network as written in its place where that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from workbench import torch_compat
from workbench.device_lost import pass_on
from workbench.engine.build import Network
from workbench.engine.compiled_kernels import FIRST_WORD_SECONDS, Compilation, kernels, kernels_kept
from workbench.engine.host_state import HostState, remembered
from workbench.engine.reasons import reason
from workbench.engine.train_state import TrainState
from workbench.recipe.execution import part_size

COMPILED = {"default": "default", "max": "max-autotune-no-cudagraphs"}
"""Modes of torch.compile by mode of execution; "max" is recorded as a graph of ours, the optimizer included."""

Compute = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""``(images, targets)`` to loss and logits, with gradients left in the parameters."""


class Compiled:
    """The network for training steps: compiled for batches of full size, or parts of one, as written for all others."""

    def __init__(self, state: TrainState) -> None:
        self._state = state
        self._build = build = state.build
        self._mode = state.execution.mode
        size = build.recipe.data.batch_size
        self._whole = min(size, part_size(build.recipe) or size)
        self._host = HostState(build)
        self._proven: set[object] = set()
        self._fast: Network | None = None
        if self._mode in COMPILED:
            # Layers such as dropout draw what they draw without compiling.
            choices = {**torch_compat.compiler_options(COMPILED[self._mode]), "fallback_random": True}
            self._fast = torch.compile(build.model, options=choices, dynamic=False)

    def __call__(self, images: Tensor) -> Tensor:
        """Logits of a training batch, or of a part of it."""
        build = self._build
        if self._fast is None or len(images) < self._whole or self._state.looked_at(self._state.context):
            return build.model(images)  # type: ignore[no-any-return]
        with torch_compat.backward_at_once():
            return self._fast(images)

    def guarded(self, compute: Compute) -> Compute:
        """The same computation; where it fails with the compiled network, it begins anew, with the network as written.

        Everything is put back before. An error that is not the compiler's comes up again then.
        """

        def attempt(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
            trained = tuple(parameter.requires_grad for parameter in self._build.parameters)
            kind = (images.shape, images.dtype, images.stride(), trained)
            if self._fast is None or kind in self._proven:
                return compute(images, targets)
            put_back = remembered(self._build, self._host)
            try:
                found = compute(images, targets)
            except Exception as error:
                pass_on(error)
                why = reason(error, self._build.hooks)
                put_back()
                self._fast = None
                self._state.execution = self._state.execution.without_compiler(why)
            else:
                self._proven.add(kind)
                return found
            found = compute(images, targets)
            self._state.note(
                f'train.compile = "{self._mode}": the network cannot be compiled ({why}); it runs as written'
            )
            return found

        return attempt


@contextmanager
def compiling(state: TrainState) -> Iterator[None]:
    """What the compiler does in the block, in whichever step, is kept for later processes and no training time.

    Where it takes long it says so all the while.
    """
    if state.execution.mode not in COMPILED:
        yield
        return
    standing = ExitStack()

    def begin() -> None:
        standing.enter_context(state.pause())
        standing.callback(said, Compilation(folder, state.build.report))

    def said(compilation: Compilation) -> None:
        if (seconds := compilation.end()) >= FIRST_WORD_SECONDS:
            kept = f"; {kernels(compilation.made())} kept for next time in {folder}" if folder is not None else ""
            state.note(f"compiled the network in {seconds:,.0f} s{kept}")

    with kernels_kept(state.build.device) as folder:
        try:
            with torch_compat.while_compiling(begin, standing.close):
                yield
        finally:
            standing.close()
