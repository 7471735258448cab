"""What the data tests share: the real CIFAR-10 files where they are at hand, and image folders made on the spot."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RESTORE = Path(__file__).resolve().parents[3] / "shared" / "data" / "restore_cifar10.py"


@pytest.fixture(scope="session")
def cifar10_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds cifar-10-batches-py; skips where the real files are not at hand."""
    if given := os.environ.get("WORKBENCH_TEST_CIFAR10"):
        return Path(given)
    if not RESTORE.exists():
        pytest.skip("needs the real CIFAR-10 files")
    root = tmp_path_factory.mktemp("cifar10")
    subprocess.run([sys.executable, str(RESTORE), str(root)], check=True, capture_output=True, timeout=300)
    return root


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
