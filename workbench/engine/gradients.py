"""The length of a gradient."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def gradient_norm(gradients: Sequence[Tensor]) -> Tensor:
    """L2 norm of all gradients as one vector, float32 ``[]``; summed in fp32 whatever format the gradients have.

    fp16 gradients of ordinary size have squares beyond fp16's range.
    """
    if not gradients:
        return torch.zeros(())
    norms = torch._foreach_norm(list(gradients), 2.0, dtype=torch.float32)
    total: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return total
