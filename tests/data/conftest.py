"""What the data tests share: image folders made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write ``<tmp>/pets/{train,test}/{cat,dog}/*.png``: RGB noise of one size, a few images a class."""

    def make(size: tuple[int, int] = (8, 8), train: int = 3, test: int = 2, name: str = "pets") -> Path:
        random = np.random.default_rng(0)
        folder = tmp_path / name
        for part, count in (("train", train), ("test", test)):
            for kind in ("cat", "dog"):
                (folder / part / kind).mkdir(parents=True)
                for number in range(count):
                    pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(folder / part / kind / f"{number}.png")
        return folder

    return make
