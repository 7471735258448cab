"""Types of values that are read back: pydantic takes nothing else for them, whatever stands in the file."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def _figure(value: Any) -> Any:
    """JSON has no nan: what is not finite is written as null."""
    return math.nan if value is None or (isinstance(value, float) and not math.isfinite(value)) else value


Count = Annotated[int, Field(ge=0, lt=2**63)]
"""Steps, images, bytes."""

Figure = Annotated[float, BeforeValidator(_figure)]
"""A measured number; nan where it was not finite."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
"""A measured number, left out where it was not finite."""

Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
"""Epochs or seconds so far."""

Timestamp = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
"""Seconds since 1970, of this millennium or the next."""
