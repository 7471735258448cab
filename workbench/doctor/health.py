"""The GPUs as the driver sees them: memory, who uses them, errors, what slows them down."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workbench.doctor.finding import Finding
from workbench.doctor.worker import Failure
from workbench.format import gib, gib_of
from workbench.nvml import Gpu, ask, slowing, start

GROUP = "GPUs"


@dataclass(frozen=True)
class Health:
    """One GPU. None for what the driver does not say; memory in bytes, power in watts, clocks in MHz, °C.

    uncorrected: ECC errors since the last restart that could not be corrected. pending: whether memory rows wait for a
    restart to be replaced. reasons: NVML's bit mask why clocks are lowered.
    """

    gpu: Gpu
    ecc: bool | None = None
    uncorrected: int | None = None
    pending: bool | None = None
    remap_failed: bool | None = None
    reasons: int | None = None
    power: float | None = None
    power_cap: float | None = None
    power_default: float | None = None
    clock: int | None = None
    clock_most: int | None = None
    temperature: int | None = None
    temperature_most: int | None = None
    mig: bool | None = None
    exclusive: str = ""


@dataclass(frozen=True)
class Healths:
    """All GPUs of the machine."""

    gpus: list[Health] = field(default_factory=list)


def healths() -> Healths:
    """What NVML says of each GPU's state; nothing without NVML."""
    answer = ask()
    return Healths([_health(start(), gpu) for gpu in answer.gpus])


def _health(nvml: Any, gpu: Gpu) -> Health:
    handle = nvml.nvmlDeviceGetHandleByIndex(gpu.index)

    def tell(question: Callable[[], Any]) -> Any:
        # Also what this version of the bindings has no name for.
        with contextlib.suppress(nvml.NVMLError, AttributeError, TypeError, ValueError):
            return question()
        return None

    ecc = tell(lambda: nvml.nvmlDeviceGetEccMode(handle)[0])
    errors = tell(
        lambda: nvml.nvmlDeviceGetTotalEccErrors(
            handle, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nvml.NVML_VOLATILE_ECC
        )
    )
    rows = tell(lambda: nvml.nvmlDeviceGetRemappedRows(handle))
    retired = tell(lambda: nvml.nvmlDeviceGetRetiredPagesPendingStatus(handle))
    mode = tell(lambda: nvml.nvmlDeviceGetComputeMode(handle))
    mig = tell(lambda: nvml.nvmlDeviceGetMigMode(handle)[0])
    watts = [
        tell(lambda: nvml.nvmlDeviceGetPowerUsage(handle)),
        tell(lambda: nvml.nvmlDeviceGetPowerManagementLimit(handle)),
        tell(lambda: nvml.nvmlDeviceGetPowerManagementDefaultLimit(handle)),
    ]
    power, cap, default = (None if each is None else each / 1000 for each in watts)
    return Health(
        gpu=gpu,
        ecc=None if ecc is None else bool(ecc),
        uncorrected=errors,
        pending=None if rows is None and retired is None else bool((rows and rows[2]) or retired),
        remap_failed=None if rows is None else bool(rows[3]),
        reasons=tell(lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)),
        power=power,
        power_cap=cap,
        power_default=default,
        clock=tell(lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM)),
        clock_most=tell(lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM)),
        temperature=tell(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
        temperature_most=tell(
            lambda: nvml.nvmlDeviceGetTemperatureThreshold(handle, nvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN)
        ),
        mig=None if mig is None else bool(mig),
        exclusive={1: "exclusive thread", 2: "prohibited", 3: "exclusive process"}.get(mode, ""),
    )


def judge(found: Healths | Failure) -> list[Finding]:
    """The lines of the group; none without a GPU."""
    if isinstance(found, Failure):
        remedy = "see whether nvidia-smi -q answers; if not, restart the machine"
        return [Finding(GROUP, "health", "warn", found.reason, "the state of the GPUs is not known", remedy)]
    return [line for each in found.gpus for line in _lines(each)]


def _lines(health: Health) -> list[Finding]:
    gpu, n = health.gpu, health.gpu.index
    lines = [_memory(health)]

    def add(name: str, level: str, text: str, meaning: str = "", remedy: str = "") -> None:
        lines.append(Finding(GROUP, f"GPU {n} {name}", level, text, meaning, remedy))  # type: ignore[arg-type]

    if health.uncorrected:
        text = f"{health.uncorrected} uncorrected memory error{'s' if health.uncorrected != 1 else ''}"
        add("ECC", "broken", text, "numbers may have been wrong", RESTART.format(n=n))
    elif health.remap_failed:
        add("ECC", "broken", "a memory row could not be replaced", "the card is failing", "have the card replaced")
    elif health.pending:
        text = "memory rows or pages wait to be replaced"
        add("ECC", "warn", text, "they are taken out of use at the next restart", RESTART.format(n=n))
    elif health.ecc is not None:
        meaning = "no errors since the last restart" if health.ecc else "a flipped bit would not be noticed"
        add("ECC", "ok" if health.ecc else "note", "on" if health.ecc else "off", meaning)
    if health.mig:
        text, meaning = "MIG is on: the card is split into instances", "a training sees one instance of it"
        add("MIG", "note", text, meaning)
    if health.exclusive:
        bad = health.exclusive == "prohibited"
        meaning = "no program may compute on it" if bad else "one program at a time: a second run is refused"
        remedy = f"sudo nvidia-smi -i {n} -c DEFAULT" if bad else ""
        add("mode", "broken" if bad else "note", health.exclusive, meaning, remedy)
    lines += _power(health)
    words, fault = slowing(health.reasons)
    if words:
        meaning = "the clocks are lowered: it is slower than it could be"
        remedy = f"see to its cooling and power supply (nvidia-smi -q -i {n} -d PERFORMANCE,TEMPERATURE)"
        add("clocks", "warn" if fault else "note", ", ".join(words), meaning, remedy if fault else "")
    elif health.clock is not None and health.clock_most is not None:
        add("clocks", "ok", f"{health.clock} of {health.clock_most} MHz now", "nothing lowers them")
    if gpu.name and health.temperature is not None and not (fault and any("hot" in each for each in words)):
        most = health.temperature_most
        near = most is not None and health.temperature >= most - 3
        text = f"{health.temperature} °C" + (f", slowed down from {most} °C on" if most else "")
        meaning = "it is about to be slowed down" if near else ""
        add("heat", "warn" if near else "ok", text, meaning, "see to its cooling" if near else "")
    return lines


RESTART = "restart the machine; if they come again (nvidia-smi -q -i {n} -d ECC), have the card replaced"


def _memory(health: Health) -> Finding:
    gpu = health.gpu
    name = f"GPU {gpu.index}"
    text = gpu.name
    if gpu.free is not None and gpu.total is not None:
        text += f", {gib_of(gpu.free, gpu.total)} free"
    if not gpu.processes:
        return Finding(GROUP, name, "ok", text, "nobody else uses it")
    who = []
    for process in gpu.processes[:4]:
        memory = f" {gib(process.memory)}" if process.memory is not None else ""
        who.append(f"{process.name or 'a process'} (pid {process.pid}){memory}")
    more = f" and {len(gpu.processes) - 4} more" if len(gpu.processes) > 4 else ""
    scarce = gpu.free is not None and gpu.total is not None and gpu.free < gpu.total / 2
    meaning = f"used by {', '.join(who)}{more}: " + ("little room, and " if scarce else "") + "times mean little"
    remedy = "take another GPU (--device cuda:N), or wait for it: workbench run RECIPE --queue"
    return Finding(GROUP, name, "warn" if scarce else "note", text, meaning, remedy if scarce else "")


def _power(health: Health) -> list[Finding]:
    cap, default = health.power_cap, health.power_default
    if cap is None:
        return []
    text = f"cap {cap:.0f} W" + (f", {health.power:.0f} W now" if health.power is not None else "")
    name = f"GPU {health.gpu.index} power"
    if default is not None and cap < 0.95 * default:
        meaning = f"set below the card's own {default:.0f} W: slower in long products"
        remedy = f"if nobody wants that: sudo nvidia-smi -i {health.gpu.index} -pl {default:.0f}"
        return [Finding(GROUP, name, "warn", text, meaning, remedy)]
    return [Finding(GROUP, name, "ok", text, "the card's own" if default is not None else "")]
