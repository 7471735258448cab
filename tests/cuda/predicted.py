"""Predicts what a recorded step takes on a card, from counted operations and bytes: `python -m tests.cuda.predicted`.

Nothing is computed and nothing is timed. On the card each operation takes the longer of two times, that of its
arithmetic and that of the bytes which it reads and writes, and never less than a kernel takes to begin and end; they
run one after the other, as they do in a recorded step. Meanwhile the host launches what is not in the recording. The
step takes as long as the slower of the two.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from tests.cuda.launches import STEADY, Launching, on_noise, on_the_stand_in, recipes, train_a_little
from tests.cuda.launches import counted as launched
from workbench.engine.build import Build


@dataclass(frozen=True)
class Card:
    """What a card and its host do: operations a second in 16 and in 32 bits (as TF32), bytes a second; the shortest
    time of an operation in a graph, the host's for a step, and for each launch outside the graph.
    """

    name: str
    half: float
    single: float
    bytes: float
    kernel_seconds: float = 5.5e-6
    host_seconds: float = 0.42e-3
    launch_seconds: float = 10e-6


CARDS = (
    Card("H200", half=485e12, single=242e12, bytes=4.3e12),
    Card("H100 SXM", half=485e12, single=242e12, bytes=3.0e12),
)
"""Arithmetic and an H200's bytes from one of 26 November 2026: fast94's convolutions, 1.42 TFLOP in 2.93 ms; bytes of
its element-wise kernels. An H100 has the same arithmetic and, by its maker, slower memory. The times of an operation
and of the host from an H100 of 27 November 2026: steps of v0, v2, v5, resnet20 and resnet32 grow by 5 to 8 µs with each
operation, which is a few kernels where it is a convolution, and the shortest took 0.49 ms (recipes/README.md).
"""

COURSE = 32
"""Steps in which images grow to their full size."""

aten = torch.ops.aten
KINDS: dict[Any, str] = {
    aten.convolution: "convolutions",
    aten.convolution_backward: "convolutions",
    aten.max_pool2d_with_indices: "pooling",
    aten.max_pool2d_with_indices_backward: "pooling",
    aten.native_batch_norm: "norms",
    aten._native_batch_norm_legit: "norms",
    aten._batch_norm_with_update: "norms",
    aten.cudnn_batch_norm: "norms",
    aten.native_batch_norm_backward: "norms",
    aten.cudnn_batch_norm_backward: "norms",
    aten.batch_norm_backward: "norms",
    aten.mm: "products",
    aten.addmm: "products",
    aten.bmm: "products",
    aten.baddbmm: "products",
}
NOTHING = {
    aten.detach,
    aten.empty,
    aten.empty_like,
    aten.empty_strided,
    aten.new_empty,
    aten.lift_fresh,
    aten.alias,
    aten._unsafe_view,
}


@dataclass
class Work:
    """Operations, bytes and kernels of some steps; bytes by operation, with the arithmetic that each does."""

    pieces: list[tuple[str, float, float, bool]] = field(default_factory=list)

    def seconds(self, card: Card) -> dict[str, float]:
        """Seconds by kind."""
        found: dict[str, float] = defaultdict(float)
        for kind, operations, bytes_, half in self.pieces:
            arithmetic = operations / (card.half if half else card.single)
            found[kind] += max(arithmetic, bytes_ / card.bytes, card.kernel_seconds)
        return found

    @property
    def operations(self) -> float:
        """Additions and multiplications."""
        return sum(piece[1] for piece in self.pieces)

    @property
    def bytes(self) -> float:
        """Read and written."""
        return sum(piece[2] for piece in self.pieces)


class Counting(Launching):
    """Operations are launched as they are, nothing is computed; what they take is added up while ``into`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.into: Work | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = super().__torch_dispatch__(func, types, args, kwargs)
        if self.into is not None and not func.is_view and func.overloadpacket not in NOTHING:
            self.into.pieces += pieces(func, args, kwargs or {}, out)
        return out


def pieces(func: Any, args: Any, kwargs: Any, out: Any) -> Iterator[tuple[str, float, float, bool]]:
    """The kernels of an operation: kind, operations, bytes, whether in 16 bits."""
    packet = func.overloadpacket
    read, written = tensors((args, kwargs)), tensors(out)
    if not any(t.is_cuda for t in (*read, *written)):
        return
    half = any(t.element_size() == 2 for t in (*read, *written) if t.is_floating_point())
    moved = float(sum(map(size, {id(t): t for t in read}.values())) + sum(map(size, written)))
    kind = KINDS.get(packet, "element by element")
    operations = float(flop_registry[packet](*args, **kwargs, out_val=out)) if packet in flop_registry else 0.0
    if packet is aten.convolution_backward:  # a kernel for each gradient, which reads two tensors and writes one
        grad, x, weight = args[:3]
        wanted = [t for t, asked in zip((x, weight), args[-1], strict=False) if asked]
        for target in wanted:
            other = weight if target is x else x
            yield kind, operations / len(wanted), float(size(grad) + size(other) + size(target)), half
        return
    if packet is aten.max_pool2d_with_indices:  # ours keeps a byte for each place
        moved = float(size(args[0]) + size(out[0]) + out[0].numel())
    if packet is aten.max_pool2d_with_indices_backward:
        moved = float(size(args[0]) + args[0].numel() + size(out))
    if kind == "norms":  # once for the mean and the variance, or for their gradients, and once for the result
        moved += float(sum(size(t) for t in read if t.ndim == 4))
    yield kind, operations, moved, half


def tensors(values: Any) -> list[Tensor]:
    """All tensors in nested lists, tuples and dictionaries."""
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def size(tensor: Tensor) -> int:
    """Bytes of a tensor's memory that its elements lie in: what is expanded counts once."""
    elements = 1
    for length, stride in zip(tensor.shape, tensor.stride(), strict=True):
        elements *= length if stride else 1
    return elements * tensor.element_size()


def counted(name: str, *overrides: str) -> tuple[Work, int, Build]:
    """The work of a steady step of a packaged recipe, or of some over its course where images grow; how many they are,
    and the build.
    """
    settings = ("train.compile=off", f"train.log_every={COURSE}", "train.eval_every=1000", *overrides)
    found = Work()
    with on_noise(name, *settings, batches=COURSE + 2) as built, _disable_current_modes(), Counting() as counting:
        steps = range(STEADY, STEADY + 1)
        if built.recipe.on("progressive_resizing"):
            built, steps = built.with_(steps=COURSE), range(COURSE)
        train_a_little(built, lambda step: setattr(counting, "into", found if step in steps else None))
        return found, len(steps), built


MEASURED = {
    "basic-cnn": 259_546, "v0": 238_428, "v2": 185_576, "v5": 101_718, "v6": 96_864, "resnet20": 55_751,
    "resnet32": 38_002, "dreamfire": 18_038, "resnet18": 25_134, "deeper-cnn": 46_874, "ninety-four": 115_813,
    "fast94": 307_900, "fast94-growing": 342_200,
}  # fmt: skip
"""Images a second of the last of the cards on that day (recipes/README.md)."""
MEASURED_ON = CARDS[-1].name


@dataclass(frozen=True)
class Prediction:
    """Seconds of a step: of the card, by kind of operation, and of the host."""

    kinds: dict[str, float]
    host: float

    @property
    def card(self) -> float:
        """All that the card does."""
        return sum(self.kinds.values())

    @property
    def seconds(self) -> float:
        """Of the step."""
        return max(self.card, self.host)


def predicted(work: Work, steps: int, launches: int, card: Card) -> Prediction:
    """What a step takes that does one part in ``steps`` of the work and has so many launches outside its graph."""
    kinds = {kind: seconds / steps for kind, seconds in work.seconds(card).items()}
    return Prediction(kinds, card.host_seconds + launches * card.launch_seconds)


def table(names: list[str]) -> Iterator[str]:
    """Predictions as the lines of a table in Markdown."""
    cards = " | ".join(f"{card.name}: card, ms | host, ms | images/s" for card in CARDS)
    beside = f"{MEASURED_ON} measured | predicted ÷ measured"
    yield f"| recipe | GFLOP a step | MB a step | operations | {cards} | {beside} |"
    yield f"|{'---|' * (6 + 3 * len(CARDS))}"
    for name in names:
        work, steps, built = counted(name)
        batch, launches = built.recipe.data.batch_size, launched(name, "graph").total
        cells = [f"{work.operations / steps / 1e9:,.1f}", f"{work.bytes / steps / 1e6:,.0f}"]
        cells.append(f"{len(work.pieces) / steps:,.0f}")
        for card in CARDS:
            found = predicted(work, steps, launches, card)
            cells += [f"{1e3 * found.card:.2f}", f"{1e3 * found.host:.2f}", f"{batch / found.seconds:,.0f}"]
            rate = batch / found.seconds
        measured = MEASURED.get(name, 0)
        cells += [f"{measured:,}", f"{rate / measured:.2f}"] if measured else ["–", "–"]
        yield f"| `{name}` | {' | '.join(cells)} |"


def main(arguments: list[str]) -> None:
    """Print the table of these recipes, or of all; with ``--kinds`` also the milliseconds of each kind of operation."""
    on_the_stand_in("tests.cuda.predicted", arguments)
    names = [name for name in arguments if not name.startswith("-")] or recipes()
    for line in table(names):
        print(line, flush=True)
    if "--kinds" in arguments:
        for name in names:
            work, steps, _ = counted(name)
            kinds = predicted(work, steps, 0, CARDS[0]).kinds
            counts = Counter(piece[0] for piece in work.pieces)
            told = ", ".join(f"{kind} {1e3 * kinds[kind]:.2f} ms in {counts[kind] / steps:.0f}" for kind in kinds)
            print(f"{name}: {told}")


if __name__ == "__main__":
    main(sys.argv[1:])
