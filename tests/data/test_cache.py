"""The decoded set that is kept: never wrong, whatever happens to the files, to the cache or beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.data.test_source_cifar import FOLDER, make_files
from tests.waiting import GIVE_UP
from workbench.data import cache, cifar_archive
from workbench.data.base import DataError, DataSet
from workbench.data.sources.cifar10 import Cifar10

KEPT = f"{FOLDER}.cache"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with a small data set that counts as official and as old enough to be kept."""
    monkeypatch.setattr(Cifar10.archive, "md5s", make_files(tmp_path / FOLDER))
    monkeypatch.setattr(cache, "SETTLED_SECONDS", 0.0)
    return tmp_path


def same(a: DataSet, b: DataSet) -> bool:
    pairs = ((a.train, b.train), (a.test, b.test))
    return (a.classes, a.shape) == (b.classes, b.shape) and all(
        torch.equal(x.images(), y.images()) and torch.equal(x.labels, y.labels) for x, y in pairs
    )


def no_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(archive: cifar_archive.Archive, file: Path) -> None:
        raise AssertionError(f"{file} was read")

    monkeypatch.setattr(cifar_archive, "_read", read)


def test_the_second_load_reads_no_file_and_gives_the_same_bits(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Cifar10().load(small)
    assert len(list((small / KEPT).iterdir())) == 1
    no_reading(monkeypatch)
    second = Cifar10().load(small)
    assert same(first, second)
    assert second.train.images().dtype == torch.uint8
    assert second.train.images(torch.tensor([3, 1])).shape == (2, 3, 32, 32)


def test_a_changed_file_of_the_same_size_and_time_is_noticed(small: Path) -> None:
    Cifar10().load(small)
    file = small / FOLDER / "data_batch_2"
    times, content = file.stat(), bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(DataError, match=r"data_batch_2 in .* is broken"):
        Cifar10().load(small)
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert len(Cifar10().load(small).train) == 100


def test_a_file_that_went_is_missed_though_the_cache_is_there(small: Path) -> None:
    Cifar10().load(small)
    (small / FOLDER / "test_batch").unlink()
    with pytest.raises(DataError, match="test_batch not found"):
        Cifar10().load(small)


@pytest.mark.parametrize("damage", ["cut", "header", "empty", "folder"])
def test_a_broken_cache_is_no_cache(small: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Cifar10().load(small)
    (kept,) = (small / KEPT).iterdir()
    content = kept.read_bytes()
    kept.unlink()
    if damage == "folder":
        kept.mkdir()
    else:
        kept.write_bytes({"cut": content[:-1], "header": b"x" * 8 + content[8:], "empty": b""}[damage])
    assert same(first, Cifar10().load(small))
    if damage != "folder":  # it was replaced by a good one
        no_reading(monkeypatch)
        assert same(first, Cifar10().load(small))


def test_where_nothing_can_be_written_the_files_are_read(small: Path) -> None:
    (small / KEPT).write_text("in the way")
    assert same(Cifar10().load(small), Cifar10().load(small))
    assert (small / KEPT).read_text() == "in the way"


def test_files_that_may_still_change_are_not_kept(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "SETTLED_SECONDS", 3600.0)
    Cifar10().load(small)
    assert not (small / KEPT).exists()


def test_a_mapped_set_outlives_its_replacement(small: Path) -> None:
    first = Cifar10().load(small)
    mapped = Cifar10().load(small)
    (kept,) = (small / KEPT).iterdir()
    os.utime(small / FOLDER / "batches.meta")
    Cifar10().load(small)  # writes it anew
    kept.unlink()
    assert same(first, mapped)


CODE = """
import sys
from pathlib import Path
from workbench.data import cache
from workbench.data.sources.cifar10 import Cifar10
from tests.data.test_source_cifar import make_files
cache.SETTLED_SECONDS = 0.0
root = Path(sys.argv[1])
Cifar10.archive.md5s = dict(zip(Cifar10.archive.md5s, sys.argv[2:]))
sys.stdin.readline()
for _ in range(20):
    data = Cifar10().load(root)
    print(int(data.train.images().long().sum()), int(data.test.labels.sum()))
    for kept in (root / "cifar-10-batches-py.cache").glob("*.safetensors"):
        kept.unlink(missing_ok=True)
"""


@pytest.mark.slow
def test_processes_that_read_write_and_delete_at_once_all_get_it_right(small: Path) -> None:
    data = Cifar10().load(small)
    line = f"{int(data.train.images().long().sum())} {int(data.test.labels.sum())}"
    command = [sys.executable, "-c", CODE, str(small), *Cifar10.archive.md5s.values()]
    several = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(3)]
    for process in several:  # all are started before one begins
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in several:
        output, _ = process.communicate(timeout=GIVE_UP)
        assert process.returncode == 0
        assert output.splitlines() == [line] * 20
    assert not list((small / KEPT).glob("*.partial"))


@pytest.mark.cifar
def test_the_real_set_is_kept_bit_for_bit(cifar10_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FOLDER).mkdir()
    for file in (cifar10_root / FOLDER).iterdir():
        (tmp_path / FOLDER / file.name).symlink_to(file.resolve())
    monkeypatch.setattr(cache, "SETTLED_SECONDS", 0.0)
    first = Cifar10().load(tmp_path)
    no_reading(monkeypatch)
    assert same(first, Cifar10().load(tmp_path))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
def test_a_flipped_bit_is_seen_said_and_healed(small: Path, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Cifar10().load(small)
    (kept,) = (small / KEPT).iterdir()
    content = bytearray(kept.read_bytes())
    header = 8 + int.from_bytes(content[:8], "little")
    content[header + int(share * (len(content) - header - 1))] ^= 4  # in the images: safetensors would not see it
    kept.write_bytes(content)
    said: list[str] = []
    assert same(first, Cifar10().load(small, said.append))
    assert said[-1] == f"{kept}: is damaged; the files are read again, and it is written anew"
    no_reading(monkeypatch)
    assert same(first, Cifar10().load(small))


def test_a_changed_name_of_a_class_is_seen(small: Path) -> None:
    first = Cifar10().load(small)
    (kept,) = (small / KEPT).iterdir()
    name = first.classes[0].encode()
    content = kept.read_bytes()
    assert name in content
    kept.write_bytes(content.replace(name, bytes([name[0] ^ 1]) + name[1:], 1))
    assert Cifar10().load(small).classes == first.classes


def test_a_cache_of_an_earlier_version_is_written_anew(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    first = Cifar10().load(small)
    (kept,) = (small / KEPT).iterdir()
    with safe_open(kept, framework="pt") as opened:
        about = {name: text for name, text in opened.metadata().items() if name != "digest"}
    save_file({name: tensor.clone() for name, tensor in load_file(kept).items()}, kept, metadata=about)
    said: list[str] = []
    assert same(first, Cifar10().load(small, said.append))
    assert not any("damaged" in text for text in said)
    no_reading(monkeypatch)
    assert same(first, Cifar10().load(small))
