"""What a run must not load: torch's compiler takes as long to import as torch itself."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.engine.conftest import Make, run
from workbench.engine.backend import backend
from workbench.engine.cost import multiply_adds
from workbench.optimizers import eager

CODE = """
import sys
from pathlib import Path
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import build
from workbench.engine.state import Checkpoints, capture, restore
from workbench.engine.train import train
from workbench.recipe import read_recipe

for optimizer in ("sgd", "adam", "adamw", "muon"):
    switch = () if optimizer == "sgd" else ("techniques.sgd.enabled=false", f"techniques.{optimizer}.enabled=true")
    recipe = read_recipe(sys.argv[1], overrides=("train.epochs=0.1", *switch))
    folder = Path(sys.argv[2], optimizer)
    with backend(recipe):
        built = build(recipe, "cpu", folder)
        list(train(built, Control(), Checkpoints(folder)))
        restore(built, Checkpoints(folder).load())
    loaded = {"torch._dynamo", "torch._inductor", "sympy"} & set(sys.modules)
    assert not loaded, (optimizer, loaded)
"""


def test_a_run_from_its_build_to_its_checkpoint_loads_no_compiler(digits_recipe: str, tmp_path: Path) -> None:
    """With each optimizer, one after the other in one process."""
    subprocess.run([sys.executable, "-c", CODE, digits_recipe, str(tmp_path)], check=True)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
@pytest.mark.parametrize("fused", [True, False])
def test_eager_optimizers_are_torchs(name: str, fused: bool) -> None:
    torch.manual_seed(0)
    ours, theirs = nn.Linear(5, 3), nn.Linear(5, 3)
    theirs.load_state_dict(ours.state_dict())
    options = {"lr": 0.1, "weight_decay": 0.01, "fused": fused} | ({"momentum": 0.9} if name == "SGD" else {})
    pairs = [(ours, getattr(eager, name)(ours.parameters(), **options))]
    pairs += [(theirs, getattr(torch.optim, name)(theirs.parameters(), **options))]
    for step in range(4):
        for model, optimizer in pairs:
            optimizer.zero_grad()
            assert all(p.grad is None for p in model.parameters())
            model(torch.ones(2, 5) * step).square().sum().backward()
            optimizer.step()
        if step == 1:  # states go both ways
            pairs[0][1].load_state_dict(copy.deepcopy(pairs[1][1].state_dict()))
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert all(p.grad_fn is None for p in ours.parameters())


def test_deterministic_kernels_are_switched_on_and_back(make: Make) -> None:
    with backend(make("train.deterministic=true").recipe):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        with backend(make().recipe):
            assert not torch.are_deterministic_algorithms_enabled()
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


def test_multiply_adds_count_attention_and_leave_the_generator_alone() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True, dropout=0.5)
    model = nn.Sequential(nn.Flatten(2), layer)
    before = torch.get_rng_state()
    products = 3 * 8 * 8 + 8 * 8 + 2 * 8 * 16  # of a token: queries, keys, values; the projection; two linear layers
    assert multiply_adds(model, (5, 2, 4)) == 5 * products + 2 * (5 * 5 * 8)
    assert torch.equal(before, torch.get_rng_state())
    assert all(p.grad is None for p in model.parameters())


def test_a_run_says_what_an_image_costs(make: Make) -> None:
    started = run(make("train.epochs=0.1"))[0]
    assert started.multiply_adds == 32**2 * 27 * 8 + 16**2 * 72 * 16 + 1024 * 32 + 32 * 10  # type: ignore[attr-defined]
