"""What is predicted of a step rests on counts that can be made by hand."""

from __future__ import annotations

import pytest
import torch

from tests.cuda import runtime
from tests.cuda.predicted import CARDS, Work, counted, pieces, predicted, size

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not runtime.present(), reason="counts what the stand-in hears: `python -m tests.cuda` runs it"),
]


def test_the_operations_of_a_step_are_those_of_its_layers() -> None:
    work, steps, built = counted("v0")
    modules = list(built.model.modules())
    side, forward, inputs = built.dataset.shape[1], 0, 0
    for module in modules:
        if isinstance(module, torch.nn.Conv2d):
            products = side * side * module.out_channels * module.in_channels * 9
            inputs += products if forward else 0  # nobody wants the gradient of the images
            forward += products
        elif isinstance(module, torch.nn.MaxPool2d):
            side //= 2
        elif isinstance(module, torch.nn.Linear):
            forward += module.in_features * module.out_features
            inputs += module.in_features * module.out_features
    expected = 2 * (2 * forward + inputs) * built.recipe.data.batch_size
    assert work.operations / steps == expected


def test_growing_images_are_counted_over_their_course() -> None:
    small, steps, _ = counted("fast94-cpu", "techniques.gradient_accumulation.enabled=false")
    whole, of, _ = counted("fast94")
    assert 0.6 < small.operations / steps / (whole.operations / of) < 0.9


def test_a_convolution_backwards_is_two_kernels_and_bytes_count_once() -> None:
    x = torch.empty(2, 3, 8, 8, device="cuda", dtype=torch.float16)
    weight, grad = x.new_empty(4, 3, 3, 3), x.new_empty(2, 4, 8, 8)
    func = torch.ops.aten.convolution_backward.default
    args = (grad, x, weight, [0], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [True, True, False])
    found = list(pieces(func, args, {}, (torch.empty_like(x), torch.empty_like(weight), None)))
    assert [operations for _, operations, _, _ in found] == [2 * 2 * 64 * 4 * 27] * 2
    assert {bytes_ for _, _, bytes_, _ in found} == {2.0 * (grad.numel() + x.numel() + weight.numel())}
    assert size(x[:, :1].expand(2, 3, 8, 8)) == 2 * 2 * 64


def test_a_step_takes_as_long_as_the_slower_of_card_and_host() -> None:
    card = CARDS[0]
    work = Work([("convolutions", card.half, 0.0, True), ("norms", 0.0, card.bytes, True), ("norms", 0.0, 0.0, True)])
    found = predicted(work, 1, 0, card)
    assert found.kinds == pytest.approx({"convolutions": 1.0, "norms": 1.0 + card.kernel_seconds})
    assert found.seconds == found.card and found.host == card.host_seconds
    assert predicted(Work(), 1, 100, card).seconds == pytest.approx(card.host_seconds + 100 * card.launch_seconds)
