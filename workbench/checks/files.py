"""Are all image files readable and of a sensible size?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result
from workbench.recipe.specs import parameter

if TYPE_CHECKING:
    from workbench.engine.build import Build


class Files(Check):
    """For images that come as files: how many were left out as broken, and how many had an odd size.

    Odd is a file that had to be enlarged, or that is so long or so high that cutting its centre loses most of it.
    """

    name = "files"
    title = "image files"
    when = "before"
    rank = 42

    broken: float = parameter(0.0, ge=0, le=1, description="largest share of broken files that passes")
    odd: float = parameter(0.01, ge=0, le=1, description="largest share of files of an odd size that passes")

    def examine(self, build: Build) -> Result | None:
        """Nothing to check where the images are no files of their own."""
        files = build.dataset.files
        if files is None:
            return None
        expected = "every file readable, none of an odd size"
        found = f"{len(files.broken)} of {files.seen:,} broken, {len(files.odd)} odd"
        if len(files.broken) > self.broken * files.seen:
            reason = f"{len(files.broken)} files cannot be read and are left out; {files.broken[0]}"
            return Result("warn", expected, found, reason, "repair or remove what cannot be read")
        if len(files.odd) > self.odd * files.seen:
            advice = "look at them; set data.image_size to a size that suits most files"
            reason = f"{len(files.odd)} files have an odd size; {files.odd[0]}"
            return Result("warn", expected, found, reason, advice)
        return Result("pass", expected, found, "all that was collected is trained on")
