"""What the cards' data sheets promise, without sparsity: NVIDIA's data sheets, and its architecture white papers.

Of GeForce cards the 16-bit figures are those with sums in fp32, as torch has them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Sheet:
    """Rates in TFLOP/s, 0 where the card has no such units; memory in GB/s; source: where they stand."""

    fp32: float
    tf32: float
    half: float
    bf16: float
    memory: float
    source: str

    def teraflops(self, kind: str) -> float:
        """TFLOP/s of "fp32", "tf32", "bf16" or "fp16"."""
        return {"fp32": self.fp32, "tf32": self.tf32, "bf16": self.bf16, "fp16": self.half}[kind]


AMPERE, ADA = "NVIDIA Ampere GA102 white paper", "NVIDIA Ada white paper"

SHEETS: tuple[tuple[str, Sheet], ...] = (
    (r"H200", Sheet(67, 494.5, 989.5, 989.5, 4800, "NVIDIA H200 data sheet (SXM)")),
    (r"H100 80GB HBM3", Sheet(67, 494.5, 989.5, 989.5, 3350, "NVIDIA H100 data sheet (SXM)")),
    (r"H100 PCIe", Sheet(51, 378, 756.5, 756.5, 2000, "NVIDIA H100 data sheet (PCIe)")),
    (r"A100-SXM4-80GB", Sheet(19.5, 156, 312, 312, 2039, "NVIDIA A100 80GB data sheet (SXM)")),
    (r"A100 80GB PCIe", Sheet(19.5, 156, 312, 312, 1935, "NVIDIA A100 80GB data sheet (PCIe)")),
    (r"A100-(SXM4|PCIE)-40GB", Sheet(19.5, 156, 312, 312, 1555, "NVIDIA A100 40GB data sheet")),
    (r"A30", Sheet(10.3, 82, 165, 165, 933, "NVIDIA A30 data sheet")),
    (r"A40", Sheet(37.4, 74.8, 149.7, 149.7, 696, "NVIDIA A40 data sheet")),
    (r"A10", Sheet(31.2, 62.5, 125, 125, 600, "NVIDIA A10 data sheet")),
    (r"L40S", Sheet(91.6, 183, 362, 362, 864, "NVIDIA L40S data sheet")),
    (r"L4", Sheet(30.3, 60, 121, 121, 300, "NVIDIA L4 data sheet")),
    (r"T4", Sheet(8.1, 0, 65, 0, 320, "NVIDIA T4 data sheet")),
    (r"V100-SXM2-(16|32)GB", Sheet(15.7, 0, 125, 0, 900, "NVIDIA V100 data sheet (SXM2)")),
    (r"V100-PCIE-(16|32)GB", Sheet(14, 0, 112, 0, 900, "NVIDIA V100 data sheet (PCIe)")),
    (r"RTX 3090", Sheet(35.6, 35.6, 71, 71, 936, AMPERE)),
    (r"RTX 4090", Sheet(82.6, 82.6, 165.2, 165.2, 1008, ADA)),
)


def sheet(name: str) -> Sheet | None:
    """The data sheet of a card by the name that the driver gives it; None for another one, or a part of one."""
    short = re.sub(r"^(NVIDIA|Tesla|GeForce)\s+", "", re.sub(r"^NVIDIA\s+", "", name.strip()))
    return next((found for pattern, found in SHEETS if re.fullmatch(pattern, short)), None)
