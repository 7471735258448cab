"""Draws are uniform, independent of batching, and keyed by everything that they are for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from workbench.randomness import SampleRng, generator, key


def test_draws_are_uniform_and_uncorrelated() -> None:
    rng = SampleRng(7, "flip", 3, torch.arange(100_000))
    x = rng.uniform(3)
    assert x.dtype == torch.float32
    assert float(x.min()) >= 0
    assert float(x.max()) < 1
    counts = torch.histc(x[:, 0], 100, 0, 1)
    assert float(((counts - 1000) ** 2 / 1000).sum()) < 148.2  # chi-square, 99 degrees of freedom, 99.9 %
    correlation = torch.corrcoef(torch.cat([x.T, x[:, 0].roll(1)[None]]))
    assert float((correlation - torch.eye(4)).abs().max()) < 0.015


def test_integers_cover_their_range_evenly() -> None:
    x = SampleRng(0, "crop", 0, torch.arange(50_000)).integers(9, 2)
    counts = torch.bincount(x.flatten(), minlength=9)
    assert len(counts) == 9
    assert float(((counts - counts.float().mean()) ** 2 / counts.float().mean()).sum()) < 26.1  # 8 degrees, 99.9 %


def test_a_samples_draws_do_not_depend_on_its_batch() -> None:
    whole = SampleRng(1, "p", 2, torch.arange(100))
    first, second = whole.uniform(2), whole.uniform(2)
    some = SampleRng(1, "p", 2, torch.tensor([42, 7]))
    assert torch.equal(some.uniform(2), first[[42, 7]])
    assert torch.equal(some.uniform(2), second[[42, 7]])
    assert not torch.equal(first, second)


def test_every_part_of_the_key_counts() -> None:
    keys = {key(0, "a"), key(1, "a"), key(0, "b"), key(0, "a", 1), key(0, "a", 1, 1), key(0, "a", 11)}
    assert len(keys) == 6
    assert all(0 <= k < 2**63 for k in keys)
    samples = torch.arange(64)
    variants = [
        SampleRng(0, "a", 0, samples),
        SampleRng(1, "a", 0, samples),
        SampleRng(0, "b", 0, samples),
        SampleRng(0, "a", 1, samples),
    ]
    values = [tuple(v.uniform()[:, 0].tolist()) for v in variants]
    assert len(set(values)) == 4


def test_generators_repeat() -> None:
    a = torch.rand(3, generator=generator(5, "x", 1))
    assert torch.equal(a, torch.rand(3, generator=generator(5, "x", 1)))
    assert not torch.equal(a, torch.rand(3, generator=generator(5, "x", 2)))


def splitmix64(seed: int, purpose: str, epoch: int, samples: list[int], count: int) -> list[list[int]]:
    """The bits of these draws, in Python's own integers (Steele et al. 2014)."""
    golden, mask = 0x9E3779B97F4A7C15, 2**64 - 1

    def mix(z: int) -> int:
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    assert mix(golden) == 0xE220A8397B1DCDAF  # the generator's first number after the seed 0
    states = [mix((sample * golden + key(seed, purpose, epoch)) & mask) for sample in samples]
    return [[mix((state + (i + 1) * golden) & mask) & 0xFFFFFFFF for i in range(count)] for state in states]


def test_draws_are_splitmix64s_known_answers() -> None:
    samples = [0, 1, 49_999, 2**40]
    assert SampleRng(7, "test", 3, torch.tensor(samples)).bits(5).tolist() == splitmix64(7, "test", 3, samples, 5)


SAMPLES = [0, 1, 49_999, 2**40, 7, 2**62]
TAKEN = [("bits", 1), ("uniform", 3), ("integers", 2), ("bits", 2), ("uniform", 9), ("bits", 40), ("integers", 1)]
"""What is asked for in this order: within what is computed ahead, across its end, and far beyond it."""

DEVICES = ["cpu", pytest.param("cuda:0", marks=pytest.mark.cuda)]


def check(rng: SampleRng, expected: list[list[int]], orders: list[tuple[str, int]]) -> None:
    """That each call returns the next of the expected bits in its own form, in memory of its own."""
    start, seen = 0, list[tuple[Tensor, Tensor]]()
    for form, count in orders:
        bits = torch.tensor(expected)[:, start : start + count]
        start += count
        if form == "bits":
            found, wanted = rng.bits(count), bits
        elif form == "integers":
            found, wanted = rng.integers(9, count), (bits * 9) >> 32
        else:
            found, wanted = rng.uniform(count), (bits >> 8).float() / 2**24
        assert found.dtype == wanted.dtype
        assert found.is_contiguous()
        assert torch.equal(found.cpu(), wanted)
        seen.append((found, wanted))
        found.fill_(0)  # whoever writes to what was drawn changes no other draw
    assert len({found.data_ptr() for found, _ in seen}) == len(seen)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("orders", [TAKEN, TAKEN[::-1], [("bits", 8), ("bits", 8)], [("integers", 2), ("uniform", 1)]])
def test_draws_of_several_purposes_are_those_of_each(device: str, orders: list[tuple[str, int]]) -> None:
    purposes = ["random_crop", "horizontal_flip", "cutout"]
    samples = torch.tensor(SAMPLES, device=device)
    total = sum(count for _, count in orders)
    for taken in (purposes, purposes[::-1]):
        together = dict(zip(purposes, SampleRng.of_each(3, purposes, 5, samples), strict=True))
        for purpose in taken:
            check(together[purpose], splitmix64(3, purpose, 5, SAMPLES, total), orders)
            check(SampleRng(3, purpose, 5, samples), splitmix64(3, purpose, 5, SAMPLES, total), orders)
    assert samples.tolist() == SAMPLES


@pytest.mark.parametrize("device", DEVICES)
def test_draws_of_the_run_are_the_same_however_often_and_whenever_they_are_asked_for(device: str) -> None:
    samples = torch.tensor(SAMPLES, device=device)
    expected = splitmix64(3, "flip, every epoch", 0, SAMPLES, 60)
    for epoch in (0, 4):
        rng = SampleRng.of_each(3, ["crop", "flip"], epoch, samples)[1]
        for _ in range(2):
            check(rng.of_the_run(), expected, TAKEN)
        check(rng, splitmix64(3, "flip", epoch, SAMPLES, 60), TAKEN)
        check(SampleRng(3, "flip", epoch, samples).of_the_run(), expected, TAKEN)
        assert rng.epoch == epoch
        assert len(rng) == len(rng.of_the_run()) == len(SAMPLES)


def test_a_purpose_that_is_named_twice_has_the_same_draws_twice() -> None:
    first, other, second = SampleRng.of_each(3, ["a", "b", "a"], 1, torch.tensor(SAMPLES))
    assert torch.equal(first.bits(2), second.bits(2))
    assert other.bits(2).tolist() == splitmix64(3, "b", 1, SAMPLES, 2)


def test_no_purpose_and_no_samples_are_no_draws() -> None:
    assert SampleRng.of_each(3, [], 1, torch.tensor(SAMPLES)) == []
    (nobody,) = SampleRng.of_each(3, ["a"], 1, torch.empty(0, dtype=torch.int64))
    assert nobody.uniform(2).shape == (0, 2)
    assert nobody.bits(20).shape == (0, 20)
