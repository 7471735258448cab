"""Padding keeps the values of torch's and the memory format of the images."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import pad

from workbench.models.layers.padding import padded


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_memory_format_stays(layout: torch.memory_format, mode: str, device: str) -> None:
    images = torch.randn(4, 3, 6, 5, device=device).contiguous(memory_format=layout)
    found = padded(images, (1, 2, 1, 2), mode)
    assert torch.equal(found, pad(images, (1, 2, 1, 2), mode=mode))
    assert found.is_contiguous(memory_format=layout)
