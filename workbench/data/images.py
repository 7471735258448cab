"""Image files as uint8 arrays: whatever colours a file has, it becomes RGB."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError, features

from workbench.filesystem import dangling

SUFFIXES = frozenset({
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jpx", ".mpo",
    ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga", ".tif", ".tiff", ".webp",
})  # fmt: skip
"""The file names, by their ends, that are taken for images; case does not matter."""

UNREAD_SUFFIXES = frozenset({
    ".arw", ".cr2", ".cr3", ".dcm", ".dicom", ".dng", ".heic", ".heif", ".jxl", ".nef", ".nii", ".npy", ".npz",
    ".orf", ".psd", ".raw", ".rw2", ".svg",
})  # fmt: skip
"""Images, too, but of kinds that are not read here."""

_POINTERS = {
    b"version https://git-lfs": "a Git LFS pointer, not the image itself; fetch it with: git lfs pull",
    b"../.git/annex/objects": "a git-annex pointer, not the image itself; fetch it with: git annex get",
    b"/annex/objects": "a git-annex pointer, not the image itself; fetch it with: git annex get",
    b"<!doctype html": "a web page, not an image; the download went wrong",
    b"<html": "a web page, not an image; the download went wrong",
}


class BrokenImage(Exception):
    """A file that cannot be read as an image; the text says why."""


@dataclass(frozen=True)
class Header:
    """What a file says before it is decoded. width, height: in pixels, upright.

    traits: what is lost or chosen when it becomes 8-bit RGB, as keys of :data:`TRAITS`. levels: int64 ``[17]``, of
    a 16-bit grey image: how many of its pixels need 0, 1, … 16 bits.
    """

    width: int
    height: int
    traits: tuple[str, ...] = ()
    levels: NDArray[np.int64] | None = None


TRAITS = {
    "transparent": "with an alpha channel, which is left out: the colours under it are seen",
    "printed": "in CMYK, made RGB without a colour profile",
    "animated": "with several frames, of which the first is seen",
    "deep colour": "with 16 bits a colour, of which the upper 8 are kept",
}


def read_header(file: Path) -> Header:
    """Look at a file without decoding it, but for 16-bit grey images. Raises BrokenImage."""
    try:
        with Image.open(file) as opened:
            width, height = opened.size
            traits = []
            if opened.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in opened.info:
                traits.append("transparent")
            if opened.mode == "CMYK":
                traits.append("printed")
            if getattr(opened, "n_frames", 1) > 1 and opened.format != "MPO":
                traits.append("animated")
            if opened.format == "PNG" and opened.mode in ("RGB", "RGBA") and _png_depth(file) == 16:
                traits.append("deep colour")
            levels = None
            if opened.mode.startswith("I"):
                counts = np.bincount(_deep(opened).ravel(), minlength=1 << 16)
                levels = np.add.reduceat(counts, [0, *(1 << bit for bit in range(16))])
            with suppress(Exception):
                if opened.getexif().get(ExifTags.Base.Orientation, 1) >= 5:
                    width, height = height, width
            return Header(width, height, tuple(traits), levels)
    except BrokenImage:
        raise
    except Exception as error:
        raise BrokenImage(_reason(error, file)) from error


def read_image(file: Path, image_size: int | None = None, bits: int = 16) -> NDArray[np.uint8]:
    """Decode a file completely: uint8 ``[3, H, W]``, upright (EXIF orientation applied), first frame if it has several.

    Grey and palette images become RGB; an alpha channel is left out, as torchvision's folders do. bits: how many of
    16-bit grey images are in use, 8 to 16; the upper 8 of them are kept, larger values become white. image_size: scale
    the shorter side to it (bilinear, antialiased), then cut the central square; None keeps the image's own size.
    Raises BrokenImage.
    """
    try:
        with Image.open(file) as opened:
            opened.load()
            image: Image.Image = opened
            with suppress(Exception):  # damaged EXIF data is no reason to lose an image that decodes
                image = ImageOps.exif_transpose(opened)
            image = _to_rgb(image, bits)
        if image_size is not None:
            image = _square(image, image_size)
        return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
    except BrokenImage:
        raise
    except (
        Exception
    ) as error:  # Pillow's decoders raise nearly everything: OSError, SyntaxError, ValueError, struct.error
        raise BrokenImage(_reason(error, file)) from error


def odd_size(header: Header, image_size: int) -> str:
    """What is odd about an image's size where a square of ``image_size`` is made of it; "" if nothing is."""
    width, height = header.width, header.height
    shorter, longer = sorted((width, height))
    if 2 * shorter < image_size:
        return f"its {width}×{height} pixels are enlarged to {image_size}×{image_size}"
    if longer > 3 * shorter:
        return f"of its {width}×{height} pixels only the central square is seen"
    return ""


def _png_depth(file: Path) -> int:
    with file.open("rb") as opened:
        start = opened.read(25)
    return start[24] if len(start) == 25 else 0


def _deep(image: Image.Image) -> NDArray[np.uint16]:
    """The values of a grey image of more than 8 bits. Raises BrokenImage where they do not fit into 16."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise BrokenImage("its pixels are 32-bit integers, whose range is not known; save it with 8 or 16 bits")
    return values.astype(np.uint16)


def _to_rgb(image: Image.Image, bits: int) -> Image.Image:
    if image.mode.startswith("I"):  # Pillow's own conversion would cut 16 bits off at 255 and show white
        values = np.minimum(_deep(image) >> (bits - 8), 255)
        return Image.fromarray(values.astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise BrokenImage("its pixels are floating-point numbers, whose range is not known; save it with 8 or 16 bits")
    if "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _square(image: Image.Image, size: int) -> Image.Image:
    """Shorter side to size, then the central square; sizes and offsets as in torchvision's Resize and CenterCrop."""
    width, height = image.size
    if width <= height:
        scaled = (size, int(size * height / width))
    else:
        scaled = (int(size * width / height), size)
    if scaled != image.size:
        image = image.resize(scaled, Image.Resampling.BILINEAR)
    left, top = round((scaled[0] - size) / 2), round((scaled[1] - size) / 2)
    return image.crop((left, top, left + size, top + size))


def _reason(error: Exception, file: Path) -> str:
    """Why a file is no image that can be read; what it is instead, where that can be seen."""
    with suppress(OSError):
        with file.open("rb") as opened:
            start = opened.read(512).lstrip()
        if not start:
            return "an empty file"
        for sign, text in _POINTERS.items():
            if start.lower().startswith(sign):
                return text
        if start[4:12] in (b"ftypavif", b"ftypavis") and not features.check("avif"):
            return "an AVIF image, which this Pillow does not read; install pillow 11.3 or newer"
    if isinstance(error, UnidentifiedImageError):
        return "no image of a kind that Pillow knows"
    if isinstance(error, OSError) and error.strerror:
        return dangling(file) or error.strerror
    text = " ".join(str(error).split()).replace(str(file), "the file")
    return text or type(error).__name__
