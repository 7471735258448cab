"""Choosing the device of the next run, as far as it needs the app."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.devices import Gpu, Trouble
from workbench.tui.machine import gpu_lines
from workbench.tui.screens.devices import DeviceScreen

if TYPE_CHECKING:
    from workbench.tui.device_app import DeviceApp


def choose(app: DeviceApp) -> None:
    """Ask for a device, at once, among the GPUs as they were seen last; :func:`seen` brings the list up to date."""
    gpus = app.gpus or []

    def chosen(device: str | None) -> None:
        if device is None:
            return
        app.device = device
        app.machine_changed()
        gpus = app.gpus or []
        numbers = cuda_numbers(gpus)
        gpu = next((gpu for gpu, number in zip(gpus, numbers, strict=True) if device == f"cuda:{number}"), None)
        if gpu is not None and gpu.processes:
            app.notify(f"{device} is {gpu_lines(gpu)[1]}", severity="warning")

    app.push_screen(DeviceScreen(gpus, cuda_numbers(gpus), app.device, app.trouble, looking=True), chosen)


def seen(app: DeviceApp, gpus: Sequence[Gpu], trouble: Trouble | None) -> None:
    """Show the GPUs as they are now where a device is being chosen."""
    if app.screen_stack and isinstance(dialog := app.screen_stack[-1], DeviceScreen):
        dialog.show_gpus(gpus, cuda_numbers(gpus), trouble)


def cuda_numbers(gpus: Sequence[Gpu], environment: Mapping[str, str] = os.environ) -> list[int | None]:
    """The ``N`` of each GPU's ``cuda:N``; None for one that CUDA_VISIBLE_DEVICES hides.

    Without torch, and so in the driver's order; where GPUs of different kinds are mixed, CUDA numbers the fastest first
    unless CUDA_DEVICE_ORDER says PCI_BUS_ID.
    """
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [number for number, _ in enumerate(gpus)]
    wanted = [word.strip() for word in visible.split(",") if word.strip()]

    def number(gpu: Gpu) -> int | None:
        return next((n for n, word in enumerate(wanted) if _means(word, gpu)), None)

    return [number(gpu) for gpu in gpus]


def _means(word: str, gpu: Gpu) -> bool:
    return word == str(gpu.index) or (word.startswith("GPU-") and gpu.uuid.startswith(word))
