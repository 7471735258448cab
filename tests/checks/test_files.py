"""Image files that are broken or of an odd size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.checks.conftest import before, wrong
from workbench.engine.build import build
from workbench.recipe import read_recipe


@pytest.fixture
def pets(tmp_path: Path) -> Callable[[int, tuple[int, int]], Path]:
    def _make(broken: int, odd: tuple[int, int]) -> Path:
        generator = np.random.default_rng(0)
        for part, count in (("train", 12), ("test", 4)):
            for name in ("cat", "dog"):
                folder = tmp_path / "pets" / part / name
                folder.mkdir(parents=True)
                for number in range(count):
                    size = odd if (part, name, number) == ("train", "dog", 3) else (20, 18)
                    pixels = generator.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(folder / f"{number}.png")
        for number in range(broken):
            (tmp_path / "pets" / "train" / "cat" / f"{number}.png").write_bytes(b"\x89PNG no more")
        return tmp_path

    return _make


@pytest.mark.parametrize(
    ("broken", "odd", "verdict", "words"),
    [
        (0, (20, 18), None, ""),
        (2, (20, 18), "warn", "2 files cannot be read"),
        (0, (90, 18), "warn", "only the central square is seen"),
        (0, (6, 6), "warn", "6×6 pixels are enlarged"),
    ],
)
def test_files(
    pets: Callable[[int, tuple[int, int]], Path],
    digits_recipe: str,
    broken: int,
    odd: tuple[int, int],
    verdict: str | None,
    words: str,
) -> None:
    overrides = ("data.source=folder", "data.path=pets", "data.image_size=16", "data.broken=skip", "data.batch_size=8")
    made = build(read_recipe(digits_recipe, overrides=overrides), "cpu", pets(broken, odd))
    found = before(made)
    assert wrong(found) == ({} if verdict is None else {"files": verdict})
    assert words in found["files"].reason
