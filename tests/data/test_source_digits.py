from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from workbench.data.sources.digits import Digits, _bundled
from workbench.recipe.registries import SOURCES


def test_the_bundled_file_is_what_scikit_learn_loads() -> None:
    from sklearn.datasets import load_digits

    pixels, labels = _bundled()
    assert (pixels == load_digits().images).all()
    assert (labels == load_digits().target).all()


def test_digits_are_real_images_split_by_class() -> None:
    data = Digits().load(Path("nowhere"))
    assert data.shape == (3, 32, 32)
    assert data.classes == tuple("0123456789")
    assert (len(data.train), len(data.test)) == (1438, 359)
    images = data.train.images()
    assert images.shape == (1438, 3, 32, 32) and images.dtype == torch.uint8 and images.is_contiguous()
    assert images.min() == 0 and images.max() == 255
    assert torch.equal(images[:, 0], images[:, 2])
    shares = torch.bincount(data.test.labels) / (torch.bincount(data.train.labels) + torch.bincount(data.test.labels))
    assert ((shares - 0.2).abs() < 0.01).all()


def test_no_image_is_in_both_parts_or_lost() -> None:
    data = Digits().load(Path())
    everything = torch.cat([data.train.images(), data.test.images()])[:, 0].flatten(1).numpy()
    pixels, _ = _bundled()
    assert len(everything) == len(pixels)
    # The mean of each 4×4 block lets the original order be recognised: the multiset of brightness is that of the file.
    brightness = np.sort(everything.mean(axis=1))
    assert np.allclose(brightness, np.sort(pixels.reshape(len(pixels), -1).mean(axis=1)) * 255 / 16, atol=0.5)


def test_the_split_is_the_same_every_time() -> None:
    first, second = Digits().load(Path()), Digits().load(Path())
    assert torch.equal(first.train.images(), second.train.images())
    assert torch.equal(first.test.labels, second.test.labels)


def test_sources_are_registered_and_import_no_torch() -> None:
    import subprocess
    import sys

    assert {"cifar10", "digits", "folder"} <= set(SOURCES.names())
    code = (
        "import sys; from workbench.recipe.registries import SOURCES; SOURCES.names();"
        "heavy = {'torch', 'torchvision', 'sklearn', 'PIL', 'numpy'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
