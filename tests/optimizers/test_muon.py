"""Muon's passes over the weights of all shapes at once give the bits of the definition, stack by stack."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from workbench.optimizers.muon import Muon, orthogonalise

SHAPES = [
    (16, 8, 3, 3),
    (16, 16, 3, 3),
    (8, 16, 1, 1),
    (16, 72),
    (16, 16, 3, 3),
    (16, 72, 1, 1),  # the matrix of the first by another way
    (4, 1, 3, 3),
    (64, 8, 1, 1),
    (10, 16),
]
FORMATS = {
    "as they are": lambda place: torch.contiguous_format,
    "channels last": lambda place: torch.channels_last,
    "both": lambda place: torch.channels_last if place % 2 else torch.contiguous_format,
}


def parameters(dtype: torch.dtype, layout: str) -> list[nn.Parameter]:
    numbers = torch.Generator().manual_seed(0)
    made = []
    for place, shape in enumerate(SHAPES):
        weight = torch.randn(shape, generator=numbers).to(dtype)
        made.append(nn.Parameter(weight.to(memory_format=FORMATS[layout](place)) if weight.ndim == 4 else weight))
    return made


def by_stack(
    weights: Sequence[Tensor], momenta: list[Tensor], gradients: list[Tensor], masked: bool, settings: dict[str, float]
) -> None:
    """One step as the definition has it, for one stack of matrices after the other, in fp32 or better."""
    stacks: dict[tuple[int, int, bool], list[int]] = {}
    for place, weight in enumerate(weights):
        stacks.setdefault((len(weight), weight[0].numel(), weight.ndim > 2), []).append(place)
    for (rows, columns, filters), places in stacks.items():

        def stack(tensors: Sequence[Tensor], places: list[int] = places) -> Tensor:
            stacked = torch.stack([tensors[place].flatten(1) for place in places])
            return stacked.to(torch.promote_types(stacked.dtype, torch.float32))

        new, velocity, gradient = stack(weights), stack(momenta), stack(gradients)
        if settings["grad_scale"]:
            gradient = gradient / settings["grad_scale"]
        moved = gradient + settings["momentum"] * velocity
        direction = gradient + settings["momentum"] * moved if settings["nesterov"] else moved
        if settings["renormalise"] and filters:
            new = new * (rows**0.5 / new.norm(dim=(1, 2), keepdim=True).clamp(min=1e-12))
        if settings["weight_decay"]:
            new = new * (1 - settings["lr"] * settings["weight_decay"])
        new = new - orthogonalise(direction, 3) * (settings["lr"] * max(1.0, rows / columns) ** 0.5)
        if not masked:
            for place, w, v in zip(places, new, moved, strict=True):
                weights[place].copy_(w.view(weights[place].shape))
                momenta[place].copy_(v.view(momenta[place].shape))


@pytest.mark.parametrize("layout", FORMATS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
@pytest.mark.parametrize("rate_is_a_tensor", [False, True])
@pytest.mark.parametrize("grad_scale", [0.0, 8.0])
@pytest.mark.parametrize(
    ("nesterov", "renormalise", "weight_decay"), [(True, True, 0.0), (True, False, 0.1), (False, True, 0.1)]
)
def test_one_pass_over_all_is_the_definition_stack_by_stack(
    layout: str,
    dtype: torch.dtype,
    rate_is_a_tensor: bool,
    grad_scale: float,
    nesterov: bool,
    renormalise: bool,
    weight_decay: float,
) -> None:
    rate = torch.tensor(0.1) if rate_is_a_tensor else 0.1
    weights, expected = parameters(dtype, layout), [weight.detach().clone() for weight in parameters(dtype, layout)]
    momenta = [torch.zeros_like(weight) for weight in expected]
    optimizer = Muon(
        weights,
        lr=rate,  # type: ignore[arg-type]
        momentum=0.9,
        nesterov=nesterov,
        renormalise=renormalise,
        weight_decay=weight_decay,
        newton_schulz_steps=3,
    )
    settings = {**optimizer.defaults, "grad_scale": grad_scale}
    numbers = torch.Generator().manual_seed(1)
    for step in range(4):
        gradients = [torch.randn(weight.shape, generator=numbers).to(dtype) for weight in weights]
        if masked := step == 2:
            gradients[3].fill_(float("nan"))
        given = [gradient.clone() for gradient in gradients]
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient
        optimizer.found_inf = torch.tensor(float(masked))  # type: ignore[attr-defined]
        if grad_scale:
            optimizer.grad_scale = torch.tensor(grad_scale)  # type: ignore[attr-defined]
        optimizer.step()
        by_stack(expected, momenta, gradients, masked, settings)
        for weight, w, v in zip(weights, expected, momenta, strict=True):
            assert torch.equal(weight, w)
            assert torch.equal(optimizer.state[weight]["momentum_buffer"], v)
        assert all(torch.equal(a.nan_to_num(7), b.nan_to_num(7)) for a, b in zip(gradients, given, strict=True))


def test_the_state_is_one_momentum_for_each_weight_in_its_own_memory() -> None:
    """What a checkpoint has had since there were any; a part of a larger buffer would be saved as the whole."""
    weights = parameters(torch.float16, "both")
    optimizer = Muon(weights)
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    state = optimizer.state_dict()["state"]
    assert sorted(state) == list(range(len(weights)))
    for place, weight in enumerate(weights):
        assert list(state[place]) == ["momentum_buffer"]
        found = state[place]["momentum_buffer"]
        assert (found.dtype, found.shape, found.stride()) == (weight.dtype, weight.shape, weight.stride())
        assert found.untyped_storage().nbytes() == weight.numel() * weight.element_size()
