"""Mixed precision: convolutions and matrix products in 16 bits, weights in 32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from workbench.recipe.specs import parameter
from workbench.techniques.base import DeviceFallback, SpeedHint, Technique

if TYPE_CHECKING:
    import torch

    from workbench.hooks import Builder
    from workbench.precision import Precision
    from workbench.recipe.schema import Recipe


class MixedPrecision(Technique):
    """Compute convolutions and matrix products in 16 bits, keep weights, norms and loss in 32.

    bf16 has fp32's range and needs nothing else. fp16 has more digits but underflows: the loss is scaled up and the
    gradients down again; a step whose gradients overflow is left out and the scale halved.
    """

    name = "mixed_precision"
    synonyms = ("amp", "fp16", "bf16", "autocast")
    group = "precision and speed"
    source = "Micikevicius et al. 2018, arXiv:1710.03740"
    tradeoff = "About twice as fast with tensor cores, AMX or AVX512-BF16; a device without them leaves it out."

    dtype: Literal["bf16", "fp16"] = parameter("bf16", description="the 16-bit format")
    initial_scale: float = parameter(65536.0, gt=0, le=2.0**32, description="fp16: first factor on the loss")
    growth_interval: int = parameter(
        2000, ge=1, le=1_000_000, unit="steps", description="fp16: good steps before the scale doubles"
    )

    def device_fallback(self, device: torch.device) -> DeviceFallback | None:
        """The other format or none, where the device would emulate this one."""
        from workbench.precision import native_formats

        formats = native_formats(device)
        if self.dtype in formats:
            return None
        what = f"mixed_precision: this {device.type.upper()} does not compute in {self.dtype}"
        if formats:
            spec = self.model_copy(update={"dtype": formats[0]})
            return DeviceFallback((spec,), f"{what}; {formats[0]} is used in its place")
        return DeviceFallback((self.model_copy(update={"enabled": False}),), f"{what}; it is left out")

    @classmethod
    def speed_hint(cls, recipe: Recipe, *, on_gpu: bool, bf16: bool) -> SpeedHint | None:
        """The format that the device has units for, or none."""
        key, used = f"techniques.{cls.name}", recipe.on(cls.name)
        if used and not on_gpu and getattr(recipe.techniques[cls.name], "dtype", "") == "fp16":
            why = "Leave fp16 to GPUs: a CPU computes convolutions in it far more slowly than in fp32."
            return SpeedHint(why, {f"{key}.dtype": "bf16"} if bf16 else {f"{key}.enabled": False})
        if bf16 and not used and not recipe.on("half_weights"):
            why = "Compute in bf16 (mixed precision): the device has units for it."
            return SpeedHint(why, {f"{key}.enabled": True, f"{key}.dtype": "bf16"})
        return None

    def register(self, build: Builder) -> None:
        """Run the forward pass under autocast."""
        build.hooks.precision.add(self._precision)

    def _precision(self, device: torch.device) -> Precision:
        import torch

        from workbench.precision import NoScaler, Precision

        dtype = torch.bfloat16 if self.dtype == "bf16" else torch.float16
        scaler: torch.amp.GradScaler | NoScaler = NoScaler()
        if self.dtype == "fp16":
            scaler = torch.amp.GradScaler(
                device.type, init_scale=self.initial_scale, growth_interval=self.growth_interval
            )
        return Precision(lambda: torch.autocast(device.type, dtype=dtype), scaler)
