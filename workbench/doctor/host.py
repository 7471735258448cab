"""Cores, load, memory and /dev/shm: what this process may have of the machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from workbench.cores import usable_cores
from workbench.data.shared_memory import megabytes, room, wanted
from workbench.doctor.finding import Finding, Level
from workbench.doctor.worker import Failure
from workbench.format import GIB, gib_of
from workbench.recipe.schema import Data

GROUP = "cores and memory"

PHOTOGRAPH = 3 * 224 * 224
"""Bytes of one as it is usually cut: what a loader's batches are reckoned in."""


@dataclass(frozen=True)
class Host:
    """cores: of the machine; usable: by this process's affinity; quota: by the container's or job's share, in cores,
    None without. threads: OMP_NUM_THREADS, "" if it is not set. load: processes at work, mean of a minute.

    memory: bytes in all; limit: what the container or job may have, None without; available: free, or given back when
    wanted, the smaller one of both. shm: /dev/shm, free and in all; None without.
    """

    cores: int
    usable: int
    quota: float | None
    threads: str
    load: float
    memory: int
    limit: int | None
    available: int
    shm: tuple[int, int] | None


def look(groups: str = "/sys/fs/cgroup", own: str = "/proc/self/cgroup") -> Host:
    """What there is now. groups, own: where the kernel tells of control groups."""
    import psutil

    memory = psutil.virtual_memory()
    limit, used = _memory_limit(Path(groups), Path(own))
    available = int(memory.available) if limit is None else min(int(memory.available), max(0, limit - used))
    return Host(
        cores=os.cpu_count() or 1,
        usable=usable_cores(),
        quota=_quota(Path(groups), Path(own)),
        threads=os.environ.get("OMP_NUM_THREADS", ""),
        load=os.getloadavg()[0],
        memory=int(memory.total),
        limit=limit if limit is not None and limit < memory.total else None,
        available=available,
        shm=room(),
    )


def _folders(groups: Path, own: Path, controller: str) -> list[Path]:
    """The folders of this process's group and of all above it, of both versions of control groups."""
    found = []
    try:
        lines = own.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = ["0::/"]
    for line in lines:
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if names and controller not in names.split(","):
            continue
        top = groups / controller if names else groups
        place = top / path.strip("/")
        found += [place, *(above for above in place.parents if above == top or top in above.parents)]
    return list(dict.fromkeys([*found, groups, groups / controller]))


def _number(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []


def _quota(groups: Path, own: Path) -> float | None:
    shares = []
    for folder in _folders(groups, own, "cpu"):
        words = _number(folder / "cpu.max")
        if len(words) != 2:
            words = [*_number(folder / "cpu.cfs_quota_us"), *_number(folder / "cpu.cfs_period_us")]
        if len(words) == 2 and words[0].isdigit() and int(words[1]) > 0:
            shares.append(int(words[0]) / int(words[1]))
    return min(shares, default=None)


def _memory_limit(groups: Path, own: Path) -> tuple[int | None, int]:
    """The least limit above this process, and what is used of it; both in bytes."""
    found = []
    for folder in _folders(groups, own, "memory"):
        for most, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            limit = _number(folder / most)
            if limit and limit[0].isdigit() and int(limit[0]) < 2**60:
                now = _number(folder / used)
                found.append((int(limit[0]), int(now[0]) if now and now[0].isdigit() else 0))
    return min(found, default=(None, 0))


def judge(found: Host | Failure) -> list[Finding]:
    """The lines of the group."""
    if isinstance(found, Failure):
        return [Finding(GROUP, "machine", "warn", found.reason, "cores and memory are not known", "see dmesg")]
    return [_cores(found), _load(found), _memory(found), *_shm(found)]


def _cores(host: Host) -> Finding:
    most = min(float(host.usable), host.quota or float(host.usable))
    text = f"{host.usable} of {host.cores} usable" if host.usable < host.cores else f"{host.cores}"
    if host.quota is not None and host.quota < host.usable:
        text += f", but the container or job may use {host.quota:g} of them"
        if not host.threads:
            count = max(1, int(host.quota))
            meaning = f"torch starts {host.usable} threads, which then wait for each other"
            return Finding(GROUP, "cores", "warn", text, meaning, f"export OMP_NUM_THREADS={count}")
    if host.threads and host.threads.isdigit() and int(host.threads) > host.usable:
        meaning = f"OMP_NUM_THREADS={host.threads} is more than there are: threads wait for each other"
        return Finding(GROUP, "cores", "warn", text, meaning, f"export OMP_NUM_THREADS={host.usable}")
    told = f"OMP_NUM_THREADS={host.threads}" if host.threads else ""
    meaning = "few for loader workers: data.pipeline = device needs none" if most < 4 else told
    return Finding(GROUP, "cores", "ok", text, meaning)


def _load(host: Host) -> Finding:
    most = min(float(host.usable), host.quota or float(host.usable))
    text = f"{host.load:.1f} at work on {most:g} cores"
    if host.load > 1.5 * most:
        return Finding(GROUP, "load", "note", text, "others compute here: times, also those above, mean little")
    return Finding(GROUP, "load", "ok", text, "")


def _memory(host: Host) -> Finding:
    text = f"{gib_of(host.available, host.limit or host.memory)} free"
    limited = f"; the container or job may have {gib_of(host.limit, host.memory)}" if host.limit else ""
    level: Level = "warn" if host.available < 2 * GIB else "ok"
    meaning = "torch and CIFAR need about 2 GiB: the system may kill a run" if level == "warn" else ""
    remedy = "end what else runs here, or ask for more memory (docker run --memory)" if level == "warn" else ""
    return Finding(GROUP, "memory", level, text + limited, meaning, remedy)


def _shm(host: Host) -> list[Finding]:
    if host.shm is None:
        return []
    free, total = host.shm
    text = f"{megabytes(free)} of {megabytes(total)} free"
    if free >= wanted(Data(), Data().batch_size * PHOTOGRAPH):
        return [Finding(GROUP, "/dev/shm", "ok", text, "loader workers' batches fit")]
    meaning = "loader workers' batches of photographs do not fit: they are sent through a pipe, which is slower"
    remedy = 'start the container with --shm-size=2g, or keep data.pipeline = "device"'
    return [Finding(GROUP, "/dev/shm", "warn", text, meaning, remedy)]
