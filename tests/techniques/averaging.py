"""What the tests of averages share: builds that are moved by hand, step after step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tests.engine.conftest import weights
from workbench.engine.build import Build

GO, SKIP = torch.tensor(0.0), torch.tensor(1.0)


def after_step(built: Build, step: int, skip: Tensor) -> None:
    for function in built.hooks.after_step:
        function(built.context(step), skip)


def wander(built: Build, step: int) -> None:
    """Move all weights and running statistics, differently in every step."""
    generator = torch.Generator().manual_seed(step)
    for value in built.model.state_dict().values():
        value.add_((torch.randn(value.shape, generator=generator) * 4).to(value.dtype))


def floats(built: Build) -> dict[str, Tensor]:
    return {name: value.double().clone() for name, value in weights(built).items() if value.is_floating_point()}


def close(found: dict[str, Tensor], expected: dict[str, Tensor], atol: float = 2e-5) -> bool:
    assert found.keys() == expected.keys()
    return all(torch.allclose(found[k].double(), expected[k], rtol=0, atol=atol) for k in expected)


def flat(state: dict[str, Any]) -> dict[str, Tensor]:
    """A kept state's tensors, in whatever table they are."""
    found: dict[str, Tensor] = {}
    for key, value in state.items():
        if isinstance(value, dict):
            found |= {f"{key}.{k}": v for k, v in flat(value).items()}
        elif isinstance(value, Tensor):
            found[key] = value
    return found
