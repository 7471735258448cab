"""Is there room for the batches that loader workers hand over?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.checks.base import Check, Result

if TYPE_CHECKING:
    from workbench.engine.build import Build


class SharedMemory(Check):
    """With loader workers: what is free in /dev/shm against batch × (prefetch × workers + 1).

    Containers have 64 MB there unless they are started with --shm-size. A batch that finds no room is sent through a
    pipe: slower, with the same bits.
    """

    name = "shared_memory"
    title = "shared memory"
    when = "before"
    rank = 72
    source = "pytorch#5040"

    def examine(self, build: Build) -> Result | None:
        """None where no worker hands batches over."""
        from workbench.data.shared_memory import megabytes, remedy, room, wanted

        data, there = build.recipe.data, room()
        if data.pipeline != "loader" or data.workers == 0 or there is None:
            return None
        channels, height, width = build.dataset.shape
        batch = min(data.batch_size, len(build.training)) * channels * height * width
        need, (free, total) = wanted(data, batch), there
        expected = f"≤ {megabytes(free)} free of {megabytes(total)} in /dev/shm"
        found = (
            f"{megabytes(need)}: {data.workers} workers × {data.prefetch} batches of {megabytes(batch)}, and one in use"
        )
        if need <= free:
            return Result("pass", expected, found, "the workers' batches fit")
        many = "not even one batch fits" if batch > free else "the workers' batches do not fit"
        reason = f"{many}: those without room are sent through a pipe, which is slower"
        return Result("warn", expected, found, reason, remedy(data, batch, free))
