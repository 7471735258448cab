"""scikit-learn's handwritten digits: the embedded data set, real images without a download."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.data.base import DataSet, Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TEST_SHARE = 0.2
SPLIT_SEED = 0


class Digits(Source):
    """1,797 handwritten digits, 8×8 grey, scaled to 32×32×3. Comes with scikit-learn: nothing to download.

    Scaled by 4 with bilinear interpolation, which keeps the strokes' soft edges (nearest would show them as blocks).
    1,438 images train and 359 test, stratified by class with a fixed seed: the same for every recipe.
    """

    name = "digits"
    source = (
        "Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits (UCI), the test part; sklearn.load_digits"
    )

    def load(self, root: Path, report: Callable[[str], None] = lambda message: None) -> DataSet:
        """Read the bundled file; ``root`` is not used."""
        import torch
        from torch.nn.functional import interpolate

        from workbench.data.splits import ArraySplit, stratified

        pixels, numbers = _bundled()
        # Weights are eighths and values 0 … 16, so that every product and sum is exact: the same bits on any machine.
        grey = interpolate(torch.from_numpy(pixels)[:, None], scale_factor=4, mode="bilinear", align_corners=False)
        images = (grey * (255 / 16)).round().to(torch.uint8).expand(-1, 3, -1, -1)
        labels = torch.from_numpy(numbers)
        train, test = stratified(labels, TEST_SHARE, SPLIT_SEED, "digits test part")
        return DataSet(
            train=ArraySplit(images[train].contiguous(), labels[train]),
            test=ArraySplit(images[test].contiguous(), labels[test]),
            classes=tuple(str(digit) for digit in range(10)),
            shape=(3, 32, 32),
        )


def _bundled() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Pixels float32 ``[1797, 8, 8]``, 0 … 16, and labels, from scikit-learn's file: importing it takes seconds."""
    import numpy as np

    package = find_spec("sklearn")
    places = (package.submodule_search_locations or []) if package else []
    for place in places:
        file = Path(place, "datasets", "data", "digits.csv.gz")
        if file.exists():
            with gzip.open(file, "rt") as lines:
                table = np.loadtxt(lines, delimiter=",", dtype=np.float32)
            return np.ascontiguousarray(table[:, :-1]).reshape(-1, 8, 8), table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images.astype(np.float32), digits.target.astype(np.int64)
