"""torch's process-wide settings: set for a training, put back after it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

import torch

from workbench import torch_compat
from workbench.randomness import key
from workbench.recipe import Recipe

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
"""The environment variable without which cuBLAS may sum in another order each time."""
DETERMINISTIC_CUBLAS = (":4096:8", ":16:8")

PRECISIONS = (
    ("generic", "all"),
    *((backend, what) for backend in ("cuda", "mkldnn") for what in ("all", "matmul", "conv", "rnn")),
)
"""Where torch's newer interface keeps the precision of fp32 products, wider before narrower."""

T = TypeVar("T")


@contextmanager
def backend(recipe: Recipe, device: str | torch.device = "cpu") -> Iterator[None]:
    """Threads, TF32, determinism and the generators that layers such as dropout draw from, as the recipe wants them.

    device: where the training is; in this thread, whatever names no GPU means that one meanwhile.
    """
    train = recipe.train
    with (
        _on(torch.device(device)),
        _threads_kept(),
        _algorithms(train.deterministic),
        _tf32(train.tf32),
        _generators(key(recipe.seed, "layers")),
    ):
        if train.threads is not None:
            torch.set_num_threads(train.threads)
        yield


def _on(device: torch.device) -> AbstractContextManager[object]:
    """A GPU is the present one in the block: events, streams and page-locked memory would take memory on another."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


@contextmanager
def threads_limited(count: int) -> Iterator[None]:
    """torch's operations on the CPU use ``count`` threads meanwhile."""
    with _threads_kept():
        torch.set_num_threads(count)
        yield


@contextmanager
def _threads_kept() -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _algorithms(deterministic: bool) -> Iterator[None]:
    """Only deterministic kernels, or the fastest ones that cuDNN finds."""
    mode = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark, cublas = torch.backends.cudnn.benchmark, os.environ.get(CUBLAS)
    try:
        if deterministic and cublas not in DETERMINISTIC_CUBLAS:
            os.environ[CUBLAS] = DETERMINISTIC_CUBLAS[0]
        _set_deterministic(deterministic, warn_only=True)
        torch.backends.cudnn.benchmark = not deterministic
        yield
    finally:
        torch.backends.cudnn.benchmark = benchmark
        _set_deterministic(mode, warn_only=warn_only)
        if cublas is None:
            os.environ.pop(CUBLAS, None)
        else:
            os.environ[CUBLAS] = cublas


def _set_deterministic(mode: bool, *, warn_only: bool) -> None:
    """``torch.use_deterministic_algorithms``, unless it is off and stays so: the call loads torch's compiler."""
    if mode or torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(mode, warn_only=warn_only)


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    """TF32 in products and convolutions on CUDA, or not; nowhere else.

    Set by the older of torch's two interfaces, from a state in which the newer one says nothing: where the two
    disagree, each read of the older one raises, and torch's own compiler reads it.
    """
    cudnn = torch.backends.cudnn
    read, write = torch_compat.fp32_precision, torch_compat.set_fp32_precision
    products, convolutions = _or_none(torch.get_float32_matmul_precision), _or_none(lambda: cudnn.allow_tf32)
    if products is None:  # it disagreed with the newer interface, and is to do so again
        products = "highest" if read("cuda", "matmul") == "tf32" else "high"
    if convolutions is None:
        convolutions = not read("cuda", "conv") == read("cuda", "rnn") == "tf32"
    before = {}
    for place in PRECISIONS:  # one that says nothing reads as a wider one does, which is why that is cleared first
        before[place] = read(*place)
        write(*place, "none")
    try:
        torch.set_float32_matmul_precision("high" if allowed else "highest")
        write("mkldnn", "matmul", "none")  # CPUs have TF32, too
        cudnn.allow_tf32 = allowed
        for what in ("conv", "rnn"):
            write("cuda", what, "tf32" if allowed else "ieee")
        yield
    finally:
        torch.set_float32_matmul_precision(products)
        cudnn.allow_tf32 = convolutions
        for place, precision in before.items():
            write(*place, precision)


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except RuntimeError:
        return None


@contextmanager
def _generators(seed: int) -> Iterator[None]:
    """torch's global generators, those of every GPU among them, start from a seed."""
    own, first = torch.random.get_rng_state(), torch.initial_seed()
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]
    try:
        torch.manual_seed(seed)
        yield
    finally:
        torch.random.set_rng_state(own)
        if on_gpus is not None:
            torch.cuda.set_rng_state_all(on_gpus)
        else:  # CUDA was not asked for yet: its generators would have begun, or will begin, from this seed
            torch.cuda.manual_seed_all(first)
