from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.storage import digest as module
from workbench.storage.digest import BLOCK, Damaged, Hasher, SealedWriter, digest, file_verdict, seal, unseal


def sealed(path: Path, content: bytes, parts: int = 3) -> None:
    with path.open("wb") as file:
        writer = SealedWriter(file)
        size = max(1, len(content) // parts)
        for at in range(0, len(content), size):
            writer.write(memoryview(content)[at : at + size])
        writer.seal()


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 77])
def test_the_digest_does_not_depend_on_how_it_is_taken(tmp_path: Path, size: int) -> None:
    content = random.Random(size).randbytes(size)
    (tmp_path / "a").write_bytes(b"before" + content + b"after")
    file = os.open(tmp_path / "a", os.O_RDONLY)
    try:
        of_file = digest(file, 6, 6 + size)
    finally:
        os.close(file)
    for step in (size or 1, 1000_003):
        hasher = Hasher()
        for at in range(0, size, step):
            hasher.update(content[at : at + step])
        assert hasher.hexdigest() == of_file
    sealed(tmp_path / "b", content)
    assert file_verdict(tmp_path / "b") == "whole"
    assert (tmp_path / "b").stat().st_size == size + module.TRAILER


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9])
def test_one_flipped_bit_is_seen(tmp_path: Path, share: float) -> None:
    path, size = tmp_path / "a", 2 * BLOCK + 5
    sealed(path, random.Random(1).randbytes(size))
    for bit in (0, 7):
        data = bytearray(path.read_bytes())
        data[int(share * size)] ^= 1 << bit
        (tmp_path / "b").write_bytes(data)
        assert file_verdict(tmp_path / "b") == "damaged"


def test_a_missing_end_is_no_whole_file(tmp_path: Path) -> None:
    sealed(tmp_path / "a", b"x" * 1000)
    data = (tmp_path / "a").read_bytes()
    for length in (0, 1, 500, 1000, len(data) - 1):
        (tmp_path / "b").write_bytes(data[:length])
        assert file_verdict(tmp_path / "b") == "unsealed"


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.text()), min_size=1))
def test_a_sealed_object_is_json_and_comes_back(values: dict[str, object]) -> None:
    text = json.dumps(values)
    whole = seal(text + "\n")
    assert {**values, "digest": json.loads(whole)["digest"]} == json.loads(whole)
    assert unseal(whole.encode()) == unseal(whole.encode() + b"\n") == text.encode()
    assert unseal(text.encode()) == text.encode()  # of an earlier version


def test_every_flipped_bit_of_a_sealed_object_is_seen_or_changes_nothing() -> None:
    text = '{"classes":["cat","dog"],"confusion":[[7,1],[2,9]]}'
    whole = seal(text).encode()
    for place in range(8 * len(whole)):
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        try:
            found = json.loads(unseal(bytes(data)))
        except ValueError:  # Damaged is one, too
            continue
        assert {key: found[key] for key in ("classes", "confusion")} == json.loads(text)
    with pytest.raises(Damaged):
        unseal(whole.replace(b"[7,1]", b"[8,0]"))


@pytest.mark.parametrize("text", ["", "[]", "{}", "3"])
def test_only_objects_can_be_sealed(text: str) -> None:
    with pytest.raises(ValueError, match="object"):
        seal(text)


def test_a_full_disk_is_remembered(tmp_path: Path) -> None:
    class Full:
        def write(self, data: bytes) -> int:
            raise OSError(28, "No space left on device")

    writer = SealedWriter(Full())  # type: ignore[arg-type]
    with pytest.raises(OSError, match="No space"):
        writer.write(b"x")
    assert writer.error is not None
    assert writer.error.errno == 28
