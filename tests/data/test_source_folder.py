from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from workbench.data.base import DataError
from workbench.data.sources import folder as module
from workbench.data.sources.folder import Folder
from workbench.data.splits import ArraySplit, FileSplit
from workbench.recipe.parameters import parameters

Make = Callable[..., Path]


def failure(source: Folder, root: Path) -> str:
    with pytest.raises(DataError) as error:
        source.load(root)
    text = str(error.value)
    assert "\n" not in text
    return text


def test_a_folder_loads_with_classes_in_order(make_folder: Make) -> None:
    folder = make_folder((9, 6))
    data = Folder(path=str(folder)).load(Path("nowhere"))
    assert data.classes == ("cat", "dog")
    assert data.shape == (3, 6, 9)
    assert data.notes == ()
    assert isinstance(data.train, ArraySplit)
    assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.test.labels.tolist() == [0, 0, 1, 1]
    for split, part in ((data.train, "train"), (data.test, "test")):
        files = sorted((folder / part).glob("*/*.png"))
        expected = np.stack([np.asarray(Image.open(file)).transpose(2, 0, 1) for file in files])
        assert (split.images().numpy() == expected).all()


def test_relative_paths_are_looked_for_in_the_data_root_then_here(
    make_folder: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder()
    assert len(Folder(path="pets").load(tmp_path).train) == 6
    monkeypatch.chdir(tmp_path)
    assert len(Folder(path="pets").load(tmp_path / "elsewhere").train) == 6
    text = failure(Folder(path="birds"), tmp_path / "elsewhere")
    assert str(tmp_path / "elsewhere" / "birds") in text and str(tmp_path / "birds") in text and "--data-root" in text


def test_val_stands_in_for_test(make_folder: Make) -> None:
    folder = make_folder()
    (folder / "test").rename(folder / "val")
    assert len(Folder(path=str(folder)).load(Path()).test) == 4


def test_all_kinds_of_images_become_one_size_of_rgb(make_folder: Make) -> None:
    folder = make_folder((20, 10))
    cat = folder / "train" / "cat"
    Image.new("L", (30, 30), 7).save(cat / "grey.png")
    Image.new("RGBA", (16, 40), (1, 2, 3, 0)).save(cat / "clear.webp", lossless=True, exact=True)
    Image.new("P", (8, 8)).save(cat / "palette.gif")
    Image.fromarray(np.full((12, 9), 0x4321, dtype=np.uint16)).save(cat / "deep.png")
    Image.new("CMYK", (50, 40)).save(cat / "PRINT.JPG")
    data = Folder(path=str(folder), image_size=16).load(Path())
    assert data.shape == (3, 16, 16)
    assert data.train.images().shape == (11, 3, 16, 16)
    files = sorted(cat.iterdir())
    images = dict(zip([file.name for file in files], data.train.images(), strict=False))
    assert (images["grey.png"] == 7).all()
    assert images["clear.webp"][:, 5, 5].tolist() == [1, 2, 3]
    assert (images["deep.png"] == 0x4321 >> 7).all()  # 15 of its bits are in use


def test_different_sizes_name_two_files_and_image_size(make_folder: Make) -> None:
    folder = make_folder((8, 8))
    Image.new("RGB", (12, 9)).save(folder / "test" / "dog" / "big.png")
    text = failure(Folder(path=str(folder)), Path())
    assert f"10 × 8×8 such as {folder / 'train' / 'cat' / '0.png'}" in text
    assert f"1 × 12×9 such as {folder / 'test' / 'dog' / 'big.png'}" in text
    assert "data.image_size" in text and "image_size = 8" in text


@pytest.fixture
def damaged(make_folder: Make) -> Path:
    """A folder with a text for an image, a JPEG cut short, and a link to nowhere."""
    folder = make_folder((64, 64))
    (folder / "train" / "cat" / "0.png").write_text("hello")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    cut = folder / "train" / "dog" / "cut.jpg"
    Image.fromarray(noise).save(cut)
    cut.write_bytes(cut.read_bytes()[:1500])
    (folder / "test" / "dog" / "link.png").symlink_to(folder / "nowhere.png")
    return folder


def test_broken_images_are_refused_by_name_and_number(damaged: Path) -> None:
    text = failure(Folder(path=str(damaged)), Path())
    assert "3 of 12 images cannot be read" in text
    assert f"test/dog/link.png (is a link to {damaged / 'nowhere.png'}, which is not there)" in text
    assert "train/cat/0.png" in text and "train/dog/cut.jpg" in text and "test/dog/link.png" in text
    assert 'data.broken = "skip"' in text


def test_broken_images_are_left_out_and_noted(damaged: Path) -> None:
    data = Folder(path=str(damaged), broken="skip").load(Path())
    assert (len(data.train), len(data.test)) == (5, 4)
    assert data.train.labels.tolist() == [0, 0, 1, 1, 1]
    assert len(data.notes) == 1
    assert data.notes[0].startswith("left out: 3 of 12 images cannot be read: train/cat/0.png")
    first = np.asarray(Image.open(damaged / "test" / "cat" / "0.png")).transpose(2, 0, 1)
    assert (data.test.images()[0].numpy() == first).all()


def test_a_class_whose_images_are_all_broken_is_an_error(make_folder: Make) -> None:
    folder = make_folder(train=1)
    (folder / "train" / "dog" / "0.png").write_text("hello")
    text = failure(Folder(path=str(folder), broken="skip"), Path())
    assert f"{folder / 'train' / 'dog'} has no readable image: 0.png is one of 1 file, no image of a kind that" in text


def test_when_nothing_can_be_read_one_file_says_why(make_folder: Make) -> None:
    folder = make_folder(train=1, test=1)
    for file in folder.rglob("*.png"):
        file.write_text("hello")
    assert "none of 4 images can be read, such as" in failure(Folder(path=str(folder)), Path())


def test_other_files_are_ignored_and_counted(make_folder: Make) -> None:
    folder = make_folder()
    (folder / "train" / "cat" / "notes.txt").write_text("good ones")
    (folder / "train" / "cat" / "more").mkdir()
    (folder / "train" / "labels.csv").write_text("a,b")
    (folder / "train" / "cat" / ".hidden.png").write_text("not looked at")
    (folder / "test" / "dog" / "Thumbs.db").write_bytes(b"x")
    (folder / "test" / "dog" / "labels").write_bytes(b"x")
    data = Folder(path=str(folder)).load(Path())
    assert len(data.train) == 6
    assert data.notes == (
        "train/: 2 entries ignored that are no image files, such as train/labels.csv",
        "test/: 1 entry ignored that is no image file, such as test/dog/labels",
    )


def test_layout_faults_are_told_apart(make_folder: Make, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    assert f"{bare} has no folder train/; expected train/<class>/*" in failure(Folder(path=str(bare)), Path())

    no_test = make_folder(name="no_test")
    (no_test / "test").rename(no_test / "tests")
    text = failure(Folder(path=str(no_test)), Path())
    assert "has no folder test/ or val/ (it has tests/ beside train/); set data.test_share = 0.2" in text

    flat = tmp_path / "flat"
    for part in ("train", "test"):
        (flat / part).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(flat / part / "a.png")
    assert "has no class folders" in failure(Folder(path=str(flat)), Path())

    single = tmp_path / "single"
    for part in ("train", "test"):
        (single / part / "cat").mkdir(parents=True)
    assert "has a single class, cat" in failure(Folder(path=str(single)), Path())


def test_classes_must_be_the_same_in_both_parts(make_folder: Make) -> None:
    folder = make_folder()
    (folder / "test" / "cow").mkdir()
    assert "1 class in test/ but not in train/: cow" in failure(Folder(path=str(folder)), Path())
    (folder / "train" / "cow").mkdir()
    (folder / "train" / "eel").mkdir()
    (folder / "train" / "fox").mkdir()
    assert "2 classes in train/ but not in test/: eel, fox" in failure(Folder(path=str(folder)), Path())


def test_empty_class_folders_are_named(make_folder: Make) -> None:
    folder = make_folder()
    for part in ("train", "test"):
        (folder / part / "eel").mkdir()
    text = failure(Folder(path=str(folder)), Path())
    assert f"{folder / 'train' / 'eel'} has no image file (nor have {folder / 'test' / 'eel'});" in text
    assert text.endswith("remove the class from train/ and test/")
    (folder / "test" / "eel" / "notes.txt").write_text("none yet")
    Image.new("RGB", (8, 8)).save(folder / "train" / "eel" / "0.png")
    text = failure(Folder(path=str(folder)), Path())
    assert f"{folder / 'test' / 'eel'} has no image file, only 1 .txt; add images" in text


@pytest.mark.parametrize("image_size", [None, 5])
def test_what_does_not_fit_in_memory_is_decoded_on_demand(
    make_folder: Make, monkeypatch: pytest.MonkeyPatch, image_size: int | None
) -> None:
    folder = make_folder()
    (folder / "train" / "cat" / "1.png").write_text("broken")
    source = Folder(path=str(folder), image_size=image_size, broken="skip")
    kept = source.load(Path())
    monkeypatch.setattr(module, "IN_MEMORY_BYTES", 9 * 3 * 5 * 5 - 1)
    on_demand = source.load(Path())
    for one, other in ((kept.train, on_demand.train), (kept.test, on_demand.test)):
        assert isinstance(one, ArraySplit) and isinstance(other, FileSplit)
        assert torch.equal(one.labels, other.labels)
        assert torch.equal(one.images(), other.images())
    assert kept.shape == on_demand.shape


def test_long_checks_report_how_far_they_are(make_folder: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.data import glance, verify

    monkeypatch.setattr(verify, "_CHUNK", 4)
    monkeypatch.setattr(glance, "_CHUNK", 5)
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)
    heard: list[str] = []
    Folder(path=str(make_folder())).load(Path(), heard.append)
    looked = [f"looking at images: {count} of 10" for count in (5, 10)]
    assert heard == [*looked, *(f"checking images: {count} of 10" for count in (4, 8, 10))]


def test_parameters_make_a_form() -> None:
    form = parameters(Folder)
    assert form["path"].required and form["path"].kind == "text"
    assert form["image_size"].optional and form["image_size"].kind == "integer"
    assert form["broken"].choices == ("refuse", "skip")
