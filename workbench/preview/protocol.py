"""What the screens and the preview process say to each other: one JSON object a line. Torch-free."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Stage = Literal["static", "baseline", "samples", "checks"]
STAGES: tuple[Stage, ...] = Stage.__args__  # type: ignore[attr-defined]
SLOW: tuple[Stage, ...] = ("samples", "checks")
"""Stages that compute with images, for up to seconds."""


@dataclass(frozen=True)
class PreviewRequest:
    """Look at this recipe. The reply carries the same ``id``; a newer request for a stage makes older ones void.

    recipe: TOML text. plugins: files to load first. stage: what is asked for: ``"static"`` (parameters, multiply-adds,
    steps, learning rates), ``"baseline"`` (the same of the recipe as loaded), ``"samples"`` (augmented training images)
    or ``"checks"`` (initial loss and the checks before a run). The last three are of samples only: how many images, the
    pixels of a side, whether smaller images are enlarged to it, and which draw of the augmentations.
    """

    id: int
    stage: Stage
    recipe: str
    data_root: str
    plugins: tuple[str, ...] = ()
    device: str = "cpu"
    count: int = 0
    side: int = 0
    enlarge: bool = True
    roll: int = 0


@dataclass(frozen=True)
class Static:
    """What a build says without running the network.

    multiply_adds: of one image; None where they cannot be counted. learning_rates: (epochs done, rate) at a few hundred
    steps.
    """

    id: int
    parameters: int
    parameters_by_part: dict[str, int]
    multiply_adds: int | None
    steps_per_epoch: int
    steps: int
    learning_rates: list[list[float]]
    training_images: int
    kind: str = "static"


@dataclass(frozen=True)
class Samples:
    """Training images as the network meets them, scaled to a square of ``side`` pixels.

    pixels: base64 of uint8 ``[images, side, side, 3]``. labels: the class of each, the two with their shares where
    images are mixed.
    """

    id: int
    side: int
    pixels: str
    labels: list[str]
    kind: str = "samples"


@dataclass(frozen=True)
class Checks:
    """What the untrained network says. checks: name, verdict, expected, found, reason each; losses in nats.

    notes: what the device has in place of what the recipe says, a sentence each.
    """

    id: int
    initial_loss: float
    expected_initial_loss: float
    checks: list[dict[str, str]]
    notes: list[str] = field(default_factory=list)
    kind: str = "checks"


@dataclass(frozen=True)
class Refused:
    """A stage cannot be answered; ``error`` is one line."""

    id: int
    error: str
    kind: str = "refused"


Reply = Static | Samples | Checks | Refused
_KINDS: dict[str, type[Reply]] = {kind.kind: kind for kind in (Static, Samples, Checks, Refused)}


def to_line(message: PreviewRequest | Reply) -> str:
    """One line of JSON with its line break; what is not finite becomes NaN or Infinity, which ``json`` reads back."""
    return json.dumps(asdict(message), separators=(",", ":")) + "\n"


def read_request(line: str) -> PreviewRequest:
    """Raises ValueError for anything that is no request."""
    values = _object(line)
    if "plugins" in values:
        values["plugins"] = tuple(values["plugins"])
    if values.get("stage") not in STAGES:
        raise ValueError(f"not a preview request: unknown stage {values.get('stage')!r}")
    try:
        return PreviewRequest(**values)
    except TypeError as error:
        raise ValueError(f"not a preview request: {error}") from None


def read_reply(line: str) -> Reply:
    """Raises ValueError for anything that is no reply."""
    values = _object(line)
    try:
        return _KINDS[values["kind"]](**values)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a preview reply: {error}") from None


def _object(line: str) -> dict[str, Any]:
    values = json.loads(line)
    if not isinstance(values, dict):
        raise ValueError("expected a JSON object")
    return values
