"""Does a plugin's technique or model make every step wait for the GPU?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result, not_judged
from workbench.device_lost import pass_on

if TYPE_CHECKING:
    from workbench.engine.build import Build


class Waiting(Check):
    """Train a copy for a few steps on the CPU and find the lines that would wait for a GPU in each of them.

    A number that is read from a tensor (item, bool, tolist), a size that is one (nonzero, a mask as an index) and a
    copy to the host have to wait until all that was launched before is computed; and such a step cannot be recorded.
    Only where a plugin brings a technique or the model is there anything to look for.
    """

    name = "waiting"
    title = "waits for the GPU"
    when = "before"
    rank = 70
    source = "PyTorch, CUDA semantics: asynchronous execution; torch.cuda.set_sync_debug_mode"

    def examine(self, build: Build) -> Result | None:
        """On a copy with a few images of the data set."""
        recipe = build.recipe
        if all(type(spec).__module__.startswith("workbench.") for spec in (recipe.model, *recipe.active())):
            return None
        from workbench.engine.would_wait import would_wait

        expected = "no line of a step"
        try:
            found = would_wait(build)
        except Exception as error:
            pass_on(error)
            why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            return not_judged(f"a copy of it cannot be trained on the CPU ({why})", "", expected)
        if not found:
            return Result("pass", expected, "none", "no step reads what the GPU computes")
        lines = [f"techniques.{owner}, {place}" if owner else place for owner, place in found]
        more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
        reason = "on a GPU every step stands still there until all before it is computed, and cannot be recorded"
        advice = "keep it on the device: torch.where in place of if and of masks, tensors in place of numbers"
        return Result("warn", expected, ", ".join(lines[:3]) + more, reason, advice, {"places": lines})
