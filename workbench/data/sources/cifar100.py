"""CIFAR-100."""

from __future__ import annotations

from typing import ClassVar

from workbench.data.cifar_archive import Archive, CifarSource


class Cifar100(CifarSource):
    """CIFAR-100: 60,000 colour photographs of 32×32 pixels in 100 classes, 500 of each to train and 100 to test.

    Read from the folder cifar-100-python of the original archive, the layout of torchvision; every file's MD5 must be
    the official one. The labels are the 100 fine ones.
    """

    name = "cifar100"
    source = "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images"
    # The MD5s stand here because importing torchvision takes seconds; a test compares.
    archive: ClassVar[Archive] = Archive(
        source="cifar100",
        folder="cifar-100-python",
        torchvision="CIFAR100",
        train=("train",),
        test=("test",),
        meta="meta",
        labels_key=b"fine_labels",
        names_key=b"fine_label_names",
        classes=100,
        md5s={
            "train": "16019d7e3df5f24257cddd939b257f8d",
            "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
            "meta": "7973b15100ade9c7d40fb424638fde48",
        },
    )
