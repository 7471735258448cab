"""Where runs and data lie: whether there is room, and how fast the disk is."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.doctor.finding import Finding, Level
from workbench.doctor.worker import Failure
from workbench.format import file_size

GROUP = "disks"

LITTLE, HARDLY = 2 * 10**9, 10**8
"""Bytes below which a disk wants a look, and below which a run cannot keep its checkpoints."""

SLOW_WRITE, SLOW_SYNC = 30e6, 0.1
"""Bytes a second and seconds of a small fsync: on slower ones checkpoints and heartbeats are felt."""

NETWORK = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "lustre", "gpfs", "ceph", "beegfs", "9p")

BLOCK = 1 << 20


@dataclass(frozen=True)
class Disk:
    """A folder's disk. exists: whether the folder is there; where: it, or the nearest one above that is.

    free, total: bytes; inodes: files that can still be made, None where the system does not count. write, read: bytes
    a second, after fsync and with nothing kept in memory; sync: seconds that 4 kB and an fsync take. error: why nothing
    can be written there.
    """

    where: str
    exists: bool
    kind: str = ""
    free: int = 0
    total: int = 0
    inodes: int | None = None
    write: float = 0.0
    read: float = 0.0
    sync: float = 0.0
    error: str = ""


def look(folder: str) -> Disk:
    """What can be told without writing."""
    where = Path(folder)
    while not os.path.isdir(where) and where != where.parent:
        where = where.parent
    found = os.statvfs(where)
    return Disk(
        where=str(where),
        exists=str(where) == folder,
        kind=_kind(where),
        free=found.f_bavail * found.f_frsize,
        total=found.f_blocks * found.f_frsize,
        inodes=found.f_favail if found.f_files else None,
    )


def measure(folder: str, seconds: float = 1.0) -> Disk:
    """The same, and a nameless file written and read there for about so long; nothing of it stays."""
    disk = look(folder)
    room = min(64, disk.free // 4 // BLOCK)
    try:
        with tempfile.TemporaryFile(dir=disk.where, buffering=0) as file:
            os.write(file.fileno(), b"x" * 4096)
            os.fsync(file.fileno())
            sync, block = _fsync(file.fileno()), os.urandom(BLOCK)
            blocks, began = 0, time.perf_counter()
            while blocks < room and time.perf_counter() - began < seconds:
                blocks += os.write(file.fileno(), block) // BLOCK
                if blocks % 8 == 0:  # so that the time is that of the disk
                    os.fsync(file.fileno())
            os.fsync(file.fileno())
            write = blocks * BLOCK / (time.perf_counter() - began)
            with contextlib.suppress(OSError, AttributeError):
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            got, began = 0, time.perf_counter()
            while part := os.read(file.fileno(), BLOCK):
                got += len(part)
            read = got / (time.perf_counter() - began)
    except OSError as error:
        return replace(disk, error=error.strerror or "")
    return replace(disk, write=write, read=read, sync=sync)


def _fsync(descriptor: int) -> float:
    """The middle one of five small writes with an fsync each."""
    took = []
    for _ in range(5):
        began = time.perf_counter()
        os.write(descriptor, b"x" * 4096)
        os.fsync(descriptor)
        took.append(time.perf_counter() - began)
    return sorted(took)[2]


def _kind(where: Path) -> str:
    """The file system's kind, of the longest mount point above a folder."""
    best, kind = "", ""
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        point = left.split(" ")[4].replace("\\040", " ")
        inside = str(where) == point or str(where).startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, right.split(" ")[0]
    return kind


def judge(found: Disk | Failure, name: str, folder: str, option: str) -> list[Finding]:
    """The line of one folder. option: how another one is chosen."""
    if isinstance(found, Failure):
        meaning = "every run and every look at runs hangs there" if found.hung else "it cannot be used"
        remedy = f"see whether its server answers (ls {folder}), or take another folder: {option}"
        return [Finding(GROUP, name, "broken", f"{folder}: {found.reason}", meaning, remedy)]
    there = folder if found.exists else f"{folder} (not there yet, above it {found.where})"
    kind = f", {found.kind}" if found.kind else ""
    space = f"{file_size(found.free)} of {file_size(found.total)} free"
    other = f"take another folder: {option}"
    if found.error:
        what = f"{there}: nothing can be written: {found.error}"
        return [Finding(GROUP, name, "broken", f"{what}{kind}, {space}", "no run can be kept there", other)]
    if found.free < HARDLY or found.inodes == 0:
        text = f"{there}: {space}" + (", and no file can be made (no inodes)" if found.inodes == 0 else "")
        return [Finding(GROUP, name, "broken", text, "no checkpoint fits", f"make room there, or {other}")]
    lines = []
    speed = f"writes {_megabytes(found.write)}, reads {_megabytes(found.read)}, fsync {1000 * found.sync:.1f} ms"
    level: Level = "warn" if found.free < LITTLE else "ok"
    kept = "checkpoints" if name == "runs" else "data sets"
    meaning = f"room for a few {kept} only" if level == "warn" else f"room for {kept}"
    remedy = f"make room there (workbench delete --empty), or {other}" if level == "warn" else ""
    lines.append(Finding(GROUP, name, level, f"{there}: {space}{kind}", meaning, remedy))
    slow = found.write < SLOW_WRITE or found.sync > SLOW_SYNC
    far = found.kind in NETWORK
    meaning = "checkpoints and looks at runs are felt" if slow else "a network disk, fast enough" if far else ""
    lines.append(Finding(GROUP, f"{name} speed", "warn" if slow else "ok", speed, meaning, f"{other}" if slow else ""))
    return lines


def _megabytes(bytes_a_second: float) -> str:
    return f"{bytes_a_second / 1e6:,.0f} MB/s"
