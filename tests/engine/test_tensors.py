"""What is done with all gradients at once."""

from __future__ import annotations

import pytest
import torch

from workbench.tensors import gradient_norm

SOME = [(3, 4), (7,), (2, 3, 5), (), (64, 9)]
MIXED = [torch.float16, torch.float32, torch.float16, torch.bfloat16, torch.float32]


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("formats", [[torch.float32] * 5, [torch.float16] * 5, MIXED, MIXED[::-1]])
def test_the_norm_is_that_of_one_vector_in_their_own_order_whatever_their_formats(
    formats: list[torch.dtype], device: str
) -> None:
    numbers = torch.Generator().manual_seed(0)
    gradients = [
        (300 * torch.randn(shape, generator=numbers)).to(dtype) for shape, dtype in zip(SOME, formats, strict=True)
    ]
    found = gradient_norm([gradient.to(device) for gradient in gradients])
    assert (found.dtype, found.shape, found.device.type) == (torch.float32, (), device.partition(":")[0])
    whole = torch.cat([gradient.double().flatten() for gradient in gradients]).norm()
    assert float(found) == pytest.approx(float(whole), rel=1e-6)
    each = [torch.linalg.vector_norm(gradient, dtype=torch.float32) for gradient in gradients]
    assert torch.equal(found.cpu(), torch.linalg.vector_norm(torch.stack(each)))


def test_squares_beyond_fp16_count_and_no_gradient_is_none() -> None:
    assert float(gradient_norm([torch.full((4,), 6e4, dtype=torch.float16), torch.zeros(1)])) == pytest.approx(1.2e5)
    assert float(gradient_norm([])) == 0
    assert not gradient_norm([torch.ones(2), torch.tensor([float("inf")], dtype=torch.float16)]).isfinite()
