"""A technique of somebody's own, with lines that would wait for a GPU and lines that would not."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from workbench.hooks import Builder
from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique

WAITS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "float": ("objective", lambda loss: float(loss)),
    "if": ("objective", lambda loss: 1 if loss > 0 else 0),
    "cpu": ("objective", lambda loss: loss.detach().cpu()),
    "to cpu": ("objective", lambda loss: loss.detach().to("cpu")),
    "tolist": ("objective", lambda loss: loss.detach().tolist()),
    "numpy": ("objective", lambda loss: loss.detach().numpy()),
    "any": ("gradient edits", lambda weights: [bool(w.grad.isnan().any()) for w in weights]),
    "mask": ("gradient edits", lambda weights: [w.grad[w.grad > 0] for w in weights]),
    "nonzero": ("gradient edits", lambda weights: [w.grad.nonzero() for w in weights]),
    "unique": ("gradient edits", lambda weights: torch.unique(weights[0].grad)),
    "equal": ("gradient edits", lambda weights: torch.equal(weights[0], weights[0].grad)),
    "in torch": (
        "gradient edits", lambda weights: nn.utils.clip_grad_norm_(weights, 1.0, error_if_nonfinite=True)
    ),
    "images": ("image augmentation", lambda images: images.float().mean().item()),
}  # fmt: skip

QUICK: dict[str, tuple[str, Callable[[Any], object]]] = {
    "arithmetic": ("objective", lambda loss: loss.detach().clamp(max=1)),
    "host's own": ("objective", lambda loss: torch.rand(3).sum().item() + torch.rand(3).tolist()[0]),
    "where": ("gradient edits", lambda weights: torch.where(weights[0].grad > 0, 1, 0).sum()),
    "one value": ("gradient edits", lambda weights: weights[0].grad.__setitem__(weights[0].grad.isnan(), 0.0)),
    "in torch": ("gradient edits", lambda weights: nn.utils.clip_grad_norm_(weights, 1.0)),
}


class WaitingPlant(Technique):
    """Does one of the above in each step."""

    name = "waiting_plant"
    group = "regularisation"
    source = "a test"
    tradeoff = "it waits"

    how: str = parameter("float", description="which of the above")
    waits: bool = parameter(True, description="of those that wait")

    def register(self, build: Builder) -> None:
        """Fill the slot of what was chosen."""
        slot, work = (WAITS if self.waits else QUICK)[self.how]

        def same(thing: Tensor, *rest: object) -> Tensor:
            work(thing)
            return thing

        build.add(slot, work if slot == "gradient edits" else same)


def place(how: str) -> str:
    """``file:line`` of a line that waits."""
    return f"{Path(__file__).name}:{inspect.getsourcelines(WAITS[how][1])[1]}"
