"""The kernels pool like torch to the bit; where they cannot be had, torch's own does."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from workbench.models.layers import max_pool
from workbench.models.layers.max_pool import FORMATS, MaxPool, proven, same_as_torch, suited

INTERPRETED = """
import itertools, torch
from torch.nn.functional import max_pool2d
from workbench.models.layers.max_pool import FORMATS, same_as_torch
from workbench.models.layers.max_pool_kernels import pool, pool_gradient
for dtype in FORMATS:
    for channels in (24, 80):
        assert same_as_torch(pool, pool_gradient, torch.device("cpu"), dtype, channels), (dtype, channels)
for images, channels, height, width in itertools.product((1, 3), (1, 5, 70), (2, 3, 8), (2, 5)):
    x = torch.randint(-2, 3, (images, channels, height, width)).float().contiguous(memory_format=torch.channels_last)
    x.requires_grad_()
    expected = max_pool2d(x, 2)
    upward = torch.randn_like(expected)
    (wanted,) = torch.autograd.grad(expected, x, upward)
    y, places = pool(x.detach())
    found = pool_gradient(upward.contiguous(memory_format=torch.channels_last), places, height, width)
    assert torch.equal(y, expected) and torch.equal(found, wanted), x.shape
    assert y.is_contiguous(memory_format=torch.channels_last) and found.is_contiguous(memory_format=torch.channels_last)
print("same")
"""


def test_the_kernels_pool_like_torch_in_tritons_interpreter() -> None:
    pytest.importorskip("triton")
    code = "import os\nos.environ['TRITON_INTERPRET'] = '1'\n" + INTERPRETED
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout == "same\n", done.stderr


def test_it_is_torchs_on_a_cpu() -> None:
    x = torch.randn(2, 3, 7, 8).contiguous(memory_format=torch.channels_last)
    assert torch.equal(MaxPool()(x), nn.MaxPool2d(2)(x))
    assert repr(MaxPool()).removeprefix("MaxPool") == repr(nn.MaxPool2d(2)).removeprefix("MaxPool2d")


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (torch.zeros(2, 3, 4, 4).contiguous(memory_format=torch.channels_last), True),
        (torch.zeros(2, 3, 4, 4), False),
        (torch.zeros(2, 3, 4, 4)[:, :, 1:].contiguous(memory_format=torch.channels_last)[:, :, :, 1:], False),
        (torch.zeros(2, 3, 1, 4).contiguous(memory_format=torch.channels_last), False),
        (torch.zeros(0, 3, 4, 4).contiguous(memory_format=torch.channels_last), False),
        (torch.zeros(2, 3, 4, 4, dtype=torch.float64).contiguous(memory_format=torch.channels_last), False),
        (torch.zeros(3, 4, 4), False),
    ],
)
def test_what_the_kernels_take(x: Tensor, expected: bool) -> None:
    assert suited(x) == expected


@pytest.mark.parametrize("fault", ["wrong maxima", "wrong gradient", "the first of NaN"])
def test_kernels_that_give_other_numbers_are_noticed(fault: str) -> None:
    def pool(x: Tensor) -> tuple[Tensor, Tensor]:
        y, places = nn.functional.max_pool2d(x, 2, return_indices=True)
        if fault == "wrong maxima":
            y = y + (torch.arange(y.numel()).view_as(y) == 70)
        if fault == "the first of NaN":
            y = y.nan_to_num(0)
        return y, places

    def gradient(upward: Tensor, places: Tensor, height: int, width: int) -> Tensor:
        shape = (*upward.shape[:2], height, width)
        found = nn.functional.max_unpool2d(upward, places, 2, output_size=list(shape))
        return found * 2 if fault == "wrong gradient" else found

    assert not same_as_torch(pool, gradient, torch.device("cpu"), torch.float32)
    fault = ""
    assert same_as_torch(pool, gradient, torch.device("cpu"), torch.float32)


@pytest.mark.cuda
def test_on_a_device_that_does_not_compute_them_it_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as the stand-in; on a card, where the kernels cannot be compiled."""

    def broken(*arguments: Any) -> bool:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(max_pool, "same_as_torch", broken)
    max_pool._tried.clear()
    x = torch.randn(2, 3, 7, 8, device="cuda").contiguous(memory_format=torch.channels_last).requires_grad_()
    found = MaxPool()(x)
    found.sum().backward()
    assert not proven(x.device, x.dtype, 3)
    assert torch.equal(found.cpu(), nn.MaxPool2d(2)(x.detach().cpu()))
    max_pool._tried.clear()


@pytest.mark.cuda
@pytest.mark.real_gpu("the kernels must run")
@pytest.mark.parametrize("channels", [48, 50, 200])
@pytest.mark.parametrize("dtype", FORMATS)
def test_on_a_gpu_they_are_taken_and_are_torchs_numbers(dtype: torch.dtype, channels: int) -> None:
    x = torch.randn(64, channels, 31, 30, device="cuda", dtype=dtype).contiguous(memory_format=torch.channels_last)
    assert proven(x.device, dtype, channels)
    one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    found, expected = MaxPool()(one), nn.MaxPool2d(2)(other)
    assert torch.equal(found, expected)
    upward = torch.randn_like(expected)
    found.backward(upward)
    expected.backward(upward)
    assert one.grad is not None and other.grad is not None and torch.equal(one.grad, other.grad)
