"""torch's process-wide settings in a training, and as they were after it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from workbench.engine.backend import CUBLAS, PRECISIONS, backend
from workbench.recipe import Recipe, read_recipe


def _set(thing: Any, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(thing, name, value)


def _cudnn_flags() -> str:
    with torch.backends.cudnn.flags(enabled=True):
        return "read"


READS: dict[str, Callable[[], object]] = {
    "get_float32_matmul_precision": torch.get_float32_matmul_precision,
    "cuda.matmul.allow_tf32": lambda: torch.backends.cuda.matmul.allow_tf32,
    "cudnn.allow_tf32": lambda: torch.backends.cudnn.allow_tf32,
    "cudnn.flags": _cudnn_flags,
}
"""What torch's own compiler, and plugins, read."""

CUDNN: Any = torch.backends.cudnn
USERS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "high": lambda: torch.set_float32_matmul_precision("high"),
    "medium": lambda: torch.set_float32_matmul_precision("medium"),
    "convolutions in full": _set(CUDNN, "allow_tf32", False),
    "newer, products tf32": _set(torch.backends.cuda.matmul, "fp32_precision", "tf32"),
    "newer, products in full": _set(torch.backends.cuda.matmul, "fp32_precision", "ieee"),
    "newer, convolutions in full": _set(CUDNN.conv, "fp32_precision", "ieee"),
    "newer, recurrent in full": _set(CUDNN.rnn, "fp32_precision", "ieee"),
    "newer, all tf32": _set(torch.backends, "fp32_precision", "tf32"),
    "newer, cudnn tf32": _set(CUDNN, "fp32_precision", "tf32"),
}
"""What a process may have set before a training."""


def reading() -> tuple[dict[str, object], dict[tuple[str, str], str]]:
    found = {}
    for name, read in READS.items():
        try:
            found[name] = read()
        except RuntimeError:
            found[name] = "raises"
    return found, {place: torch._C._get_fp32_precision_getter(*place) for place in PRECISIONS}


@pytest.fixture
def precisions_put_back() -> Iterator[None]:
    before = reading()
    yield
    for place, precision in before[1].items():
        torch._C._set_fp32_precision_setter(*place, "none" if place[1] == "all" else precision)
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True
    for place in PRECISIONS:
        if place[1] == "matmul":
            torch._C._set_fp32_precision_setter(*place, "none")
    assert reading() == before


@pytest.mark.parametrize("tf32", [True, False])
def test_nothing_that_reads_the_older_settings_meets_an_error(
    digits_recipe: str, precisions_put_back: None, tf32: bool
) -> None:
    recipe = read_recipe(digits_recipe, overrides=(f"train.tf32={str(tf32).lower()}",))
    for one, other in itertools.product(USERS.values(), repeat=2):
        one(), other()
        before = reading()
        with backend(recipe):
            inside, precision = reading()
        assert inside == {
            "get_float32_matmul_precision": "high" if tf32 else "highest",
            "cuda.matmul.allow_tf32": tf32,
            "cudnn.allow_tf32": tf32,
            "cudnn.flags": "read",
        }
        assert precision["cuda", "matmul"] == ("tf32" if tf32 else "ieee")
        # cudnn.flags() leaves "none" where it found "ieee"; all that is wider says nothing, which is the same
        assert {precision["cuda", what] for what in ("conv", "rnn")} <= ({"tf32"} if tf32 else {"ieee", "none"})
        assert precision["cuda", "all"] == precision["generic", "all"] == "none"
        assert {precision["mkldnn", what] for what in ("all", "matmul", "conv", "rnn")} == {"none"}
        assert reading() == before


def test_what_reads_them_inside_and_sets_them_goes_with_the_training(
    digits_recipe: str, precisions_put_back: None
) -> None:
    before = reading()
    with pytest.raises(KeyError), backend(read_recipe(digits_recipe)):
        torch.backends.cuda.matmul.fp32_precision = "ieee"
        raise KeyError
    assert reading() == before


@pytest.fixture
def deterministic(digits_recipe: str) -> Recipe:
    return read_recipe(digits_recipe, overrides=("train.deterministic=true",))


@pytest.mark.parametrize(("given", "meanwhile"), [(None, ":4096:8"), (":16:8", ":16:8"), (":0:0", ":4096:8")])
def test_a_deterministic_run_has_the_workspace_that_cublas_needs(
    deterministic: Recipe, monkeypatch: pytest.MonkeyPatch, given: str | None, meanwhile: str
) -> None:
    monkeypatch.delenv(CUBLAS, raising=False)
    if given is not None:
        monkeypatch.setenv(CUBLAS, given)
    with backend(deterministic):
        assert os.environ[CUBLAS] == meanwhile
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.benchmark
    assert os.environ.get(CUBLAS) == given
    assert not torch.are_deterministic_algorithms_enabled()


def test_any_other_run_leaves_the_environment_alone(digits_recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CUBLAS, raising=False)
    with backend(read_recipe(digits_recipe)):
        assert CUBLAS not in os.environ


def test_the_generator_goes_on_where_it_was(digits_recipe: str) -> None:
    torch.manual_seed(5)
    expected = torch.rand(4)[2:]
    torch.manual_seed(5)
    torch.rand(2)
    with backend(read_recipe(digits_recipe)):
        first = torch.rand(3)
    assert torch.equal(torch.rand(2), expected)
    with backend(read_recipe(digits_recipe)):
        assert torch.equal(torch.rand(3), first)
