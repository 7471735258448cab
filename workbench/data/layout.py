"""Which folders of an image folder are its training, validation and test set, and which files are of which class."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.data.images import SUFFIXES, UNREAD_SUFFIXES

NAMES = {"train": "train|training", "validation": "val|valid|validation|dev", "test": "test|testing"}
"""What the three sets are called, in any case, with or without "set", "data", "images" or "split" behind it."""
_ROLES = {role: re.compile(rf"({names})([ _-]?(set|data|images|split))?", re.I) for role, names in NAMES.items()}
_LITTER = {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}


@dataclass
class Part:
    """One set: its files with the class of each, in a fixed order, and what else lay there.

    classes: a class's name in NFC, and the folders that it is spelled as. others, unread: by suffix, with an example.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    classes: dict[str, list[Path]] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    deeper: list[Path] = field(default_factory=list)
    outside: list[Path] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The folder's name with a slash."""
        return f"{self.folder.name}/"

    def counts(self) -> Counter[str]:
        """Images by class."""
        return Counter(self.labels)

    def keep(self, wanted: list[bool]) -> None:
        """Drop the files that are not wanted."""
        pairs = [(f, n) for f, n, keep in zip(self.files, self.labels, wanted, strict=True) if keep]
        self.files, self.labels = [f for f, _ in pairs], [n for _, n in pairs]


@dataclass
class Layout:
    """The sets of a folder. beside: folders that are none of them. rootless: the classes lie in the folder itself."""

    folder: Path
    train: Part | None = None
    validation: Part | None = None
    test: Part | None = None
    beside: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    rootless: bool = False

    def parts(self) -> list[Part]:
        """Those that are there: training, validation, test."""
        return [part for part in (self.train, self.validation, self.test) if part is not None]


def find_parts(folder: Path) -> Layout:
    """Look through a folder. What stands in the way of using it is in ``faults``, a sentence each."""
    found = Layout(folder)
    entries, unlisted = _entries(folder)
    if unlisted:
        found.faults.append(unlisted)
        return found
    roles: dict[str, list[Path]] = {role: [] for role in _ROLES}
    rest: list[Path] = []
    for entry in filter(Path.is_dir, entries):
        role = role_of(entry.name)
        (rest if role is None else roles[role]).append(entry)
    for role, folders in roles.items():
        if len(folders) > 1:
            names = " and ".join(f"{entry.name}/" for entry in folders)
            found.faults.append(f"{names} may both be the {_WORDS[role]} set; keep one, or merge them")
    found.beside = [f"{entry.name}/" for entry in rest]
    if not roles["train"] and not roles["test"] and not roles["validation"]:
        _without_parts(found, rest)
        return found
    found.train, found.validation, found.test = (
        _scan(roles[role][0]) if roles[role] else None for role in ("train", "validation", "test")
    )
    return found


def role_of(name: str) -> str | None:
    """Which set a folder of this name is: "train", "validation", "test" or None."""
    return next((role for role, pattern in _ROLES.items() if pattern.fullmatch(name)), None)


_WORDS = {"train": "training", "validation": "validation", "test": "test"}


def _without_parts(found: Layout, folders: list[Path]) -> None:
    """No folder has the name of a set: its folders may be the classes, or it lies one folder deeper."""
    for folder in folders:
        inner = [entry.name for entry in filter(Path.is_dir, _entries(folder)[0])]
        if any(role_of(name) == "train" for name in inner):
            found.faults.append(f"{folder} is the folder that holds train/; set data.path to it")
            return
    part = _scan(found.folder)
    if len(part.counts()) > 1:
        found.train, found.beside, found.rootless = part, [], True


def _scan(folder: Path) -> Part:
    """List a set's classes and image files in the order of their names; litter and hidden entries are not looked at."""
    part = Part(folder)
    entries, unlisted = _entries(folder)
    part.unlisted += [unlisted] if unlisted else []
    for entry in entries:
        if entry.is_dir():
            part.classes.setdefault(unicodedata.normalize("NFC", entry.name), []).append(entry)
        elif entry.suffix.lower() in SUFFIXES:
            part.outside.append(entry)
        else:
            part.others.append(entry)
    for name, folders in sorted(part.classes.items()):
        for top in folders:
            for file in _files_under(top, part):
                if file.suffix.lower() in SUFFIXES and _may_be_read(file):
                    part.files.append(file)
                    part.labels.append(name)
                    if file.parent != top:
                        part.deeper.append(file)
                else:
                    (part.unread if file.suffix.lower() in UNREAD_SUFFIXES else part.others).append(file)
    return part


def _files_under(top: Path, part: Part) -> Iterator[Path]:
    """What is no folder, at any depth. A link to a folder that was seen already is not followed again."""
    seen: set[tuple[int, int]] = set()
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            about = folder.stat()
        except OSError as error:
            part.unlisted.append(f"{folder} cannot be listed: {error.strerror or error}")
            continue
        if (about.st_dev, about.st_ino) in seen:
            continue
        seen.add((about.st_dev, about.st_ino))
        entries, unlisted = _entries(folder)
        part.unlisted += [unlisted] if unlisted else []
        folders = [entry for entry in entries if entry.is_dir()]
        yield from (entry for entry in entries if not entry.is_dir())
        waiting += reversed(folders)


def _entries(folder: Path) -> tuple[list[Path], str]:
    """What lies in a folder, by name, and why it cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and e.name.lower() not in _LITTER]
    except OSError as error:
        return [], f"{folder} cannot be listed: {error.strerror or error}"
    return [folder / name for name in sorted(names, key=lambda name: (unicodedata.normalize("NFC", name), name))], ""


def _may_be_read(file: Path) -> bool:
    """Not a pipe or a device, for which one could wait for ever. A link to nowhere is left to be said as broken."""
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except OSError:
        return True
