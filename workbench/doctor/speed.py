"""How fast the device computes and copies, and whether what it computes is right."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench.doctor.datasheets import sheet
from workbench.doctor.finding import Finding, Level
from workbench.doctor.health import Health
from workbench.doctor.worker import Failure
from workbench.format import percent
from workbench.nvml import slowing

if TYPE_CHECKING:
    import torch

GROUP = "speed"

SLOW_PRODUCT, SLOW_MEMORY, SLOW_LINK = 0.3, 0.6, 4e9
"""Below these a card is slow: shares of its data sheet, and bytes a second between host and device.

A large product reaches 0.6 to 0.9 of the sheet on data centre cards and less where the power cap binds (T4, L4).
"""

LONG = 0.08
"""Seconds that one figure is measured for, after a first try."""
ONCE = 1.0
"""Seconds of a call from which on one is enough."""
SMALL, SMALL_SLOW = 1024, 0.01
"""Side of the product that a device starts with; where it takes longer than these seconds, it keeps the device as busy
as a larger one and says the same."""


@dataclass(frozen=True)
class Speeds:
    """How fast a device is. products: operations a second by format; wrong: formats whose product is not right.

    memory: bytes a second read and written by a copy within the device; to_device, from_device: bytes a second of
    page-locked copies, 0 for the CPU. reasons: NVML's bit mask why clocks were lowered while it computed.
    """

    device: str
    name: str
    products: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    memory: float = 0.0
    to_device: float = 0.0
    from_device: float = 0.0
    copies_right: bool = True
    reasons: int | None = None


def measure(device: str, uuid: str = "", name: str = "") -> Speeds:
    """Time products and copies on ``"cpu"`` or ``"cuda:N"``. uuid: torch's, for the driver to know the card by."""
    import torch

    place = torch.device(device)
    products, wrong = {}, []
    kinds = ("fp32", "tf32", "bf16", "fp16") if place.type == "cuda" else ("fp32",)
    reasons: int | None = None
    for kind in kinds:
        if kind in ("tf32", "bf16") and torch.cuda.get_device_capability(place) < (8, 0):
            continue
        per_second, right, seen = _product(place, kind, uuid)
        products[kind] = per_second
        reasons = seen if reasons is None else reasons | (seen or 0)
        if not right:
            wrong.append(kind)
    count = 2**28 if place.type == "cuda" else 2**25
    source = torch.ones(count // 4, device=place)
    target = torch.empty_like(source)
    memory = 2 * count / _seconds(lambda: target.copy_(source), place)
    up = down = 0.0
    right = bool((target[:: 2**12] == 1).all())
    if place.type == "cuda":
        here = torch.arange(2**24, dtype=torch.float32).pin_memory()
        there = torch.empty_like(here, device=place)
        up = here.nbytes / _seconds(lambda: there.copy_(here, non_blocking=True), place)
        back = torch.empty_like(here).pin_memory()
        down = here.nbytes / _seconds(lambda: back.copy_(there, non_blocking=True), place)
        right = right and torch.equal(here, back)
    return Speeds(device, name or device, products, wrong, memory, up, down, right, reasons)


def _product(place: torch.device, kind: str, uuid: str) -> tuple[float, bool, int | None]:
    """Operations a second; whether a corner of the product is right; why the clocks were lowered meanwhile."""
    import torch

    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(kind, torch.float32)
    torch.backends.cuda.matmul.allow_tf32 = kind == "tf32"

    def factors(side: int) -> tuple[torch.Tensor, ...]:
        draw = torch.Generator().manual_seed(0)
        return tuple(torch.randn(side, side, generator=draw).to(place, dtype) for _ in range(2))

    side = SMALL
    a, b = factors(side)
    out = torch.empty_like(a)
    if place.type == "cuda" and _once(lambda: torch.mm(a, b, out=out), place) < SMALL_SLOW:
        side = 2048 if kind == "fp32" else 4096
        a, b = factors(side)
        out = torch.empty_like(a)
    seconds, reasons = _timed(lambda: torch.mm(a, b, out=out), place, uuid)
    expected = a[:8].double().cpu() @ b[:, :8].double().cpu()
    away = (out[:8, :8].double().cpu() - expected).abs().max()
    allowed = {"fp32": 1e-3, "tf32": 1.0, "fp16": 1.0, "bf16": 4.0}[kind]
    return 2 * side**3 / seconds, bool(away < allowed), reasons


def _seconds(work: Callable[[], object], place: torch.device) -> float:
    return _timed(work, place, "")[0]


def _timed(work: Callable[[], object], place: torch.device, uuid: str) -> tuple[float, int | None]:
    """Seconds of one call; many are launched before the host waits, so that its waiting is not measured."""
    once = _once(work, place)
    if once > ONCE:
        return once, None
    calls = max(1, min(200, round(LONG / max(1e-6, once))))
    best = float("inf")
    reasons = None
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(calls):
            work()
        if uuid:
            reasons = _reasons(uuid)
        _wait(place)
        best = min(best, (time.perf_counter() - began) / calls)
    return best, reasons


def _once(work: Callable[[], object], place: torch.device) -> float:
    """Seconds of one call that is waited for, the second: the first is no measure."""
    for _ in range(2):
        began = time.perf_counter()
        work()
        _wait(place)
        once = time.perf_counter() - began
    return once


def _wait(place: torch.device) -> None:
    import torch

    if place.type == "cuda":
        torch.cuda.synchronize(place)


def _reasons(uuid: str) -> int | None:
    from workbench.nvml import start

    try:
        nvml = start()
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")
        return int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))
    except Exception:  # no driver's library, or one that does not say
        return None


def judge(found: Speeds | Failure, device: str, *, shared: bool = False) -> list[Finding]:
    """The lines for one device. shared: others use it, so that its times mean little."""
    if isinstance(found, Failure):
        remedy = "nvidia-smi and dmesg may say more; restart the machine" if device != "cpu" else "see memory and load"
        meaning = "it could not compute a product" if not found.hung else "it hangs in a product or a copy"
        return [Finding(GROUP, device, "broken", found.reason, meaning, remedy)]
    lines = []
    what = sheet(found.name)
    if found.wrong or not found.copies_right:
        which = ", ".join(found.wrong) or "a copy"
        text, meaning = f"wrong numbers: {which}", "what is trained there is worthless"
        remedy = "restart the machine; if it stays, the card or its driver is broken"
        return [Finding(GROUP, f"{device} numbers", "broken", text, meaning, remedy)]  # how fast does not matter
    shown = [f"{kind} {_flops(per_second)}" for kind, per_second in found.products.items()]
    level: Level = "ok"
    meaning, remedy = "", ""
    if device == "cpu":
        meaning = "a large product, right to the last digits"
    elif what is None:
        meaning = "its data sheet is not known here"
    else:
        shares = {k: r / (what.teraflops(k) * 1e12) for k, r in found.products.items() if what.teraflops(k)}
        worst = min(shares, key=lambda kind: shares[kind], default="")
        meaning = ", ".join(f"{kind} {percent(share, 0)}" for kind, share in shares.items()) + f" of {what.source}"
        if worst and shares[worst] < SLOW_PRODUCT and not shared:
            level, remedy = "warn", "see GPUs above for power cap, heat and other users; time it again when it is idle"
    lines.append(Finding(GROUP, f"{device} products", level, ", ".join(shown), meaning, remedy))
    lines.append(_memory(found, device, what.memory if what else 0.0, shared=shared))
    if device != "cpu":
        link = min(found.to_device, found.from_device)
        text = f"{found.to_device / 1e9:.1f} GB/s to it, {found.from_device / 1e9:.1f} GB/s back"
        slow = link < SLOW_LINK and not shared
        meaning = "slow for PCIe: fewer lanes or an older generation than the card has" if slow else "page-locked"
        remedy = "compare pcie.link in nvidia-smi -q; seat the card in another slot" if slow else ""
        lines.append(Finding(GROUP, f"{device} link", "warn" if slow else "ok", text, meaning, remedy))
    words, fault = slowing(found.reasons)
    if words:
        meaning = "so its clocks were lowered while it computed"
        remedy = "see to its cooling and power supply" if fault else ""
        lines.append(Finding(GROUP, f"{device} clocks", "warn" if fault else "note", ", ".join(words), meaning, remedy))
    return lines


def _memory(found: Speeds, device: str, promised: float, *, shared: bool) -> Finding:
    text = f"{found.memory / 1e9:,.0f} GB/s read and written"
    if not promised:
        return Finding(GROUP, f"{device} memory", "ok", text, "a large copy within it")
    share = found.memory / (promised * 1e9)
    slow = share < SLOW_MEMORY and not shared
    meaning = f"{percent(share, 0)} of the data sheet's {promised:,.0f} GB/s"
    remedy = "see GPUs above for ECC, clocks and other users; time it again when it is idle" if slow else ""
    return Finding(GROUP, f"{device} memory", "warn" if slow else "ok", text, meaning, remedy)


def not_timed(health: Health) -> Finding:
    """A GPU that others compute on: timing it would slow them and say little."""
    number = health.gpu.index
    text, meaning = "not timed", f"others use it; --device cuda:{number} times it nevertheless"
    return Finding(GROUP, f"cuda:{number}", "note", text, meaning)


def _flops(per_second: float) -> str:
    return f"{per_second / 1e12:,.1f} TFLOP/s" if per_second >= 1e12 else f"{per_second / 1e9:,.0f} GFLOP/s"
