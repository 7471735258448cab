"""What limits a training, by rule, from measured figures. Pure and torch-free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.profiling.report import Bound, Phases

EVALUATION = 0.35
"""A run that evaluates for this share of its time is bound by that."""

TRANSFER = 0.3
"""The share of a step that copying to the device takes, from which on it is what limits."""

ASLEEP = 0.25
"""A training thread that sleeps for this share of the network's own time is kept waiting by something."""

FLAT = 1.35
"""Twice the images take at most so many times as long: most of a step is launching operations, not working."""

BETWEEN = (1.2, 1.7)
"""Where the machine was busy, what lies between these is not clear: a process that waits its turn takes longer."""

FLAT_BESIDE_SYNCS = 1.6
"""The same, where the step is known to wait for the device."""

STANDS = 0.1
"""A step that stands still for this share of its time until the GPU has caught up is limited by that, if by the host at
all: without the waits it would be shorter by about so much."""

GAP = 1.3
"""A step that takes so many times what its parts explain waits for something between them."""

ABOUT = 0.05
"""What is longer by less than this share is about as long."""

IMPOSSIBLE = 0.8
"""Twice the images cannot take so much less time than half of them: something else was at work."""

AGREED = 0.75
"""The share of all turns that must say the same, or it is not clear what limits."""

DISTURBED = 0.1
"""A training kept from the processor for this share of its time has figures that say so."""

FULL = 0.95
"""The share of a GPU's memory from which on it is short."""


NAMES: dict[Bound, str] = {
    "loader": "loading", "compute": "the network", "launch": "launching operations", "sync": "waiting",
    "transfer": "copying to the device", "memory": "memory", "evaluation": "evaluating", "unclear": "none of them",
}  # fmt: skip
"""What limits, as it is said where it is not clear."""


@dataclass(frozen=True)
class Evidence:
    """Measured figures; throughputs in images per second, CPU figures in seconds an image, shares 0–1.

    device_loader, loader_alone, stretch: None where not measured. stretch, asleep, asleep_whole, disturbed: as in
    :class:`workbench.profiling.ceilings.Ceilings`.
    syncs: places in the step that wait for the GPU, those that take longest first; sync_share: of the step's time, what
    all of them take. gpu_use: the share of the time in which the GPU did anything; None where nobody says.
    begin_share: of an epoch, until its first batch is there. bf16: whether the device computes in it faster than in
    fp32.
    """

    on_gpu: bool
    pipeline: str
    workers: int
    batch_size: int
    cores: int
    end_to_end: float
    loader: float
    compute: float
    phases: Phases
    loader_alone: float | None = None
    device_loader: float | None = None
    batch_scaling: float | None = None
    idle_share: float = 0.0
    idle_share_whole: float = 0.0
    disturbed: float = 0.0
    loader_cpu: float = 0.0
    compute_cpu: float = 0.0
    syncs: tuple[str, ...] = ()
    sync_share: float = 0.0
    gpu_use: float | None = None
    evaluation_share: float = 0.0
    begin_share: float = 0.0
    memory_share: float = 0.0
    memory_retries: int = 0
    dearest_transform: str = ""
    dearest_share: float = 0.0
    bf16: bool = False

    @property
    def overlapped(self) -> bool:
        """Whether batches are made while the network works."""
        return self.pipeline == "loader" and self.workers > 0

    @property
    def per_worker(self) -> float:
        """What one worker alone makes."""
        return self.loader_alone or self.loader / max(1, self.workers)

    @property
    def starved(self) -> bool:
        """Whether the step may wait for data only because other programs keep the workers from a processor."""
        return self.overlapped and self.disturbed >= DISTURBED

    @property
    def wait(self) -> float:
        """The share of a step that waits for data, or on the device pipeline makes it."""
        if self.pipeline == "device":
            return self.share("augment")
        return self.share("data wait")

    @property
    def longer(self) -> float:
        """How many times as long twice the images take; 2 where that was not measured."""
        return self.batch_scaling or 2.0

    def share(self, phase: str) -> float:
        """The share of a step that a phase takes."""
        whole = self.phases.step_seconds
        return self.phases.seconds.get(phase, 0.0) / whole if whole > 0 else 0.0


def together(evidence: Evidence, loader: float, compute: float, *, overlapped: bool) -> float:
    """The throughput that a loader and a network should reach together, each with its own alone.

    One after the other their times add up. Side by side the slower one decides, and on
    the CPU the cores that both share.
    """
    if not overlapped:
        return 1 / (1 / loader + 1 / compute)
    shared = 0.0 if evidence.on_gpu else (evidence.loader_cpu + evidence.compute_cpu) / evidence.cores
    return 1 / max(1 / loader, 1 / compute, shared)


def bound(e: Evidence) -> Bound:
    """What limits the training; "unclear" where the figures cannot be of the training alone."""
    if e.memory_retries or e.memory_share >= FULL:
        return "memory"
    if e.evaluation_share >= EVALUATION:
        return "evaluation"
    if e.share("transfer") >= TRANSFER:
        return "transfer"
    expected = together(e, e.loader, e.compute, overlapped=e.overlapped)
    if e.end_to_end >= GAP * min(e.loader, e.compute) and not e.starved:  # else batches come while the step must wait
        return "unclear"
    if e.loader <= e.compute or (e.pipeline == "loader" and e.wait >= 0.5 and not e.starved):
        return "loader"
    if expected >= GAP * e.end_to_end:
        if e.wait >= 0.25:
            return "unclear" if e.starved else "loader"
        if e.on_gpu and e.longer <= FLAT and e.sync_share < STANDS:
            return "launch"  # all that the host does for a batch comes on top, and nothing is waited for
        if (
            e.on_gpu or e.idle_share_whole - e.wait >= ASLEEP
        ):  # else others use the processor, more at times than at others
            return "unclear" if _in_doubt(e, e.idle_share_whole - e.wait < 2 * ASLEEP) else "sync"
    if e.idle_share >= ASLEEP and not e.on_gpu:
        return "unclear" if _in_doubt(e, e.idle_share < 2 * ASLEEP) else "sync"
    if e.longer < IMPOSSIBLE:
        return "unclear"
    if e.sync_share >= STANDS and e.longer <= FLAT_BESIDE_SYNCS:
        return "sync"
    if _in_doubt(e, BETWEEN[0] < e.longer < BETWEEN[1]):
        return "unclear"
    return "launch" if e.longer <= FLAT else "compute"


def _in_doubt(e: Evidence, near: bool) -> bool:
    """Whether a figure near its limit may be on the wrong side of it because of what other programs took."""
    return near and not e.on_gpu and e.disturbed >= DISTURBED


def agreed(whole: Evidence, turns: Sequence[Evidence]) -> Bound:
    """What limits the training by all figures together, if nearly every turn by itself says so too; else "unclear"."""
    found = bound(whole)
    return found if said(turns)[found] >= AGREED * len(turns) else "unclear"


def said(turns: Sequence[Evidence]) -> Counter[Bound]:
    """What limits the training by each turn's own figures, and in how many of them."""
    return Counter(map(bound, turns))


def sentence(e: Evidence, bound: Bound, turns: Sequence[Evidence] = ()) -> str:
    """One sentence: the reason, and what each part alone would reach. The rates themselves stand beside it, as bars.

    turns: each one's figures by themselves, for a verdict that is not clear.
    """
    reason = _doubt(e, said(turns)) if bound == "unclear" else _reason(e, bound)
    batches = f"batches alone come {_times(e.loader / e.end_to_end)}×"
    network = f"the network alone goes {_times(e.compute / e.end_to_end)}×"
    beside = {"loader": network, "compute": batches}.get(bound, f"{batches}, {network}")
    return f"{reason}; {beside} as fast as both together."


def _doubt(e: Evidence, said: Counter[Bound]) -> str:
    """Why it is not clear what limits the training."""
    votes = ", ".join(f"{NAMES[bound]} in {count}" for bound, count in said.most_common())
    found = f"of {said.total()} windows it was {votes}" if len(said) > 1 else "the windows contradict each other"
    if e.disturbed >= DISTURBED:
        return (
            f"What limits training cannot be said while other programs keep it from the processor for "
            f"{_percent(e.disturbed)} of its time: {found}"
        )
    return f"It is not clear what limits training: {found}"


def _reason(e: Evidence, bound: Bound) -> str:
    wait = f"{_percent(e.wait)} of a step"
    match bound:
        case "memory":
            taken = f"{_percent(e.memory_share)} of the GPU's is taken"
            return f"Memory limits training: {taken}, and it had to be tidied up {e.memory_retries} times"
        case "evaluation":
            return f"Evaluating limits the run: it takes {_percent(e.evaluation_share)} of its time"
        case "transfer":
            return f"Copying to the device limits training: {_percent(e.share('transfer'))} of a step"
        case "loader" if e.pipeline == "device":
            return f"Augmentation limits training: {wait} is spent on it"
        case "loader" if e.overlapped and e.workers > e.cores:
            return f"Loading limits training: {e.workers} workers crowd {e.cores} cores, {wait} waits for data"
        case "loader":
            return f"Loading limits training: {wait} waits for data"
        case "sync" if e.syncs:
            stands = f"the step stands still for it {_percent(e.sync_share)} of the time"
            return f"Waiting for the GPU limits training: {stands}, at {', '.join(e.syncs[:2])}"
        case "sync" if e.idle_share >= ASLEEP:
            idle_share = f"{_percent(e.idle_share)} of the network's own time"
            return f"Waiting limits training: its thread sleeps for {idle_share}, and not for data"
        case "sync":
            return "Waiting limits training: it is far below both its parts, and does not wait for data"
        case "launch":
            longer = e.longer - 1
            taken = "as long" if longer < ABOUT else f"only {_percent(longer)} longer"
            used = f"the GPU is in use {_percent(e.gpu_use)} of the time, " if e.gpu_use is not None else ""
            return f"Launching operations limits training: {used}twice the images take {taken}"
        case _:
            reached = _percent(min(1.0, e.end_to_end / e.compute))
            return f"The network limits training: with data it reaches {reached} of its throughput alone"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
