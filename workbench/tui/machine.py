"""The GPUs in a few words, for the border of a pane. Torch-free."""

from __future__ import annotations

from workbench.devices import GIB, Gpu, list_gpus


def gpus_in_words(gpus: list[Gpu] | None = None) -> str:
    """How many there are, what the freest one has, whether others use it; "no GPU" without any."""
    found = list_gpus() if gpus is None else gpus
    if not found:
        return "no GPU"
    best = max(found, key=lambda gpu: gpu.free)
    count = "1 GPU" if len(found) == 1 else f"{len(found)} GPUs"
    return f"{count}, {best.free / GIB:.0f} GiB free" + (", busy" if best.processes else "")
