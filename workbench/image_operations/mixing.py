"""What mixup and CutMix share: how much of itself each image keeps, who its partner is, and the labels of a blend."""

from __future__ import annotations

import torch
from torch import Tensor

from workbench.randomness import SampleRng

_NODES = 4096
_GRAIN = 2.0**-24  # of the uniform draws


class SymmetricBeta:
    """Beta(α, α), 0.001 ≤ α ≤ 100, from uniform draws: its quantiles in a table, interpolated linearly.

    The table has a node at every 1/4096 of both axes, probability and value, so that neighbours are never further apart
    than that, be the curve flat or steep. A value is off by less than 1e-4 for α ≤ 2; for larger α by less than 5e-4,
    and up to 6e-3 for one draw in 2,000, at the ends, where so much lies between two neighbouring uniform numbers.
    """

    def __init__(self, alpha: float, device: torch.device | str) -> None:
        import numpy as np
        from scipy.special import betainc, betaincinv

        even = np.linspace(0, 1, _NODES + 1)
        probabilities = np.concatenate([even, betainc(alpha, alpha, even)])
        values = np.concatenate([betaincinv(alpha, alpha, even), even])
        order = np.lexsort((values, probabilities))
        # nodes that no draw can tell apart would make the slope between them infinite
        grains, first = np.unique((probabilities[order] / _GRAIN).round(), return_index=True)
        probabilities, values = grains * _GRAIN, values[order][first]
        slopes = np.diff(values) / np.diff(probabilities)
        self._probabilities, self._values, self._slopes = (
            torch.tensor(column, dtype=torch.float32, device=device) for column in (probabilities, values, slopes)
        )

    def __call__(self, uniform: Tensor) -> Tensor:
        """Draws from Beta(α, α), one for each number 0 ≤ u < 1; float32 of the same shape."""
        node = torch.searchsorted(self._probabilities, uniform, right=True) - 1
        return self._values[node] + (uniform - self._probabilities[node]) * self._slopes[node]


def shares_and_partners(rng: SampleRng, beta: SymmetricBeta, probability: float) -> tuple[Tensor, Tensor]:
    """The share λ that each image keeps of itself, float32 ``[N]``, and whom it is mixed with, int64 ``[N]``.

    λ ~ Beta(α, α) for the images that are mixed, which each is with the given probability, 0–1, and 1 for the others.
    Partners are a permutation of the batch.
    """
    uniform = rng.uniform(3)
    shares = torch.where(uniform[:, 0] < probability, beta(uniform[:, 1].contiguous()), 1.0)
    return shares, uniform[:, 2].argsort(stable=True)


def mixed_targets(targets: Tensor, partners: Tensor, own: Tensor, others: Tensor, classes: int) -> Tensor:
    """float32 ``[N, classes]``: each image's target times ``own`` plus its partner's times ``others``, both ``[N]``.

    targets: int64 ``[N]``, or floating point ``[N, classes]`` where they have been mixed before.
    """
    if targets.dim() == 1:
        targets = (targets[:, None] == torch.arange(classes, device=targets.device)).float()
    return own[:, None] * targets + others[:, None] * targets.index_select(0, partners)
