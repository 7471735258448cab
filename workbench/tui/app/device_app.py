"""What the app knows of the machine: its GPUs, the device of the next run, how fast earlier runs were."""

from __future__ import annotations

from workbench.devices import Gpu, Trouble
from workbench.recipe import Recipe
from workbench.recipe.execution import Execution, execution
from workbench.runs.find.speed import Estimate, Speed, Speeds, estimate
from workbench.runs.find.trained import Trained, TrainedRuns, like
from workbench.tui.app.outside import Outside
from workbench.tui.app.terminal_app import TerminalApp
from workbench.tui.common.background import aside
from workbench.tui.common.services import Settings
from workbench.tui.compose import doctor
from workbench.tui.compose.devices import DeviceScreen, cuda_numbers, gpu_lines


class DeviceApp(TerminalApp):
    """Looks and reads in threads, never in the UI's own."""

    def __init__(self, settings: Settings, outside: Outside, theme: str = "", poll: float = 1.0) -> None:
        super().__init__(settings, theme, poll)
        self.device = settings.device
        self.gpus: list[Gpu] | None = None
        self.trouble: Trouble | None = None
        self._outside = outside
        self._speeds = Speeds(settings.runs)
        self._measured: list[Speed] = []
        self._trained_runs = TrainedRuns(settings.runs)
        self._trained: list[Trained] = []

    def look_for_gpus(self) -> None:
        """See which GPUs there are, and who uses them."""
        aside(
            self, "gpus", lambda: (self._outside.gpus(), self._outside.trouble()), lambda found: self.gpus_seen(*found)
        )

    def gpus_seen(self, gpus: list[Gpu], trouble: Trouble | None) -> None:
        """Show them, also where a device is being chosen just now."""
        self.gpus, self.trouble = gpus, trouble
        self.machine_changed()
        if self.screen_stack and isinstance(dialog := self.screen_stack[-1], DeviceScreen):
            dialog.show_gpus(gpus, cuda_numbers(gpus), trouble)

    @property
    def refusal(self) -> str:
        """Why nothing can be trained on the device as it is chosen, as far as that is certain; "" if it can."""
        return self.trouble.text if self.device != "cpu" and self.trouble is not None and self.trouble.certain else ""

    def choose_device(self) -> None:
        """Choose the device of the next run, at once, among the GPUs as they were seen last; look at them anew."""

        def chosen(device: str | None) -> None:
            if device is None:
                return
            self.device = device
            self.machine_changed()
            gpus = self.gpus or []
            gpu = next((gpu for gpu, n in zip(gpus, cuda_numbers(gpus), strict=True) if device == f"cuda:{n}"), None)
            if gpu is not None and gpu.processes:
                self.notify(f"{device} is {gpu_lines(gpu)[1]}", severity="warning")

        gpus = self.gpus or []
        dialog = DeviceScreen(
            gpus, cuda_numbers(gpus), self.device, self.trouble, looking=True, examine=self.examine_machine
        )
        self.push_screen(dialog, chosen)
        self.look_for_gpus()

    def examine_machine(self) -> None:
        """Look the whole machine over, and show the report as it comes."""
        doctor.examine(self, self.settings, self.device, self._outside.doctor_command)

    def read_speeds(self) -> None:
        """How fast runs were, for the time that the next one takes, and what was trained already."""
        aside(
            self, "speeds", lambda: (self._speeds.read(), self._trained_runs.read()), lambda read: self.runs_read(*read)
        )

    def runs_read(self, speeds: list[Speed], trained: list[Trained]) -> None:
        """Show what follows for the recipe."""
        self._measured, self._trained = speeds, trained
        self.machine_changed()

    def trained_like(self, recipe: Recipe) -> list[Trained]:
        """The finished runs that trained the same as a recipe, newest first."""
        return like(recipe, self._trained)

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
