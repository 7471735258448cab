"""What a training on a GPU sets for the whole process, and puts back."""

from __future__ import annotations

import pytest
import torch

from workbench.engine.backend import backend
from workbench.recipe import read_recipe

pytestmark = pytest.mark.cuda


def test_every_gpus_generator_goes_on_where_it_was(digits_recipe: str) -> None:
    before = torch.cuda.get_rng_state_all()
    with backend(read_recipe(digits_recipe)):
        first = torch.cuda.get_rng_state_all()
        torch.rand(5, device="cuda:0")
        assert not torch.equal(torch.cuda.get_rng_state(0), first[0])
    assert all(map(torch.equal, torch.cuda.get_rng_state_all(), before))
    with backend(read_recipe(digits_recipe)):
        assert all(map(torch.equal, torch.cuda.get_rng_state_all(), first))
