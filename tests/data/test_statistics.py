from __future__ import annotations

import pytest
import torch

from workbench.data import statistics
from workbench.data.splits import ArraySplit
from workbench.data.statistics import channel_statistics


def random_split(count: int = 50) -> ArraySplit:
    images = torch.randint(0, 256, (count, 3, 9, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return ArraySplit(images, torch.zeros(count, dtype=torch.int64))


def test_mean_and_deviation_are_those_of_the_pixels() -> None:
    split = random_split()
    pixels = split.images().double() / 255
    mean, std = channel_statistics(split)
    assert mean == pytest.approx(pixels.mean(dim=(0, 2, 3)).tolist(), abs=1e-12)
    assert std == pytest.approx(pixels.std(dim=(0, 2, 3), correction=0).tolist(), abs=1e-12)


def test_neither_chunks_nor_threads_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    split = random_split()
    whole = channel_statistics(split)
    monkeypatch.setattr(statistics, "_CHUNK", 3 * 9 * 7 * 4)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert channel_statistics(split) == whole
    finally:
        torch.set_num_threads(threads)


def test_a_channel_of_one_value_has_no_deviation() -> None:
    images = torch.full((4, 1, 5, 5), 51, dtype=torch.uint8)
    assert channel_statistics(ArraySplit(images, torch.zeros(4, dtype=torch.int64))) == ((0.2,), (0.0,))
