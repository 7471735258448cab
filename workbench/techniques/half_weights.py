"""16-bit weights without a 32-bit master copy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Literal

from workbench.recipe.registries import TECHNIQUES
from workbench.recipe.specs import parameter
from workbench.techniques.base import DeviceFallback, Technique

if TYPE_CHECKING:
    import torch
    from torch import nn

    from workbench.hooks import Builder
    from workbench.precision import Precision
    from workbench.recipe.schema import Recipe


class HalfWeights(Technique):
    """Keep the weights themselves in 16 bits: no 32-bit copy, no casting, half the memory traffic.

    Updates smaller than about a thousandth of a weight are lost in fp16 (a hundredth in bf16). Short runs with large
    learning rates do not notice. Small gradients underflow in fp16: sum the loss over the batch (loss_sum).
    """

    name = "half_weights"
    group = "precision and speed"
    source = "Page 2019, How to Train Your ResNet; a 94-line script for 94 % on CIFAR-10"
    tradeoff = "The fastest format for short runs on a GPU; long runs with small rates stall. A CPU mixes formats."
    excludes: ClassVar[dict[str, str]] = {
        "mixed_precision": "it keeps 32-bit weights and casts them, half_weights has none to cast"
    }

    dtype: Literal["fp16", "bf16"] = parameter("fp16", description="the 16-bit format")
    norms_in_fp32: bool = parameter(
        True, description="norms keep 32-bit weights and statistics; false: 16 bits as well"
    )

    def problems(self, recipe: Recipe) -> Iterable[tuple[str, str]]:
        """Adam's squared gradients do not fit into fp16."""
        for name in ("adam", "adamw"):
            if self.dtype == "fp16" and recipe.on(name):
                yield (
                    "dtype",
                    f'the squared gradients of {name} underflow to 0 in fp16; use "bf16", or another optimizer',
                )

    def device_fallback(self, device: torch.device) -> DeviceFallback | None:
        """Mixed precision in a format that the device computes in, or 32 bits throughout."""
        from workbench.precision import native_formats

        formats = native_formats(device)
        if self.dtype in formats:
            return None
        off = self.model_copy(update={"enabled": False})
        what = f"half_weights: this {device.type.upper()} does not compute in {self.dtype}"
        if not formats:
            return DeviceFallback((off,), f"{what}; 32-bit weights and arithmetic are used in their place")
        mixed = TECHNIQUES["mixed_precision"](dtype=formats[0])
        return DeviceFallback((off, mixed), f"{what}; mixed_precision in {formats[0]} is used in its place")

    def register(self, build: Builder) -> None:
        """Convert the network and the images."""
        build.hooks.precision.add(self._precision)

    def _precision(self, device: torch.device) -> Precision:
        import torch

        from workbench.precision import Precision

        dtype = torch.float16 if self.dtype == "fp16" else torch.bfloat16
        return Precision(
            convert=lambda model: half_weights(model, dtype, norms_in_fp32=self.norms_in_fp32),
            images=lambda images: images.to(dtype),
        )


def half_weights(model: nn.Module, dtype: torch.dtype, *, norms_in_fp32: bool) -> nn.Module:
    """Convert a model's floating-point weights and buffers in place; norms are left out if they stay in fp32."""
    from workbench.optimizers.parameter_groups import NORMS

    model.to(dtype)
    for module in model.modules():
        if norms_in_fp32 and isinstance(module, NORMS):
            module.float()
    return model
