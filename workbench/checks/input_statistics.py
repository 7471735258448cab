"""Do the images reach the network with mean 0 and standard deviation 1?"""

from __future__ import annotations

import torch

from workbench.engine.build import Build
from workbench.events import CheckFinished, Verdict

IMAGES = 2048
"""How many training images the check looks at."""


@torch.no_grad()
def check_input_statistics(build: Build) -> CheckFinished:
    """Per-channel mean and standard deviation of training images as the network meets them, without augmentation."""
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(build.training), generator=generator)[:IMAGES].sort().values
    images = build.plain(build.training.images(chosen).to(build.device))
    means = images.mean(dim=(0, 2, 3)).tolist()
    deviations = images.std(dim=(0, 2, 3)).tolist()
    verdict: Verdict = "pass"
    reason = "normalised input lets one learning rate suit every channel and layer"
    if max(map(abs, means)) > 0.25 or min(deviations) < 0.7 or max(deviations) > 1.4:
        far = max(map(abs, means)) > 2 or max(deviations) > 4
        verdict = "fail" if far else "warn"
        reason = (
            'the images are not normalised: set data.normalise = "dataset"'
            if build.recipe.data.normalise == "none"
            else "data.mean and data.std do not fit these images; leave both out to have them measured"
        )
    return CheckFinished(
        name="input statistics",
        verdict=verdict,
        expected="mean 0, std 1 per channel",
        found=f"mean {_shown(means)}, std {_shown(deviations)}",
        reason=reason,
    )


def _shown(values: list[float]) -> str:
    texts = [f"{value + 0.0:.2f}".replace("-0.00", "0.00") for value in values]
    return texts[0] if len(set(texts)) == 1 else " ".join(texts)
