"""CIFAR-10."""

from __future__ import annotations

from typing import ClassVar

from workbench.data.cifar_archive import Archive, CifarSource


class Cifar10(CifarSource):
    """CIFAR-10: 60,000 colour photographs of 32×32 pixels in 10 classes, 50,000 to train and 10,000 to test.

    Read from the folder cifar-10-batches-py of the original archive, the layout of torchvision; every file's MD5 must
    be the official one.
    """

    name = "cifar10"
    source = "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images"
    # The MD5s stand here because importing torchvision takes seconds; a test compares.
    archive: ClassVar[Archive] = Archive(
        source="cifar10",
        folder="cifar-10-batches-py",
        torchvision="CIFAR10",
        train=("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"),
        test=("test_batch",),
        meta="batches.meta",
        labels_key=b"labels",
        names_key=b"label_names",
        classes=10,
        md5s={
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
            "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
        },
    )
