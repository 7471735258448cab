"""What guards and techniques do with all gradients, or all buffers, at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from workbench import torch_compat


def gradient_norm(gradients: Sequence[Tensor]) -> Tensor:
    """L2 norm of all gradients as one vector, float32 ``[]``; summed in fp32 whatever format the gradients have.

    fp16 gradients of ordinary size have squares beyond fp16's range.
    """
    if not gradients:
        return torch.zeros(())
    # one call for each format: of tensors in several, a GPU takes the norms one by one
    norms: dict[int, Tensor] = {}
    for dtype in dict.fromkeys(gradient.dtype for gradient in gradients):
        places = [place for place, gradient in enumerate(gradients) if gradient.dtype == dtype]
        found = torch_compat.foreach_norm([gradients[place] for place in places], 2.0, dtype=torch.float32)
        norms.update(zip(places, found, strict=True))
    total: Tensor = torch.linalg.vector_norm(torch.stack([norms[place] for place in range(len(gradients))]))
    return total


def memory_blocks(buffers: Iterable[Tensor]) -> list[Tensor]:
    """The blocks of memory that buffers are views of, each once: many buffers are few blocks."""
    blocks = [torch_compat.block_of(buffer) for buffer in buffers]
    return list({id(block): block for block in blocks}.values())
