"""torch's process-wide settings: set for a training, put back after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from workbench.memory import keep_freed_memory
from workbench.randomness import key
from workbench.recipe import Recipe


@contextmanager
def backend(recipe: Recipe) -> Iterator[None]:
    """Threads, TF32, determinism and the generators that layers such as dropout draw from, as the recipe wants them."""
    keep_freed_memory()
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    products: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    formats = [each.fp32_precision for each in products]
    generator = torch.random.get_rng_state()
    try:
        if recipe.train.threads is not None:
            torch.set_num_threads(recipe.train.threads)
        _set_deterministic(recipe.train.deterministic, warn_only=True)
        torch.backends.cudnn.benchmark = not recipe.train.deterministic
        for each in products:
            each.fp32_precision = "tf32" if recipe.train.tf32 else "ieee"
        torch.manual_seed(key(recipe.seed, "layers"))
        yield
    finally:
        torch.random.set_rng_state(generator)
        torch.backends.cudnn.benchmark = benchmark
        for each, before in zip(products, formats, strict=True):
            each.fp32_precision = before
        _set_deterministic(deterministic, warn_only=warn_only)
        torch.set_num_threads(threads)


@contextmanager
def threads_limited(count: int) -> Iterator[None]:
    """torch's operations on the CPU use ``count`` threads meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _set_deterministic(mode: bool, *, warn_only: bool) -> None:
    """``torch.use_deterministic_algorithms``, unless it is off and stays so: the call loads torch's compiler."""
    if mode or torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(mode, warn_only=warn_only)
