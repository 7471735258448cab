from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from workbench.data.images import BrokenImage, read_image


def saved(image: Image.Image, file: Path, **options: object) -> Path:
    image.save(file, **options)
    return file


def test_rgb_comes_back_as_it_is(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    read = read_image(saved(Image.fromarray(pixels), tmp_path / "a.png"))
    assert read.dtype == np.uint8 and read.shape == (3, 5, 7)
    assert (read.transpose(1, 2, 0) == pixels).all()


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    grey = np.arange(35, dtype=np.uint8).reshape(5, 7)
    assert (read_image(saved(Image.fromarray(grey), tmp_path / "a.png")) == grey).all()


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    bits = np.eye(6, dtype=bool)
    assert (read_image(saved(Image.fromarray(bits), tmp_path / "a.png")) == bits * 255).all()


@pytest.mark.parametrize("suffix", ["png", "tiff", "pgm"])
def test_sixteen_bits_keep_their_upper_eight(tmp_path: Path, suffix: str) -> None:
    deep = np.array([[0, 255, 256], [0x1234, 0x8000, 0xFFFF]], dtype=np.uint16)
    file = tmp_path / f"a.{suffix}"
    if suffix == "pgm":  # which Pillow before 11 reads and does not write
        file.write_bytes(b"P5 3 2 65535\n" + deep.astype(">u2").tobytes())
    else:
        saved(Image.fromarray(deep), file)
    assert (read_image(file) == deep >> 8).all()


def test_alpha_is_left_out(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    read = read_image(saved(Image.fromarray(pixels, "RGBA"), tmp_path / "a.png"))
    assert (read.transpose(1, 2, 0) == pixels[:, :, :3]).all()
    grey = read_image(saved(Image.fromarray(pixels[:, :, :2].copy(), "LA"), tmp_path / "b.png"))
    assert (grey == pixels[:, :, 0]).all()


@pytest.mark.parametrize("options", [{}, {"transparency": 0}, {"transparency": bytes([0, 128, 255])}])
@pytest.mark.filterwarnings("error")
def test_palettes_are_looked_up(tmp_path: Path, options: dict[str, object]) -> None:
    image = Image.fromarray(np.array([[0, 1], [2, 1]], dtype=np.uint8), "P")
    colours = [(250, 0, 10), (0, 200, 20), (7, 8, 9)]
    image.putpalette([value for colour in colours for value in colour])
    read = read_image(saved(image, tmp_path / "a.png", **options)).transpose(1, 2, 0)
    assert read.tolist() == [[list(colours[0]), list(colours[1])], [list(colours[2]), list(colours[1])]]


def test_cmyk_jpeg_is_converted(tmp_path: Path) -> None:
    assert read_image(saved(Image.new("CMYK", (8, 8)), tmp_path / "a.jpg")).shape == (3, 8, 8)


def test_a_sideways_photograph_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter to the right to show it
    assert read_image(saved(Image.new("RGB", (8, 16)), tmp_path / "a.jpg", exif=exif)).shape == (3, 8, 16)


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (37, 23), (12, 12), (16, 16), (5, 3)])
def test_the_square_is_torchvisions(tmp_path: Path, size: tuple[int, int]) -> None:
    from torchvision.transforms import functional as F

    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    expected = np.asarray(F.center_crop(F.resize(image, 16), 16)).transpose(2, 0, 1)
    assert (read_image(saved(image, tmp_path / "a.png"), 16) == expected).all()


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "float", "wide"])
def test_what_cannot_be_read_says_why(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "a.tiff"
    if kind == "float":
        saved(Image.fromarray(np.zeros((4, 4), dtype=np.float32)), file)
    elif kind == "wide":
        saved(Image.fromarray(np.full((4, 4), 70_000, dtype=np.int32)), file)
    elif kind == "cut":
        saved(
            Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)), tmp_path / "b.jpg"
        )
        whole = (tmp_path / "b.jpg").read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
    else:
        file.write_bytes(b"" if kind == "empty" else b"hello")
    with pytest.raises(BrokenImage) as error:
        read_image(file)
    assert str(error.value) and "\n" not in str(error.value) and str(tmp_path) not in str(error.value)


def test_the_result_can_become_a_tensor(tmp_path: Path) -> None:
    assert torch.from_numpy(read_image(saved(Image.new("RGB", (3, 3)), tmp_path / "a.png"))).is_contiguous()
