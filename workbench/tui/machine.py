"""The GPUs in a few words, for the border of a pane. Torch-free."""

from __future__ import annotations

from workbench.devices import GIB, Gpu, Trouble, list_gpus

MOST = 3
"""Processes that are named one by one."""


def gpus_in_words(gpus: list[Gpu] | None = None, trouble: Trouble | None = None) -> str:
    """How many there are, what the freest one has, whether others use it; "no GPU" without any.

    trouble: what is wrong with it; the dialog of devices has the words.
    """
    found = list_gpus() if gpus is None else gpus
    if trouble is not None:
        return "GPU unusable, D says why" if trouble.certain else "GPU in doubt, D says why"
    if not found:
        return "no GPU"
    best = max(found, key=lambda gpu: gpu.free or 0)
    count = "1 GPU" if len(found) == 1 else f"{len(found)} GPUs"
    free = "" if best.free is None else f", {best.free / GIB:.0f} GiB free"
    return f"{count}{free}" + (", busy" if best.processes else "")


def gpu_lines(gpu: Gpu) -> tuple[str, str]:
    """A GPU's name and memory, and the processes of others on it ("" for none): pid, name and memory of each."""
    head = gpu.name
    if gpu.free is not None and gpu.total is not None:
        head += f"  {gpu.free / GIB:.1f} of {gpu.total / GIB:.1f} GiB free"
    others = []
    for process in gpu.processes[:MOST]:
        memory = f" {process.memory / GIB:.1f} GiB" if process.memory is not None else ""
        others.append(f"{process.name or 'a process'} (pid {process.pid}){memory}")
    more = f" and {len(gpu.processes) - MOST} more" if len(gpu.processes) > MOST else ""
    return head, f"used by {', '.join(others)}{more}" if others else ""
