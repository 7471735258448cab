"""What becomes of the sets that an image folder has: which tests, what is missing, what does not fit together."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from workbench.data.layout import Layout, Part

LAYOUT = "expected train/<class>/* and test/<class>/* (or val/<class>/*)"
OFFER = "set data.test_share = 0.2 to hold out a fifth of {} for testing, the same images every time"
_SHOWN = 5


def arrange(layout: Layout, test_share: float) -> list[str]:
    """Decide what each set is for; what stands in the way goes to ``layout.faults``. What is to be said of the rest.

    test_share: of the training images, held out where there is no test set.
    """
    said = _choose_sets(layout, test_share)
    for part in layout.parts():
        layout.faults += part.unlisted
    if layout.train is not None:
        _compare_classes(layout)
    return said + [sentence for part in layout.parts() for sentence in _oddities(part, layout.folder)]


def described(layout: Layout) -> str:
    """All faults of a folder in one line."""
    if len(layout.faults) == 1:
        fault = layout.faults[0]
        return fault if fault.startswith(str(layout.folder)) else f"{layout.folder}: {fault}"
    numbered = "; ".join(f"({number}) {fault}" for number, fault in enumerate(layout.faults, 1))
    return f"{layout.folder}: {len(layout.faults)} things are in the way: {numbered}"


def _choose_sets(layout: Layout, test_share: float) -> list[str]:
    """After it, ``test`` is there or there is a fault."""
    said: list[str] = []
    if layout.train is None:
        if not layout.faults:
            has = f"; it has {', '.join(layout.beside[:_SHOWN])}" if layout.beside else ""
            layout.faults.append(f"{layout.folder} has no folder train/; {LAYOUT}{has}")
        return said
    name = "the images" if layout.rootless else layout.train.name
    if layout.rootless:
        said.append(f"{layout.folder} has no train/: its own folders are taken for the classes")
    if layout.test is not None and not layout.test.classes:
        count = len(layout.test.outside)
        if not test_share:
            offer = OFFER.format(name)
            layout.faults.append(
                f"{layout.test.folder} has no class folders ({count:,} images without a class); {LAYOUT}, or {offer}"
            )
            return said
        said.append(f"{layout.test.name} is not used: it has no class folders, {count:,} images without a class")
        layout.test = None
    if layout.test is not None and test_share:
        layout.faults.append(
            f"data.test_share = {test_share:g}, but there is a test set, {layout.test.name}; set it to 0"
        )
    elif layout.test is None and test_share:
        layout.test = _held_out(layout.train, test_share)
        said.append(
            f"{len(layout.test.files):,} images of {name} are held out for testing (data.test_share = {test_share:g}), "
            f"chosen by their names: the same ones whatever the seed; {len(layout.train.files):,} remain"
        )
    elif layout.test is None and layout.validation is not None:
        layout.test, layout.validation = layout.validation, None
        said.append(f"{layout.test.name} stands in for test/, which is not there")
    elif layout.test is None:
        has = f" (it has {', '.join(layout.beside[:_SHOWN])} beside {name})" if layout.beside else ""
        layout.faults.append(f"{layout.folder} has no folder test/ or val/{has}; {OFFER.format(name)}")
    if layout.validation is not None:
        said.append(
            f"{layout.validation.name} is the validation set, not trained on: "
            + _plural(len(layout.validation.files), "image", "images")
        )
    if layout.beside:
        said.append(f"not looked at: {_names(layout.beside)}")
    return said


def _held_out(train: Part, share: float) -> Part:
    """Take a share of each class, those whose names have the lowest digests; ``train`` keeps the others.

    Neither a seed nor what other files there are decides about an image, but for those at the limit.
    """
    from workbench.data.splits import quotas

    held = Part(train.folder, classes=train.classes)
    counts = sorted(train.counts().items())
    taken: set[Path] = set()
    for (name, _), quota in zip(counts, quotas([count for _, count in counts], share), strict=True):
        files = [file for file, label in zip(train.files, train.labels, strict=True) if label == name]
        taken.update(sorted(files, key=lambda file: _digest(file.relative_to(train.folder)))[:quota])
    pairs = [(f, n) for f, n in zip(train.files, train.labels, strict=True) if f in taken]
    held.files, held.labels = [f for f, _ in pairs], [n for _, n in pairs]
    train.keep([file not in taken for file in train.files])
    return held


def _digest(file: Path) -> bytes:
    return hashlib.sha256(unicodedata.normalize("NFC", file.as_posix()).encode(errors="surrogateescape")).digest()


def _compare_classes(layout: Layout) -> None:
    train, parts = layout.train, layout.parts()
    assert train is not None
    if not train.classes:
        images = f" ({len(train.outside):,} images lie in it without a class)" if train.outside else ""
        layout.faults.append(f"{train.folder} has no class folders{images}; {LAYOUT}")
        return
    if len(train.classes) == 1:
        layout.faults.append(
            f"{train.folder} has a single class, {next(iter(train.classes))}; a classifier needs two or more"
        )
    layout.faults += [
        f for part in parts if part is not train and part.folder != train.folder for f in _pair(train, part)
    ]
    layout.faults += _empty([part for part in parts if part is train or part.folder != train.folder])


def _pair(train: Part, other: Part) -> list[str]:
    """The classes that only one of two sets has. One that only validation lacks does no harm."""
    faults = []
    if extra := [name for name in other.classes if name not in train.classes]:
        counts = other.counts()
        shown = _names(f"{n} ({_plural(counts[n], 'image', 'images')})" for n in extra)
        spelled = {name.casefold().strip(): name for name in train.classes}
        near = next(((n, spelled[n.casefold().strip()]) for n in extra if n.casefold().strip() in spelled), None)
        hint = f" ('{near[0]}' is '{near[1]}' in {train.name})" if near else ""
        faults.append(
            f"{_plural(len(extra), 'class', 'classes')} in {other.name} but not in {train.name}: "
            f"{shown}{hint}; what is not trained cannot be told: "
            f"add them to {train.name} or take them out of {other.name}"
        )
    if missing := [name for name in train.classes if name not in other.classes]:
        fault = (
            f"{_plural(len(missing), 'class', 'classes')} in {train.name} but not in {other.name}: {_names(missing)}; "
            "both need the same class folders"
        )
        faults += [] if other.name != "test/" and _validates(other) else [fault]
    return faults


def _validates(part: Part) -> bool:
    from workbench.data.layout import role_of

    return role_of(part.folder.name) == "validation"


def _empty(parts: list[Part]) -> list[str]:
    """What to say of class folders without an image; in a validation set they do no harm."""
    empty = [
        (part, name, folders[0])
        for part in parts
        if not _validates(part)
        for counts in [part.counts()]
        for name, folders in part.classes.items()
        if not counts[name]
    ]
    if not empty:
        return []
    names = {name for _, name, _ in empty}
    first = empty[0][2]
    others = (file for part, *_ in empty for file in (*part.unread, *part.others) if first in file.parents)
    inside = Counter(file.suffix.lower() or "without a suffix" for file in others)
    holds = ", only " + ", ".join(f"{count:,} {kind}" for kind, count in inside.most_common(3)) if inside else ""
    more = f" (nor have {_names(str(folder) for *_, folder in empty[1:])})" if len(empty) > 1 else ""
    having = [part.name for part in parts if any(name in part.classes for name in names)]
    remove = f"remove {'the class' if len(names) == 1 else 'these classes'} from {' and '.join(having)}"
    return [f"{first} has no image file{holds}{more}; add images or {remove}"]


def _oddities(part: Part, folder: Path) -> list[str]:
    """What is not in the way but may not be meant."""

    def say(files: list[Path], one: str, many: str) -> None:
        if files:
            what = one if len(files) == 1 else many
            said.append(f"{part.name} {len(files):,} {what}, such as {files[0].relative_to(folder)}")

    said: list[str] = []
    say(part.deeper, "image lies in a sub-folder of its class", "images lie in sub-folders of their classes")
    say(part.outside, "image is left out, outside of any class", "images are left out, outside of any class")
    kinds = ", ".join(sorted({file.suffix.lower() for file in part.unread}))
    say(part.unread, f"file of a kind that is not read ({kinds})", f"files of kinds that are not read ({kinds})")
    say(part.others, "entry ignored that is no image file", "entries ignored that are no image files")
    spelled = {name: folders for name, folders in part.classes.items() if len(folders) > 1}
    if spelled:
        name = next(iter(spelled))
        said.append(
            f"{part.name} {_plural(len(spelled), 'class has', 'classes have')} two folders whose names are the same "
            f"text in different bytes (Unicode NFC and NFD), such as {name}: taken for one class"
        )
    return [sentence.replace(f"{part.name} ", f"{part.name}: ", 1) for sentence in said]


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN:,} more" if len(listed) > _SHOWN else "")


def _plural(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
