"""Draws are uniform, independent of batching, and keyed by everything that they are for."""

from __future__ import annotations

import torch

from workbench.randomness import Draws, generator, key


def test_draws_are_uniform_and_uncorrelated() -> None:
    draws = Draws(7, "flip", 3, torch.arange(100_000))
    x = draws.uniform(3)
    assert x.dtype == torch.float32
    assert float(x.min()) >= 0
    assert float(x.max()) < 1
    counts = torch.histc(x[:, 0], 100, 0, 1)
    assert float(((counts - 1000) ** 2 / 1000).sum()) < 148.2  # chi-square, 99 degrees of freedom, 99.9 %
    correlation = torch.corrcoef(torch.cat([x.T, x[:, 0].roll(1)[None]]))
    assert float((correlation - torch.eye(4)).abs().max()) < 0.015


def test_integers_cover_their_range_evenly() -> None:
    x = Draws(0, "crop", 0, torch.arange(50_000)).integers(9, 2)
    counts = torch.bincount(x.flatten(), minlength=9)
    assert len(counts) == 9
    assert float(((counts - counts.float().mean()) ** 2 / counts.float().mean()).sum()) < 26.1  # 8 degrees, 99.9 %


def test_a_samples_draws_do_not_depend_on_its_batch() -> None:
    whole = Draws(1, "p", 2, torch.arange(100))
    first, second = whole.uniform(2), whole.uniform(2)
    some = Draws(1, "p", 2, torch.tensor([42, 7]))
    assert torch.equal(some.uniform(2), first[[42, 7]])
    assert torch.equal(some.uniform(2), second[[42, 7]])
    assert not torch.equal(first, second)


def test_every_part_of_the_key_counts() -> None:
    keys = {key(0, "a"), key(1, "a"), key(0, "b"), key(0, "a", 1), key(0, "a", 1, 1), key(0, "a", 11)}
    assert len(keys) == 6
    assert all(0 <= k < 2**63 for k in keys)
    samples = torch.arange(64)
    variants = [
        Draws(0, "a", 0, samples),
        Draws(1, "a", 0, samples),
        Draws(0, "b", 0, samples),
        Draws(0, "a", 1, samples),
    ]
    values = [tuple(v.uniform()[:, 0].tolist()) for v in variants]
    assert len(set(values)) == 4


def test_generators_repeat() -> None:
    a = torch.rand(3, generator=generator(5, "x", 1))
    assert torch.equal(a, torch.rand(3, generator=generator(5, "x", 1)))
    assert not torch.equal(a, torch.rand(3, generator=generator(5, "x", 2)))


def test_draws_are_splitmix64s_known_answers() -> None:
    """Against the algorithm in Python's own integers (Steele et al. 2014), for every bit."""
    golden, mask = 0x9E3779B97F4A7C15, 2**64 - 1

    def mix(z: int) -> int:
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    assert mix(golden) == 0xE220A8397B1DCDAF  # the generator's first number after the seed 0
    samples = [0, 1, 49_999, 2**40]
    found = Draws(7, "test", 3, torch.tensor(samples)).bits(5)
    for row, sample in zip(found.tolist(), samples, strict=True):
        state = mix((sample * golden + key(7, "test", 3)) & mask)
        assert row == [mix((state + (step + 1) * golden) & mask) & 0xFFFFFFFF for step in range(5)]
