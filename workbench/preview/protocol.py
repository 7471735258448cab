"""What the screens and the preview process say to each other: one JSON object a line. Torch-free."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

STAGES = ("static", "checks")


@dataclass(frozen=True)
class Request:
    """Look at this recipe. Replies carry the same ``id``; a newer request makes older ones void.

    recipe: TOML text. plugins: files to load first. stages: which replies are wanted, in this order:
    ``"static"`` (parameters, steps, learning rates) and ``"checks"`` (initial loss and the checks before a run).
    """

    id: int
    recipe: str
    data_root: str
    plugins: tuple[str, ...] = ()
    device: str = "cpu"
    stages: tuple[str, ...] = STAGES


@dataclass(frozen=True)
class Static:
    """What a build says without running the network. learning_rates: (epochs done, rate) at up to 200 steps."""

    id: int
    parameters: int
    parameters_by_part: dict[str, int]
    steps_per_epoch: int
    steps: int
    learning_rates: list[list[float]]
    stage: str = "static"


@dataclass(frozen=True)
class Checks:
    """What the untrained network says. checks: name, verdict, expected, found, reason each; losses in nats."""

    id: int
    initial_loss: float
    expected_initial_loss: float
    checks: list[dict[str, str]]
    stage: str = "checks"


@dataclass(frozen=True)
class Refused:
    """The recipe cannot be built; ``error`` is one line."""

    id: int
    error: str


Reply = Static | Checks | Refused


def to_line(message: Request | Reply) -> str:
    """One line of JSON with its line break; what is not finite becomes NaN or Infinity, which ``json`` reads back."""
    return json.dumps(asdict(message), separators=(",", ":")) + "\n"


def read_request(line: str) -> Request:
    """Raises ValueError for anything that is no request."""
    values = _object(line)
    for key in ("plugins", "stages"):
        if key in values:
            values[key] = tuple(values[key])
    try:
        return Request(**values)
    except TypeError as error:
        raise ValueError(f"not a preview request: {error}") from None


def read_reply(line: str) -> Reply:
    """Raises ValueError for anything that is no reply."""
    values = _object(line)
    kind: type[Reply] = Refused if "error" in values else Checks if values.get("stage") == "checks" else Static
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"not a preview reply: {error}") from None


def _object(line: str) -> dict[str, Any]:
    values = json.loads(line)
    if not isinstance(values, dict):
        raise ValueError("expected a JSON object")
    return values
