"""Biases with a rate of their own: which ones, at which rate, and with an unchanged pull of the decay."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.engine.conftest import Make
from workbench.engine.train_state import TrainState
from workbench.techniques.bias_lr_scale import separate


class Network(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def rates(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, tuple[float, float]]:
    names = {id(weight): name for name, weight in model.named_parameters()}
    return {names[id(w)]: (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for w in g["params"]}


@pytest.mark.parametrize("norms_only", [True, False])
def test_rates_and_decays(norms_only: bool) -> None:
    model = Network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.01, momentum=0.9)
    separate(optimizer, model, 64, norms_only=norms_only)
    found = rates(optimizer, model)
    moved = {"1.bias"} if norms_only else {"0.bias", "1.bias", "3.bias"}
    assert found.keys() == dict(model.named_parameters()).keys()
    for name, (rate, decay) in found.items():
        assert rate == pytest.approx(6.4 if name in moved else 0.1)
        assert rate * decay == pytest.approx(0.001)
    assert all(group["momentum"] == 0.9 for group in optimizer.param_groups)


def test_a_group_of_biases_alone_keeps_its_place() -> None:
    model = Network()
    groups = [{"params": [model[1].bias, model[3].bias]}, {"params": [model[0].weight]}]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    separate(optimizer, model, 10, norms_only=False)
    assert [group["lr"] for group in optimizer.param_groups] == [1.0, 0.1]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_the_schedule_scales_them_too(make: Make, optimizer: str) -> None:
    names = (
        ("bias_lr_scale", "cosine", "batch_norm", "loss_sum") if optimizer != "adamw" else ("bias_lr_scale", "cosine")
    )
    built = make(*names, *([] if optimizer == "sgd" else [optimizer]))
    state = TrainState.of(built)
    state.set_learning_rates(built.context(0))
    first = rates(built.optimizer, built.model)
    state.set_learning_rates(built.context(built.steps // 2))
    second = rates(built.optimizer, built.model)
    share = built.learning_rate(built.steps // 2) / built.learning_rate(0)
    assert 0 < share < 1
    assert all(second[name][0] == pytest.approx(rate * share) for name, (rate, _) in first.items())
    norm = next(name for name, m in built.model.named_modules() if isinstance(m, nn.BatchNorm2d))
    assert first[f"{norm}.bias"][0] == pytest.approx(4 * first[f"{norm}.weight"][0])
