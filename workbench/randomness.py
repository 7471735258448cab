"""Random draws keyed by what they are for, never by when or where they are made.

A draw depends on (seed, purpose, epoch, sample) or (seed, purpose, numbers …) alone: not on the number of loader
workers, on prefetching, on the batch that a sample is in, or on the device.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as int64: the odd step of splitmix64


def key(seed: int, purpose: str, *numbers: int) -> int:
    """A 63-bit key, 0 ≤ key < 2**63, for a seed, a purpose and any further numbers."""
    text = "/".join([str(seed), purpose, *map(str, numbers)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def generator(seed: int, purpose: str, *numbers: int) -> torch.Generator:
    """A CPU generator that starts at the key of its arguments."""
    import torch

    return torch.Generator().manual_seed(key(seed, purpose, *numbers))


class Draws:
    """Random numbers for some samples in one epoch, a row a sample; each call returns new ones.

    samples: int64 ``[N]``, positions in the training set. The numbers come on the samples' device and are the same on
    every device: splitmix64 (Steele et al. 2014, "Fast Splittable Pseudorandom Number Generators") in int64 arithmetic.
    """

    def __init__(self, seed: int, purpose: str, epoch: int, samples: Tensor) -> None:
        self.epoch = epoch
        self._seed, self._purpose, self._samples = seed, purpose, samples
        self._state = _mix((samples * _GOLDEN).add_(key(seed, purpose, epoch)))
        self._count = 0

    def __len__(self) -> int:
        return len(self._state)

    def of_the_run(self) -> Draws:
        """Draws for the same samples that are the same in every epoch."""
        return Draws(self._seed, f"{self._purpose}, every epoch", 0, self._samples)

    def bits(self, count: int) -> Tensor:
        """int64 ``[N, count]``, uniform over 0 … 2**32 − 1."""
        import torch

        steps = torch.arange(self._count + 1, self._count + count + 1, device=self._state.device)
        self._count += count
        return _mix(self._state[:, None] + steps * _GOLDEN).bitwise_and_(0xFFFFFFFF)

    def uniform(self, count: int = 1) -> Tensor:
        """float32 ``[N, count]``, uniform over 0 ≤ x < 1 in steps of 2**−24."""
        import torch

        return self.bits(count).bitwise_right_shift_(8).to(torch.float32).mul_(2.0**-24)

    def integers(self, high: int, count: int = 1) -> Tensor:
        """int64 ``[N, count]``, uniform over 0 … high − 1; high < 2**31."""
        return (self.bits(count) * high) >> 32


def _mix(z: Tensor) -> Tensor:
    """splitmix64's mixing function. In place where it can be: draws for every pixel are bound by memory."""
    z = _shifted(z, 30).mul_(-4658895280553007687)  # 0xBF58476D1CE4E5B9
    z = _shifted(z, 27).mul_(-7723592293110705685)  # 0x94D049BB133111EB
    return _shifted(z, 31)


def _shifted(z: Tensor, places: int) -> Tensor:
    """z ^ (z >>> places), a logical right shift of int64; a new tensor."""
    return (z >> places).bitwise_and_((1 << (64 - places)) - 1).bitwise_xor_(z)
