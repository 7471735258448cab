"""What the app knows of the machine: its GPUs, the device of the next run, how fast earlier runs were."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence

from workbench.devices import Gpu, Trouble, gpu_trouble, list_gpus
from workbench.recipe import Recipe
from workbench.recipe.execution import Execution, execution
from workbench.runs.speed import Estimate, Speed, Speeds, estimate
from workbench.tui.app.terminal_app import TerminalApp
from workbench.tui.common.messages import GpusSeen, SpeedsRead
from workbench.tui.common.services import Settings
from workbench.tui.compose.devices import DeviceScreen, gpu_lines


class DeviceApp(TerminalApp):
    """Looks and reads in threads, never in the UI's own. gpus, trouble: ask the driver; a test has its own answers."""

    def __init__(
        self,
        settings: Settings,
        theme: str = "",
        poll: float = 1.0,
        gpus: Callable[[], list[Gpu]] = list_gpus,
        trouble: Callable[[], Trouble | None] = gpu_trouble,
    ) -> None:
        super().__init__(settings, theme, poll)
        self.device = settings.device
        self.gpus: list[Gpu] | None = None
        self.trouble: Trouble | None = None
        self._list_gpus = gpus
        self._find_trouble = trouble
        self._speeds = Speeds(settings.runs)
        self._measured: list[Speed] = []

    def look_for_gpus(self) -> None:
        """See which GPUs there are, and who uses them."""
        threading.Thread(
            target=lambda: self.post_message(GpusSeen(self._list_gpus(), self._find_trouble())),
            daemon=True,
            name="gpus",
        ).start()

    @property
    def refusal(self) -> str:
        """Why nothing can be trained on the device as it is chosen, as far as that is certain; "" if it can."""
        return self.trouble.text if self.device != "cpu" and self.trouble is not None and self.trouble.certain else ""

    def choose_device(self) -> None:
        """Choose the device of the next run among the GPUs as they are now."""
        choose(self)
        self.look_for_gpus()

    def on_gpus_seen(self, message: GpusSeen) -> None:
        """Show it."""
        self.gpus, self.trouble = message.gpus, message.trouble
        if self.is_running:
            self.machine_changed()
            seen(self, message.gpus, message.trouble)

    def read_speeds(self) -> None:
        """How fast runs were, for the time that the next one takes."""
        threading.Thread(
            target=lambda: self.post_message(SpeedsRead(self._speeds.read())), daemon=True, name="speeds"
        ).start()

    def on_speeds_read(self, message: SpeedsRead) -> None:
        """Show what follows for the recipe."""
        self._measured = message.speeds
        if self.is_running:
            self.machine_changed()

    def machine_changed(self) -> None:
        """More is known, or another device was chosen; whoever shows it overrides this."""

    def estimate_for(self, recipe: Recipe, multiply_adds: int | None) -> Estimate | None:
        """How fast a recipe would train; None where nothing was measured."""
        return estimate(recipe, multiply_adds, self._likely_device, self._measured)

    def execution_of(self, recipe: Recipe, training_images: int) -> Execution:
        """How a recipe's steps would be executed."""
        return execution(recipe, self._likely_device, training_images)

    @property
    def _likely_device(self) -> str:
        """The device of the next run, as far as that is known."""
        return ("cuda:0" if self.gpus else "cpu") if self.device == "auto" else self.device


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
