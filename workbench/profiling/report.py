"""What a profile says, as plain values: for the screens, for ``--json`` and for ``profile/report.json``. Torch-free."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

Phase = Literal["data wait", "transfer", "augment", "forward", "backward", "optimizer", "other"]
PHASES: tuple[Phase, ...] = get_args(Phase)
READING = "reading the images"
"""The name of the transform that comes before all others: getting the images from memory or files."""
LETTERS: dict[str, str] = {
    "data wait": "D", "transfer": "T", "augment": "A", "forward": "F", "backward": "B", "optimizer": "O", "other": ".",
    "unexplained": "?",
}  # fmt: skip
"""What a phase is drawn with where there is no colour."""
Bound = Literal["loader", "compute", "launch", "sync", "transfer", "memory", "evaluation", "unclear"]


@dataclass(frozen=True)
class Throughput:
    """Images per second: the median of several windows, the lowest and the highest of them."""

    images_per_second: float
    low: float
    high: float
    windows: int


@dataclass(frozen=True)
class Phases:
    """Mean seconds of a step by phase, over ``samples`` steps of which one in ``every`` was measured.

    What the phases leave of ``step_seconds`` is not explained. cost: the share of the training time that measuring
    took. recorded_seconds: where these steps had to run as they are written, but the others are repeated from a
    recording, what one of the others takes.
    """

    step_seconds: float
    seconds: dict[str, float]
    samples: int
    every: int
    cost: float
    recorded_seconds: float | None = None

    @property
    def explained(self) -> float:
        """The share of the step that the phases explain."""
        return sum(self.seconds.values()) / self.step_seconds if self.step_seconds > 0 else 0.0


@dataclass(frozen=True)
class Transform:
    """What one image augmentation (or reading the images) costs a loader worker. share: of a batch's making."""

    name: str
    seconds_per_image: float
    share: float


@dataclass(frozen=True)
class Process:
    """CPU use of the training process or of a worker, in cores; memory in bytes."""

    name: str
    pid: int
    cores: float
    memory: int


@dataclass(frozen=True)
class Gpu:
    """A GPU during the end-to-end windows: utilisation as a share of 1, memory in bytes."""

    name: str
    utilisation: float | None
    peak: int
    reserved: int
    total: int


@dataclass(frozen=True)
class Suggestion:
    """One change to a recipe: ``changes`` maps dotted keys to values, as after ``--set``; None removes a technique.

    predicted: images per second that the measurements promise, None where they promise no figure.
    """

    sentence: str
    changes: dict[str, Any]
    predicted: float | None = None


@dataclass(frozen=True)
class Trial:
    """A suggestion measured: both recipes in turns.

    gain: after ÷ before, the median of the pairs, with their lowest and highest. before, after: the rates of the very
    pair that it is of, so that they agree with it, and the spread of all.
    """

    changes: dict[str, Any]
    before: Throughput
    after: Throughput
    gain: float
    low: float
    high: float
    sentence: str


@dataclass(frozen=True)
class Report:
    """A whole profile of a recipe on a machine.

    loader: batches alone, without a network. compute: the network alone on a batch that lies on the device.
    loader_alone: a single loader worker, where there are several.
    """

    recipe: str
    device: str
    machine: str
    pipeline: str
    workers: int
    batch_size: int
    end_to_end: Throughput
    loader: Throughput
    compute: Throughput
    phases: Phases
    bound: Bound
    sentence: str
    suggestion: Suggestion | None = None
    loader_alone: Throughput | None = None
    transforms: list[Transform] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    gpu: Gpu | None = None
    evaluation_share: float = 0.0
    notes: list[str] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)


@dataclass(frozen=True)
class Found:
    """What is known of a part so far: its rate, by the name that ceilings have for it."""

    name: str
    throughput: Throughput


@dataclass(frozen=True)
class MeasuringProgress:
    """A line of ``workbench profile --json-lines`` before its last, the report: what is measured now, 0 ≤ share ≤ 1.

    found: the rates so far. gains: of the pairs so far, where a change is tried.
    """

    message: str
    share: float
    found: list[Found] = field(default_factory=list)
    gains: list[float] = field(default_factory=list)


def to_plain(value: Any) -> dict[str, Any]:
    """For JSON."""
    return asdict(value)


def from_plain(kind: Any, values: Any) -> Any:
    """A dataclass of this module from what :func:`to_plain` gave. Raises KeyError or TypeError for anything else."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        known = {f.name: from_plain(hints[f.name], values[f.name]) for f in fields(kind) if f.name in values}
        return kind(**known)  # type: ignore[operator]
    inner = [part for part in get_args(kind) if part is not type(None)]
    if get_origin(kind) is list:
        return [from_plain(inner[0], value) for value in values]
    if values is not None and len(inner) == 1 and is_dataclass(inner[0]):
        return from_plain(inner[0], values)
    return values
