"""Image folders as people have them: other names, odd files, deep values, no test part."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, features

from workbench.data.base import DataError, DataSet
from workbench.data.layout import Part
from workbench.data.sources import folder as module
from workbench.data.sources.folder import Folder
from workbench.data.splits import FileSplit, training_and_validation

Make = Callable[..., Path]


def load(folder: Path, **settings: object) -> DataSet:
    return Folder(path=str(folder), **settings).load(Path())  # type: ignore[arg-type]


def failure(folder: Path, **settings: object) -> str:
    with pytest.raises(DataError) as error:
        load(folder, **settings)
    assert "\n" not in str(error.value)
    return str(error.value)


def save(file: Path, values: object = 0, mode: str | None = None, size: tuple[int, int] = (8, 8)) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values) if isinstance(values, np.ndarray) else Image.new(mode or "RGB", size)
    image.save(file)
    return file


# --- deep values ---


def x_rays(folder: Path, highest: int, parts: tuple[str, ...] = ("train", "test")) -> Path:
    """16-bit PNGs; the brightest pixel of all is in the last file of the test set."""
    for part in parts:
        for kind, level in (("ill", highest // 2), ("well", highest // 4)):
            for number in range(2):
                values = np.full((8, 8), level, dtype=np.uint16)
                values[0, 0] = 0
                save(folder / part / kind / f"{number}.png", values)
    values = np.full((8, 8), highest, dtype=np.uint16)
    save(folder / parts[-1] / "well" / "9.png", values)
    return folder


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_16_bit_images_are_scaled_by_the_bits_that_the_whole_set_uses(tmp_path: Path, bits: int) -> None:
    folder = x_rays(tmp_path / "rays", 2**bits - 1)
    data = load(folder)
    assert data.train.images().amax() == (2**bits - 1) // 2 >> (bits - 8) == 127
    assert data.test.images().amax() == 255
    ill, well = (data.train.images()[data.train.labels == label].amax() for label in (0, 1))
    assert (ill, well) == (127, 63)  # not stretched image by image: what is half as bright stays so
    assert f"9 images have 16-bit grey values, of which {bits} bits are in use" in data.notes[-1]


def test_the_bits_may_be_said_and_files_on_demand_use_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = x_rays(tmp_path / "rays", 4095)
    whole = load(folder)
    assert (load(folder, bits=16).test.images().amax(), load(folder, bits=16).notes[-1]) != (255, whole.notes[-1])
    assert load(folder, bits=10).test.images().amax() == 255  # larger values are white
    monkeypatch.setattr(module, "IN_MEMORY_BYTES", 0)
    on_demand = load(folder)
    assert isinstance(on_demand.train, FileSplit)
    assert torch.equal(on_demand.train.images(), whole.train.images())


def test_a_few_marks_brighter_than_the_rest_are_told(tmp_path: Path) -> None:
    folder = x_rays(tmp_path / "rays", 4095)
    values = np.full((64, 64), 2000, dtype=np.uint16)
    save(folder / "train" / "ill" / "big.png", values)
    values[5, 5] = 65535  # a letter burned in
    save(folder / "train" / "ill" / "marked.png", values)
    said = load(folder, image_size=8).notes[-1]
    assert "of which 16 bits are in use" in said and said.endswith("need only 12 bits: data.bits = 12 is brighter")


# --- names of the sets ---


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [("Train", "valid", "testing"), ("training_set", "Validation", "TEST"), ("train-images", "dev", "test_data")],
)
def test_the_three_sets_are_found_whatever_they_are_called(
    make_folder: Make, train: str, validation: str, test: str
) -> None:
    folder = make_folder(train=4)
    (folder / "train").rename(folder / train)
    (folder / "test").rename(folder / test)
    save(folder / validation / "dog" / "a.png")
    data = load(folder)
    assert (len(data.train), len(data.test)) == (8, 4)
    assert data.validation is not None and data.validation.labels.tolist() == [1]
    assert f"{validation}/ is the validation set, not trained on: 1 image" in data.notes
    training, held = training_and_validation(data, 0.0, 0)
    assert training is data.train and held is data.validation
    with pytest.raises(DataError, match=r"a validation set of its own \(images: 1\); set validation = 0"):
        training_and_validation(data, 0.1, 0)


def test_val_in_place_of_test_is_said(make_folder: Make) -> None:
    folder = make_folder()
    (folder / "test").rename(folder / "valid")
    data = load(folder)
    assert data.validation is None and len(data.test) == 4
    assert "valid/ stands in for test/, which is not there" in data.notes


def test_two_folders_for_one_set_are_refused(make_folder: Make) -> None:
    folder = make_folder()
    (folder / "training").mkdir()
    assert "train/ and training/ may both be the training set" in failure(folder)


def test_the_folder_above_or_below_is_named(make_folder: Make, tmp_path: Path) -> None:
    make_folder()
    assert f"{tmp_path / 'pets'} is the folder that holds train/; set data.path to it" in failure(tmp_path)


# --- no test set ---


@pytest.mark.parametrize("rootless", [False, True])
def test_a_stated_share_is_held_out_for_testing(make_folder: Make, rootless: bool) -> None:
    folder = make_folder(train=10)
    for file in (folder / "test").rglob("*.png"):
        file.unlink()
    for kind in ("cat", "dog"):
        (folder / "test" / kind).rmdir()
        if rootless:
            (folder / "train" / kind).rename(folder / kind)
    (folder / "test").rmdir()
    if rootless:
        (folder / "train").rmdir()
    assert "set data.test_share = 0.2 to hold out a fifth of" in failure(folder)
    data = load(folder, test_share=0.2)
    assert data.train.labels.bincount().tolist() == [8, 8] and data.test.labels.bincount().tolist() == [2, 2]
    trained = {bytes(image.numpy().tobytes()) for image in data.train.images()}
    tested = {bytes(image.numpy().tobytes()) for image in data.test.images()}
    assert len(trained) == 16 and len(tested) == 4 and not trained & tested
    assert any(
        "4 images of" in note and "(data.test_share = 0.2)" in note and "16 remain" in note for note in data.notes
    )
    again = load(folder, test_share=0.2)
    assert torch.equal(data.test.images(), again.test.images())
    save(folder / ("cat" if rootless else "train/cat") / "new.png")
    more = {bytes(image.numpy().tobytes()) for image in load(folder, test_share=0.2).test.images()}
    assert len(more & tested) >= 3  # one new image moves one at most


def test_a_share_beside_a_test_set_is_refused_but_not_beside_one_without_labels(make_folder: Make) -> None:
    folder = make_folder(train=10)
    assert "data.test_share = 0.2, but there is a test set, test/; set it to 0" in failure(folder, test_share=0.2)
    for file in list((folder / "test").rglob("*.png")):
        file.rename(folder / "test" / f"{file.parent.name}{file.name}")
    for kind in ("cat", "dog"):
        (folder / "test" / kind).rmdir()
    assert "test has no class folders (4 images without a class)" in failure(folder)
    data = load(folder, test_share=0.2)
    assert len(data.test) == 4 and any(note.startswith("test/ is not used") for note in data.notes)


# --- classes ---


def test_all_that_is_wrong_is_said_at_once_with_counts(make_folder: Make) -> None:
    folder = make_folder()
    save(folder / "test" / "Cat " / "a.png")
    save(folder / "test" / "cow" / "a.png")
    (folder / "train" / "eel").mkdir()
    save(folder / "train" / "dog" / "big.png", size=(9, 9))
    (folder / "train" / "dog" / "lfs.png").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    text = failure(folder)
    assert "5 things are in the way" in text
    assert "2 classes in test/ but not in train/: Cat  (1 image), cow (1 image) ('Cat ' is 'cat' in train/)" in text
    assert "1 class in train/ but not in test/: eel" in text
    assert re.search(r"train/eel has no image file; add images or remove the class from train/[;)]", text)
    assert "images differ in size (2 sizes: " in text
    assert "train/dog/lfs.png (a Git LFS pointer, not the image itself; fetch it with: git lfs pull)" in text


def test_a_class_that_only_validation_lacks_does_no_harm(make_folder: Make) -> None:
    folder = make_folder()
    save(folder / "val" / "cat" / "a.png")
    (folder / "val" / "dog").mkdir()
    assert len(load(folder).validation or ()) == 1


def test_classes_spelled_in_nfc_and_nfd_are_one(make_folder: Make) -> None:
    folder = make_folder()
    composed, apart = unicodedata.normalize("NFC", "Bär"), unicodedata.normalize("NFD", "Bär")
    save(folder / "train" / composed / "0.png")
    save(folder / "train" / apart / "1.png")
    save(folder / "test" / apart / "0.png")
    if len(list((folder / "train").iterdir())) == 3:
        pytest.skip("this file system has one name for both")
    data = load(folder)
    assert data.classes == (composed, "cat", "dog")
    assert data.train.labels.tolist().count(0) == 2 and data.test.labels.tolist().count(0) == 1
    assert any("1 class has two folders" in note and "NFC and NFD" in note for note in data.notes)


def test_images_in_sub_folders_belong_to_their_class_and_loops_end(make_folder: Make) -> None:
    folder = make_folder()
    cat = folder / "train" / "cat"
    save(cat / "indoors" / "night" / "a.png")
    (cat / "indoors" / "back").symlink_to(cat)
    (cat / "self").symlink_to(cat / "self")
    data = load(folder)
    assert data.train.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert "train/: 1 image lies in a sub-folder of its class, such as train/cat/indoors/night/a.png" in data.notes


# --- files ---


@pytest.mark.parametrize(
    "suffix", [".jfif", ".jpe", ".JPEG", ".webp", ".bmp", ".tif", ".TIFF", ".ppm", ".gif", ".avif"]
)
def test_kinds_of_images_that_pillow_reads_are_taken(make_folder: Make, suffix: str) -> None:
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    folder = make_folder()
    kind = {".jfif": "jpeg", ".jpe": "jpeg", ".ppm": "ppm"}.get(suffix, suffix[1:].lower().replace("tif", "tiff")[:4])
    Image.new("RGB", (8, 8), (200, 30, 30)).save(folder / "train" / "cat" / f"x{suffix}", kind)
    data = load(folder)
    assert len(data.train) == 7
    assert data.train.images()[3, 0].float().mean() == pytest.approx(200, abs=4)


def test_litter_is_not_looked_at(make_folder: Make) -> None:
    folder = make_folder()
    for name in (".DS_Store", "Thumbs.db", "._0.png", "desktop.ini"):
        (folder / "train" / "cat" / name).write_bytes(b"x")
    save(folder / "train" / ".ipynb_checkpoints" / "0.png")
    save(folder / "train" / "__MACOSX" / "cat" / "0.png")
    (folder / "__MACOSX").mkdir()
    data = load(folder)
    assert data.classes == ("cat", "dog") and len(data.train) == 6 and data.notes == ()


def test_many_classes_are_counted_once(make_folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder(train=2)
    for part in ("train", "test"):
        for number in range(40):
            save(folder / part / f"c{number}" / "0.png")
    (folder / "train" / "cat" / "0.png").write_text("hello")
    counted, counts = [], Part.counts

    def count(part: Part) -> Counter[str]:
        counted.append(part)
        return counts(part)

    monkeypatch.setattr(Part, "counts", count)
    assert len(load(folder, broken="skip").classes) == 42
    assert len(counted) < 20


def test_what_is_no_image_is_called_what_it_is(make_folder: Make) -> None:
    folder = make_folder(train=6)
    cat = folder / "train" / "cat"
    (cat / "0.png").write_bytes(b"")
    (cat / "1.png").write_text("<!DOCTYPE html><html>404</html>")
    (cat / "2.png").write_text("../.git/annex/objects/xx/yy/SHA256E-s1.png")
    for number in (3, 4):
        (cat / f"{number}.png").write_text("version https://git-lfs.github.com/spec/v1\n")
    text = failure(folder)
    assert "5 of 16 images cannot be read: 2 like train/cat/3.png (a Git LFS pointer" in text
    assert "git lfs pull" in text and "train/cat/0.png (an empty file)" in text and "a web page" in text
    assert "git annex get" in text
    data = load(folder, broken="skip")
    assert len(data.train) == 7 and data.notes[-1].startswith("left out: 5 of 16 images cannot be read")


def test_pipes_are_not_waited_for_and_photos_of_unread_kinds_are_counted(make_folder: Make) -> None:
    folder = make_folder()
    os.mkfifo(folder / "train" / "cat" / "pipe.png")
    for number in range(3):
        (folder / "train" / "dog" / f"{number}.HEIC").write_bytes(b"x")
    save(folder / "train" / "loose.png")
    data = load(folder)
    assert "train/: 3 files of kinds that are not read (.heic), such as train/dog/0.HEIC" in data.notes
    assert "train/: 1 image is left out, outside of any class, such as train/loose.png" in data.notes
    assert "train/: 1 entry ignored that is no image file, such as train/cat/pipe.png" in data.notes


def test_what_becoming_rgb_costs_is_said(make_folder: Make) -> None:
    folder = make_folder()
    cat = folder / "train" / "cat"
    save(cat / "clear.png", mode="RGBA")
    palette = Image.new("P", (8, 8))
    palette.save(cat / "see-through.png", transparency=0)
    save(cat / "print.jpg", mode="CMYK")
    frames = [Image.new("L", (8, 8), level) for level in (0, 255)]
    frames[0].save(cat / "moving.gif", save_all=True, append_images=frames[1:])
    notes = load(folder).notes
    assert any(note.startswith("2 images with an alpha channel") and "clear.png" in note for note in notes)
    assert any(note.startswith("1 image in CMYK") and note.endswith("train/cat/print.jpg") for note in notes)
    assert any(note.startswith("1 image with several frames") for note in notes)


def test_turned_photos_have_their_upright_size(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for kind in ("a", "b"):
            save(tmp_path / part / kind / "upright.jpg", size=(6, 9))
            image = Image.new("RGB", (9, 6))
            exif = image.getexif()
            exif[0x0112] = 6
            image.save(tmp_path / part / kind / "turned.jpg", exif=exif)
    assert load(tmp_path).shape == (3, 9, 6)
