"""Has the network as many parameters as the recipe's source says?"""

from __future__ import annotations

from workbench.engine.build import Build, parameter_counts
from workbench.events import CheckFinished


def check_parameter_count(build: Build) -> CheckFinished | None:
    """Compare with ``[expect]``; None where the recipe claims nothing."""
    expected = build.recipe.expect.parameters
    if expected is None:
        return None
    counts = parameter_counts(build.model)
    found = sum(counts.values())
    parts = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    reason = "the network is the one that the claim is about"
    if found != expected:
        reason = f"{found - expected:+,} parameters: another network than the claim is about ({parts})"
    return CheckFinished(
        name="parameters",
        verdict="pass" if found == expected else "fail",
        expected=f"{expected:,}",
        found=f"{found:,}",
        reason=reason,
    )
