from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.storage.odd_files import ODD
from workbench.format import file_size
from workbench.storage.regular import open_appending, read_bytes, read_text


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\x00\xff" * 5000)
    assert read_bytes(path) == b"\x00\xff" * 5000
    (tmp_path / "link").symlink_to(path)
    assert read_bytes(tmp_path / "link", 10_000) == b"\x00\xff" * 5000
    path.write_bytes(b"")
    assert read_bytes(path) == b""
    path.write_bytes("größer\r\nals\n".encode())
    assert read_text(path) == "größer\nals\n"


def test_a_file_longer_than_it_can_be_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 1001)
    with pytest.raises(OSError, match=r"it has 1\.0 kB; such a file has 1\.0 kB at most"):
        read_bytes(path, 1000)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("pipe", "it is a named pipe, not a file"),
        ("socket", "it is a socket, not a file"),
        ("device", "it is a device, not a file"),
        ("folder", "it is a folder, not a file"),
        ("huge", r"it has 10\.0 GB; such a file has 1\.0 MB at most"),
        ("loop", "symbolic links"),
    ],
)
def test_what_is_no_file_is_named_and_never_waited_for(tmp_path: Path, name: str, said: str) -> None:
    path = tmp_path / "it"
    ODD[name](path)
    answer: list[BaseException] = []

    def read() -> None:
        try:
            read_bytes(path)
        except OSError as error:
            answer.append(error)

    reading = threading.Thread(target=read, daemon=True)
    reading.start()
    reading.join(5)
    assert len(answer) == 1
    assert isinstance(answer[0], OSError)
    with pytest.raises(OSError, match=said):
        raise answer[0]
    assert answer[0].filename == str(path) or name == "loop"


def test_appending_never_waits_either(tmp_path: Path) -> None:
    made = open_appending(tmp_path / "new")
    os.write(made, b"one")
    os.close(made)
    again = open_appending(tmp_path / "new")
    os.write(again, b"two")
    os.close(again)
    assert (tmp_path / "new").read_bytes() == b"onetwo"
    ODD["pipe"](tmp_path / "pipe")
    with pytest.raises(OSError, match="named pipe"):
        open_appending(tmp_path / "pipe")


def test_sizes_in_words() -> None:
    assert [file_size(n) for n in (0, 312, 45_100_000, 10**10)] == ["0 bytes", "312 bytes", "45.1 MB", "10.0 GB"]
