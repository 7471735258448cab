"""A second build of a recipe on a few of its own images, to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from workbench.data.base import DataSet, Split
from workbench.data.splits import ArraySplit
from workbench.engine.build import Build
from workbench.recipe import Recipe


def small(wanted: Build, images: int, test: int, batch_size: int) -> Recipe:
    """A build's recipe on so many of its training and test images, with nothing between its steps.

    It reads no files: ``build(small(…), device, Path())`` makes the spare build. All batches of an epoch are kept, and
    the recipe's epochs, with which a warm-up must agree: who wants fewer steps sets ``steps`` of what is built.
    """
    whole = wanted.dataset
    dataset = DataSet(some(wanted.training, images), some(whole.test, test), whole.classes, whole.shape)

    class Source:
        def __getattr__(self, name: str) -> Any:
            return getattr(wanted.recipe.data_source, name)

        def load(self, root: Path, *arguments: Any) -> DataSet:
            return dataset

    recipe = wanted.recipe
    data = recipe.data.model_copy(
        update={"batch_size": batch_size, "validation": 0.0, "pipeline": "device", "workers": 0, "drop_last": False}
    )
    quiet = {"compile": "off", "log_every": 10**6, "eval_every": 1e5, "checkpoint_every": 1e5}
    train = recipe.train.model_copy(update=quiet)
    return recipe.model_copy(update={"data_source": Source(), "data": data, "train": train})


def some(split: Split, count: int) -> ArraySplit:
    """So many images from the beginning of a split, which begins anew where it ends."""
    places = torch.arange(count) % len(split)
    return ArraySplit(split.images(places).clone(), split.labels[places].clone())
