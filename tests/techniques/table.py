"""The test table: one small recipe for each technique, made from what its class says about it."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.recipe import Recipe, RecipeError, read_recipe
from workbench.recipe.registries import MODELS, TECHNIQUES

RECIPE = """
format = 1
name = "trial"
seed = 3

[data]
source = "digits"
batch_size = 64

[model]
MODEL

[train]
epochs = 2
compile = "off"
threads = 1
log_every = 5

[techniques.batch_norm]

[techniques.residual]

[techniques.sgd]
learning_rate = 0.05
"""

MODELS_TO_TRY = {
    "cnn": 'name = "cnn"\nwidths = [8, 16]\ndepth = 1\nhidden = [32]',
    "resnet": 'name = "resnet"\nchannels = [16, 32]\nblocks = [1, 1]',
}
"""The first of these that has what the techniques need is taken."""

BUILT_IN: list[type[Any]] = [spec for spec in TECHNIQUES if spec.__module__.startswith("workbench.")]
NAMES: list[str] = [spec.name for spec in BUILT_IN]


SUITS_SMALL = {
    "bias_lr_scale": ("techniques.bias_lr_scale.factor=4",),
    "cutmix": ("techniques.cutmix.probability=0.3",),
    "dropout": ("techniques.dropout.rate=0.2",),
    "dropout2d": ("techniques.dropout2d.rate=0.1",),
    "ema": ("techniques.ema.decay=0.8",),
    "freeze_layers": ("techniques.freeze_layers.start=0.4",),
    "gradient_accumulation": ("techniques.gradient_accumulation.micro_batch_size=24",),
    "logit_scale": ("techniques.logit_scale.scale=0.5",),
    "mixup": ("techniques.mixup.alpha=0.2", "techniques.mixup.probability=0.5"),
    "progressive_resizing": ("techniques.batch_norm.momentum=0.3", "techniques.sgd.learning_rate=0.1"),
    "swa": ("techniques.swa.start=0.5",),
}
"""Overrides that suit two epochs on small images, by technique; as after ``--set``."""


def overrides(*names: str) -> list[str]:
    """What to set so that these techniques are on, with what they need and their rows of the table."""
    found: list[str] = []
    for name in names:
        spec = TECHNIQUES[name]
        if spec.group == "optimizer" and name != "sgd":
            found.append("techniques.sgd.enabled=false")
        found += [f"techniques.{need.technique}.enabled=true" for need in spec.needs if need.technique]
        found += [f"techniques.{name}.enabled=true", *SUITS_SMALL.get(name, ())]
    return found


def trial(*names: str, extra: tuple[str, ...] = ()) -> Recipe:
    """The small recipe with these techniques on. Raises RecipeError where they cannot stand together."""
    needed = {need.capability for name in names for need in TECHNIQUES[name].needs if need.capability}
    able = [text for name, text in MODELS_TO_TRY.items() if needed <= MODELS[name].capabilities]
    return read_recipe(RECIPE.replace("MODEL", able[0]), overrides=(*overrides(*names), *extra))


def refusal(*names: str) -> str | None:
    """Why these techniques cannot stand together, or None if they can."""
    try:
        trial(*names)
    except RecipeError as error:
        return "; ".join(map(str, error.problems))
    return None


def fed(names: list[str]) -> list[Any]:
    """Each technique with each pipeline. With the loader, one that does nothing to images or targets is slow: its steps
    are those that it takes with the other pipeline.
    """
    return [
        pytest.param(name, pipeline, marks=pytest.mark.slow if pipeline == "loader" and not feeds(name) else ())
        for name in names
        for pipeline in ("device", "loader")
    ]


def feeds(name: str) -> bool:
    """Whether the technique has a part in making batches."""
    return TECHNIQUES[name].group == "augmentation"
