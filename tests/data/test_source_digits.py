from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.waiting import GIVE_UP
from workbench.data.sources import digits
from workbench.data.sources.digits import Digits, _bundled
from workbench.recipe.registries import SOURCES


def test_the_bundled_file_holds_the_known_digits() -> None:
    """The sums are those of ``sklearn.datasets.load_digits()``, whose import takes seconds."""
    pixels, labels = _bundled()
    assert pixels.shape == (1797, 8, 8) and pixels.dtype == np.float32 and labels.dtype == np.int64
    assert pixels.sum(dtype=np.float64) == 561718
    assert np.arange(1797) @ pixels.reshape(1797, -1).astype(np.int64) @ np.arange(64) == 15815633691
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]


def test_where_the_file_has_moved_scikit_learn_itself_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, labels = _bundled()
    loaded = SimpleNamespace(images=pixels.astype(np.float64), target=labels)
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "sklearn", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "sklearn.datasets", SimpleNamespace(load_digits=lambda: loaded))
    other_pixels, other_labels = _bundled()
    assert other_pixels.dtype == np.float32 and (other_pixels == pixels).all() and (other_labels == labels).all()


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
    assert {"cifar10", "digits", "folder"} <= set(SOURCES.names())
    code = (
        "import sys; from workbench.recipe.registries import SOURCES; SOURCES.names();"
        "heavy = {'torch', 'torchvision', 'sklearn', 'PIL', 'numpy'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=GIVE_UP, check=False)
    assert done.returncode == 0, done.stderr
