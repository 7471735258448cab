"""Has the network as many parameters as the recipe's source says?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result

if TYPE_CHECKING:
    from workbench.engine.build import Build


class ParameterCount(Check):
    """Compare the number of trainable parameters with the one that the recipe claims in [expect]."""

    name = "parameter_count"
    title = "parameters"
    when = "before"
    rank = 30
    needs_data = False

    def examine(self, build: Build) -> Result | None:
        """Nothing to check where the recipe claims nothing."""
        from workbench.engine.build import parameter_counts

        expected = build.recipe.expect.parameters
        if expected is None:
            return None
        counts = parameter_counts(build.model)
        found = sum(counts.values())
        if found == expected:
            reason = "the network is the one that the claim is about"
            return Result("pass", f"{expected:,}", f"{found:,}", reason)
        parts = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        reason = f"{found - expected:+,} parameters: another network than the claim is about ({parts})"
        advice = "see [model] and what the techniques changed in it, or take expect.parameters out"
        return Result("fail", f"{expected:,}", f"{found:,}", reason, advice)
