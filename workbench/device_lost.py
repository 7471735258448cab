"""Whether an error says that a GPU gave way under this process, and what to do then. Torch-free.

CUDA says it at whatever call comes next, and at every later one: nothing that this process does brings the device back,
so nobody may take it for an error of what was just tried.
"""

from __future__ import annotations

import re

from workbench.out_of_memory import with_causes

HARDWARE = (
    "uncorrectable ECC error", "uncorrectable NVLink error", "NVLink error was detected", "GPU is lost",
    "hardware stack error", "contained error", "busy or unavailable", "no CUDA-capable device",
    "system not yet initialized", "initialization error", "driver shutting down", "unknown error",
)  # fmt: skip
"""What CUDA says where card, driver or machine are to blame."""

KERNELS = (
    "unspecified launch failure", "illegal memory access", "misaligned address", "illegal instruction",
    "invalid program counter", "operation not supported on global/shared address space", "launch timed out",
)  # fmt: skip
"""What it says where a kernel broke: for the same reasons, or for an error in the kernel."""

ASSERT = "device-side assert"

_ADVICE = re.compile(r"^(Compile with|For debugging|CUDA kernel errors might|Search for) ")
"""How lines begin that stand below every error of CUDA, whatever happened; one of them has "device-side assertions"."""
_SIGNS = re.compile("|".join(map(re.escape, (*HARDWARE, *KERNELS, ASSERT))), re.IGNORECASE)
_DEVICE = re.compile("CUDA|cuDNN|cuBLAS|Triton|AcceleratorError", re.IGNORECASE)
_STATUS = re.compile(r"CU\w+_STATUS_\w+|CUDA error|CUDA driver error", re.IGNORECASE)


def lost(error: BaseException | None) -> str:
    """What the device said, where it is lost for this process: ``"unspecified launch failure"``; "" for other errors.

    Those that the error was raised from or after are looked at, too: the earliest counts.
    """
    found = ""
    for each in with_causes(error):
        text = str(each)
        if isinstance(each, RuntimeError) and _DEVICE.search(f"{type(each).__name__}: {text}"):
            said = [line for line in text.splitlines() if not _ADVICE.match(line)]
            line = next((line for line in said if _SIGNS.search(line)), "")
            found = re.sub(r"^.*(?:error|\[CUDA\]): ", "", line).strip()[:160] or found
    return found


def may_be_lost(error: BaseException | None) -> bool:
    """Whether one of CUDA or its libraries failed in words that do not tell; then only the device itself can."""
    return any(isinstance(each, RuntimeError) and _STATUS.search(str(each)) for each in with_causes(error))


def pass_on(error: BaseException) -> None:
    """For whoever goes on after any error: raises this one again if it says that the device is lost."""
    if lost(error):
        raise error


def remedy(said: str) -> str:
    """What to do about a device that said this, as a clause that other words may follow."""
    if ASSERT in said.lower():
        return (
            "an index is out of range there, such as a label beyond the classes: look into data and plugins "
            "(CUDA_LAUNCH_BLOCKING=1 with --debug names the line)"
        )
    if any(sign.lower() in said.lower() for sign in KERNELS):
        return (
            "this process cannot use it any more; if a new one cannot either, reset it (nvidia-smi --gpu-reset, or "
            "restart the machine) or choose another with --device"
        )
    return (
        "this process cannot use it any more: reset it (nvidia-smi --gpu-reset, or restart the machine) or choose "
        "another with --device"
    )
