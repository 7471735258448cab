"""The watch over non-finite numbers: a flag on the device that, once up, masks every later update.

Nothing here waits for the device except :meth:`Guard.bad_step`, which the loop asks every ``log_every`` steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workbench import torch_compat
from workbench.tensors import gradient_norm, memory_blocks

MAX_SKIPS = 20
"""Updates that the loss scaler may leave out in a row before the run counts as diverged."""


class Guard:
    """Watches one run. ``scaled``: a loss scaler is at work, whose overflows are ordinary."""

    def __init__(self, model: nn.Module, device: torch.device, *, scaled: bool) -> None:
        self._scaled = scaled
        self._step = torch.zeros((), dtype=torch.int64, device=device)
        self._first_bad = torch.full((), -1, dtype=torch.int64, device=device)
        self._in_a_row = torch.zeros((), dtype=torch.int64, device=device)
        self._skipped = torch.zeros((), dtype=torch.int64, device=device)
        self._blocks = memory_blocks(model.buffers())
        self._saved: list[Tensor] = []

    def snapshot_buffers(self) -> None:
        """Keep the norms' running statistics as they are before a forward pass."""
        self._saved = [block.clone() for block in self._blocks]

    def begin(self, step: int) -> None:
        """Inspect this step next; from there on the steps are counted on the device, where a recorded step needs it."""
        self._step.fill_(step)

    def check_finite(self, loss: Tensor, parameters: list[nn.Parameter]) -> Tensor:
        """Look at a step's loss and unscaled gradients; restore the running statistics if it must not count.

        Returns float32 ``[]``: 1 where this update must be masked, else 0.
        """
        gradients = [p.grad for p in parameters if p.grad is not None]
        overflow = _not_finite(gradient_norm(gradients))
        bad = _not_finite(loss)
        if self._scaled:
            self._in_a_row.add_(1).mul_(overflow)
            self._skipped += overflow
            bad |= self._in_a_row >= MAX_SKIPS
        else:
            bad |= overflow
        torch.where((self._first_bad < 0) & bad, self._step, self._first_bad, out=self._first_bad)
        self._step += 1
        skip = self._first_bad >= 0
        if self._scaled:  # else an overflow is bad, and has just raised the flag
            skip |= overflow
        for block, saved in zip(self._blocks, self._saved, strict=True):
            torch.where(skip, saved, block, out=block)
        return skip.float()

    def bad_step(self) -> int | None:
        """The first step that must not count, or None. Waits for the device."""
        step = int(self._first_bad)
        return None if step < 0 else step

    def take_skipped(self) -> int:
        """Updates that the scaler left out since this was last asked. Waits for the device."""
        skipped = int(self._skipped)
        self._skipped.zero_()
        return skipped

    def state_dict(self) -> dict[str, Tensor]:
        """What a resumed run must know: the scaler's overflows in a row."""
        return {"in_a_row": self._in_a_row, "skipped": self._skipped}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Put a saved state back."""
        self._in_a_row.copy_(state["in_a_row"])
        self._skipped.copy_(state["skipped"])


def _not_finite(x: Tensor) -> Tensor:
    """``~torch.isfinite(x)`` in two launches where that takes five: a number times 0 is 0, all else is NaN then."""
    return (x * 0) != 0


def step_unless_nonfinite(optimizer: torch.optim.Optimizer, skip: Tensor) -> None:
    """An optimizer step that changes nothing where ``skip`` is 1, without asking the device.

    Fused optimizers take the flag themselves; of any other kind, weights and state are put back.
    """
    fused = torch_compat.takes_found_inf(optimizer)
    kept: dict[int, Tensor] = {}
    if fused:
        optimizer.grad_scale, optimizer.found_inf = None, skip  # type: ignore[attr-defined]
    else:
        kept = {id(value): value.detach().clone() for value in (*_weights(optimizer), *_states(optimizer))}
    fresh = not optimizer.state
    optimizer.step()
    if not fused or fresh:  # a skipped first step leaves fused SGD's momentum as uninitialised memory
        values = _states(optimizer) if fused else [*_weights(optimizer), *_states(optimizer)]
        with torch.no_grad():
            for value in values:
                before = kept.get(id(value), torch.zeros_like(value))
                value.copy_(torch.where(skip > 0, before, value))


def _weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _states(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]
