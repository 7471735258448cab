from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from workbench.data.base import DataError
from workbench.data.splits import ArraySplit, FileSplit, Subset, hold_out, stratified


def split_of(labels: list[int]) -> ArraySplit:
    count = len(labels)
    images = torch.arange(count).to(torch.uint8).view(-1, 1, 1, 1).expand(count, 3, 2, 2).contiguous()
    return ArraySplit(images, torch.tensor(labels, dtype=torch.int64))


def test_array_split_gives_all_or_some_images() -> None:
    split = split_of([0, 1, 0])
    assert split.images().shape == (3, 3, 2, 2)
    assert split.images(torch.tensor([2, 0]))[:, 0, 0, 0].tolist() == [2, 0]


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (torch.zeros(2, 3, 4, 4), torch.zeros(2, dtype=torch.int64)),
        (torch.zeros(2, 4, 4, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64)),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64)),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.zeros(2)),
    ],
)
def test_array_split_refuses_what_is_not_a_split(images: torch.Tensor, labels: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="must be"):
        ArraySplit(images, labels)


def test_subset_counts_positions_in_itself() -> None:
    subset = Subset(split_of([0, 1, 2, 3]), torch.tensor([3, 1]))
    assert len(subset) == 2
    assert subset.labels.tolist() == [3, 1]
    assert subset.images()[:, 0, 0, 0].tolist() == [3, 1]
    assert subset.images(torch.tensor([1]))[:, 0, 0, 0].tolist() == [1]


labels_of_any_kind = st.lists(st.integers(0, 6), min_size=1, max_size=120)


@settings(max_examples=150, deadline=None)
@given(labels_of_any_kind, st.floats(0.001, 0.999), st.integers(0, 2**63 - 1))
def test_stratified_parts_are_whole_disjoint_and_fair(labels: list[int], share: float, seed: int) -> None:
    rest, held = stratified(torch.tensor(labels), share, seed, "validation")
    assert sorted(rest.tolist() + held.tolist()) == list(range(len(labels)))
    assert rest.tolist() == sorted(rest.tolist())
    assert held.tolist() == sorted(held.tolist())
    for label in set(labels):
        count = labels.count(label)
        taken = sum(labels[i] == label for i in held.tolist())
        if count == 1:
            assert taken == 0
        else:
            assert 1 <= taken <= count - 1
            assert abs(taken - share * count) <= 1 + 1e-9


def test_stratified_takes_the_share_of_the_whole() -> None:
    labels = torch.arange(10).repeat(5)  # a tenth of 5 is half an image a class
    big = torch.arange(7).repeat_interleave(torch.tensor([101, 57, 33, 250, 11, 99, 48]))
    assert len(stratified(labels, 0.5, 0, "x")[1]) == 25
    assert len(stratified(big, 0.1, 0, "x")[1]) == round(0.1 * len(big))


def test_hold_out_is_seeded() -> None:
    split = split_of([0, 1] * 50)
    first, second, other = (hold_out(split, 0.2, seed)[1] for seed in (1, 1, 2))
    assert first is not None and second is not None and other is not None
    assert torch.equal(first.images(), second.images())
    assert not torch.equal(first.images(), other.images())


def test_hold_out_of_nothing_leaves_the_split_alone() -> None:
    split = split_of([0, 1])
    assert hold_out(split, 0.0, 0) == (split, None)


def test_hold_out_refuses_to_hold_out_nothing() -> None:
    with pytest.raises(DataError, match=r"data.validation: 0.1 of 3 training images holds out none"):
        hold_out(split_of([0, 1, 2]), 0.1, 0)


def test_file_split_decodes_on_demand_and_names_a_file_that_went_bad(tmp_path: Path) -> None:
    files = []
    for number in range(3):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(np.full((4, 5, 3), number, dtype=np.uint8)).save(files[-1])
    split = FileSplit(files, torch.tensor([0, 1, 0]), (3, 4, 5), None)
    assert split.images().shape == (3, 3, 4, 5)
    assert split.images(torch.tensor([2, 1]))[:, 0, 0, 0].tolist() == [2, 1]
    files[1].write_bytes(b"not an image")
    with pytest.raises(DataError, match=r"1\.png could be read before"):
        split.images(torch.tensor([0, 1]))
    Image.fromarray(np.zeros((6, 5, 3), dtype=np.uint8)).save(files[1])
    with pytest.raises(DataError, match=r"1\.png has changed its size"):
        split.images(torch.tensor([1]))
