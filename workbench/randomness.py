"""Random draws keyed by what they are for, never by when or where they are made.

A draw depends on (seed, purpose, epoch, sample) or (seed, purpose, numbers …) alone: not on the number of loader
workers, on prefetching, on the batch that a sample is in, or on the device.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
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


class SampleRng:
    """Random numbers for some samples in one epoch, a row a sample; each call returns new ones.

    samples: int64 ``[N]``, positions in the training set. The numbers come on the samples' device and are the same on
    every device: splitmix64 (Steele et al. 2014, "Fast Splittable Pseudorandom Number Generators") in int64 arithmetic.
    """

    def __init__(
        self, seed: int, purpose: str, epoch: int, samples: Tensor, *, streams: _Streams | None = None
    ) -> None:
        self.epoch = epoch
        self._seed, self._purpose = seed, purpose
        self._key = key(seed, purpose, epoch)
        self._streams = streams if streams is not None and self._key in streams else _Streams([self._key], samples)
        self._count = 0

    @classmethod
    def of_each(cls, seed: int, purposes: Sequence[str], epoch: int, samples: Tensor) -> list[SampleRng]:
        """``SampleRng`` for each purpose, with the same numbers; the first of all of them are computed at once.

        On a GPU that is as many launches for all purposes as for one, those of the whole run included.
        """
        keys = [key(seed, purpose, epoch) for purpose in purposes]
        if samples.device.type != "cpu":
            keys += [key(seed, _every_epoch(purpose), 0) for purpose in purposes]
        streams = _Streams(keys, samples)
        return [cls(seed, purpose, epoch, samples, streams=streams) for purpose in purposes]

    def __len__(self) -> int:
        return len(self._streams.samples)

    def of_the_run(self) -> SampleRng:
        """Draws for the same samples that are the same in every epoch."""
        streams = self._streams
        return SampleRng(self._seed, _every_epoch(self._purpose), 0, streams.samples, streams=streams)

    def bits(self, count: int) -> Tensor:
        """int64 ``[N, count]``, uniform over 0 … 2**32 − 1."""
        import torch

        found = self._next(count)
        return found.clone(memory_format=torch.contiguous_format) if self._count <= self._streams.ahead else found

    def uniform(self, count: int = 1) -> Tensor:
        """float32 ``[N, count]``, uniform over 0 ≤ x < 1 in steps of 2**−24."""
        import torch

        return (self._next(count) >> 8).to(torch.float32).mul_(2.0**-24)

    def integers(self, high: int, count: int = 1) -> Tensor:
        """int64 ``[N, count]``, uniform over 0 … high − 1; high < 2**31."""
        return (self._next(count) * high) >> 32

    def _next(self, count: int) -> Tensor:
        """Bits that nobody has had yet from these draws. Not to be written to: others may be given the same memory."""
        start, self._count = self._count, self._count + count
        return self._streams.bits(self._key, start, count)


def _every_epoch(purpose: str) -> str:
    return f"{purpose}, every epoch"


class _Streams:
    """The numbers of some samples for several keys, computed when the first is asked for.

    ahead: how many numbers of each sample and key are computed then. On a GPU more of them are no more launches; on the
    CPU each takes its own time, so there it is as many as most augmentations take.
    """

    def __init__(self, keys: list[int], samples: Tensor) -> None:
        self.samples = samples
        self.ahead = 2 if samples.device.type == "cpu" else 8
        self._places = {key: place for place, key in enumerate(dict.fromkeys(keys))}

    def __contains__(self, key: int) -> bool:
        return key in self._places

    def bits(self, key: int, start: int, count: int) -> Tensor:
        """int64 ``[N, count]``: 32 bits each of a key's numbers from ``start`` on; may be shared memory."""
        place = self._places[key]
        if start + count <= self.ahead:
            return self._first[place, :, start : start + count]
        return _bits(self._states[place], start, count)

    @cached_property
    def _states(self) -> Tensor:
        """int64 ``[keys, N]``."""
        import torch

        from workbench import torch_compat

        products = self.samples * _GOLDEN
        # one launch for all keys: a tensor of the keys would be a copy from the host, which waits
        return _mixed(torch.stack(torch_compat.foreach_add([products] * len(self._places), list(self._places))))

    @cached_property
    def _first(self) -> Tensor:
        """int64 ``[keys, N, ahead]``: the first bits of each."""
        return _bits(self._states, 0, self.ahead)


def _bits(states: Tensor, start: int, count: int) -> Tensor:
    """int64 ``[…, count]``: 32 bits each of the numbers from ``start`` on that follow these states."""
    import torch

    steps = torch.arange(start + 1, start + count + 1, device=states.device)
    z = _multiplied(torch.add(states[..., None], steps, alpha=_GOLDEN))
    # of the last shift only low bits are wanted, and those an arithmetic one leaves the same
    return (z >> 31).bitwise_xor_(z).bitwise_and_(0xFFFFFFFF)


def _mixed(z: Tensor) -> Tensor:
    """splitmix64's mixing function."""
    return _shifted(_multiplied(z), 31)


def _multiplied(z: Tensor) -> Tensor:
    """All of it but its last line. In place where it can be: draws for every pixel are bound by memory."""
    z = _shifted(z, 30).mul_(-4658895280553007687)  # 0xBF58476D1CE4E5B9
    return _shifted(z, 27).mul_(-7723592293110705685)  # 0x94D049BB133111EB


def _shifted(z: Tensor, places: int) -> Tensor:
    """z ^ (z >>> places), a logical right shift of int64; a new tensor."""
    return (z >> places).bitwise_and_((1 << (64 - places)) - 1).bitwise_xor_(z)
