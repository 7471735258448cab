"""Choosing the device of the next run among the GPUs, with what is free of them and who else uses them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from workbench.devices import GIB, Gpu, Trouble, list_gpus
from workbench.tui.common.screens import Dialog
from workbench.tui.common.widgets import Text
from workbench.tui.compat.composed import when_ready


class DeviceScreen(Dialog[str | None]):
    """Returns ``"auto"``, ``"cpu"`` or ``"cuda:N"``; None if nothing was chosen.

    numbers: the ``N`` of each GPU's ``cuda:N``, None for one that cannot be chosen because it is hidden. trouble: why
    they cannot be used, all of them. looking: what the GPUs do just now is still being asked; :meth:`show_gpus` shows
    it. examine: looks the whole machine over.
    """

    BINDINGS = [Binding("escape", "cancel", show=False), Binding("d", "doctor", show=False)]

    def __init__(
        self,
        gpus: Sequence[Gpu],
        numbers: Sequence[int | None],
        chosen: str,
        trouble: Trouble | None = None,
        *,
        looking: bool = False,
        examine: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__()
        self._gpus = gpus
        self._numbers = numbers
        self._chosen = chosen
        self._trouble = trouble
        self._looking = looking
        self._examine = examine

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog devices") as dialog:
            dialog.border_title = "Device of the next run"
            dialog.border_subtitle = "⏎ chooses · d looks the machine over · esc cancels"
            yield OptionList(id="devices", compact=True)
            yield Text(classes="question")

    def _options(self) -> list[Option]:
        refused = self._trouble is not None and self._trouble.certain
        auto = "refuses: the GPU cannot be used" if refused else "the GPU with the most free memory, else the CPU"
        options = [self._option("auto", auto), self._option("cpu", "")]
        for gpu, number in zip(self._gpus, self._numbers, strict=True):
            words, others = gpu_lines(gpu)
            if number is None:
                options.append(self._option("hidden", f"{words}, hidden by CUDA_VISIBLE_DEVICES", disabled=True))
            else:
                options.append(self._option(f"cuda:{number}", words, others))
        return options

    def _option(self, device: str, words: str, others: str = "", *, disabled: bool = False) -> Option:
        mark = "●" if device == self._chosen else " "
        parts: list[str | tuple[str, str]] = [(f"{mark} {device:<8}", "bold"), (words, "$muted")]
        parts += [(f"\n            ! {others}", "$warning")] if others else []
        return Option(Content.assemble(*parts), id=None if disabled else device, disabled=disabled)

    def on_mount(self) -> None:
        self._fill()

    def _mark(self, device: str | None) -> None:
        options = self.query_one("#devices", OptionList)
        known = [option.id for option in options.options]
        options.highlighted = known.index(device) if device in known else 0

    def _say(self) -> None:
        if self._trouble is not None:
            note = Content.styled(f"✗ {self._trouble.text}, or go on without the GPU: choose cpu.", "$error")
        else:
            words = "" if self._gpus else "looking for GPUs…" if self._looking else "The driver sees no GPU here."
            note = Content.styled(words, "$muted")
        self.query_one(".question", Text).show(note)

    def show_gpus(self, gpus: Sequence[Gpu], numbers: Sequence[int | None], trouble: Trouble | None) -> None:
        """The GPUs as they are now; the cursor stays on its device."""
        self._gpus, self._numbers, self._trouble, self._looking = gpus, numbers, trouble, False
        self._fill_again()

    @when_ready
    def _fill_again(self) -> None:
        self._fill()

    def _fill(self) -> None:
        options = self.query_one("#devices", OptionList)
        at = options.highlighted
        device = self._chosen if at is None else options.get_option_at_index(at).id
        options.clear_options()
        options.add_options(self._options())
        self._mark(device)
        self._say()

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option.id)

    def action_doctor(self) -> None:
        """Look the whole machine over."""
        self._examine()

    def action_cancel(self) -> None:
        """Choose nothing."""
        self.dismiss(None)


MOST = 3
"""Processes that are named one by one."""


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
