from __future__ import annotations

import hashlib
import io
import pickle
import shutil
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from workbench.data.base import DataError
from workbench.data.cifar_archive import CifarSource
from workbench.data.sources.cifar10 import Cifar10
from workbench.data.sources.cifar100 import Cifar100
from workbench.data.splits import hold_out
from workbench.data.statistics import channel_statistics

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


FOLDER = Cifar10.archive.folder


@pytest.mark.parametrize("source", [Cifar10, Cifar100])
def test_files_and_md5s_are_torchvisions(source: type[CifarSource]) -> None:
    from torchvision import datasets

    archive, theirs = source.archive, getattr(datasets, source.archive.torchvision)
    listed = [*theirs.train_list, *theirs.test_list, (theirs.meta["filename"], theirs.meta["md5"])]
    assert list(archive.md5s.items()) == [tuple(entry) for entry in listed]
    assert archive.train == tuple(name for name, _ in theirs.train_list)
    assert archive.test == tuple(name for name, _ in theirs.test_list)
    assert archive.names_key.decode() == theirs.meta["key"]
    assert (archive.folder, archive.source) == (theirs.base_folder, source.name)


@pytest.mark.cifar
def test_real_files_load_with_their_known_statistics(cifar10_root: Path) -> None:
    data = Cifar10().load(cifar10_root)
    assert (len(data.train), len(data.test)) == (50_000, 10_000)
    assert data.shape == (3, 32, 32)
    assert data.classes == CLASSES
    assert data.train.images().shape == (50_000, 3, 32, 32)
    assert torch.bincount(data.train.labels).tolist() == [5000] * 10
    assert torch.bincount(data.test.labels).tolist() == [1000] * 10
    mean, std = channel_statistics(data.train)
    assert [round(value, 4) for value in mean] == [0.4914, 0.4822, 0.4465]
    assert [round(value, 4) for value in std] == [0.2470, 0.2435, 0.2616]
    training, validation = hold_out(data.train, 0.1, 0)
    assert validation is not None
    assert torch.bincount(validation.labels).tolist() == [500] * 10
    assert len(training) == 45_000


@pytest.mark.cifar
def test_real_images_are_torchvisions(cifar10_root: Path) -> None:
    from torchvision.datasets import CIFAR10

    theirs, ours = CIFAR10(cifar10_root, train=False), Cifar10().load(cifar10_root).test
    assert (ours.images().permute(0, 2, 3, 1).numpy() == theirs.data).all()
    assert ours.labels.tolist() == theirs.targets


@pytest.mark.cifar
@pytest.mark.parametrize("name", ["data_batch_3", "batches.meta"])
def test_one_changed_byte_is_found(cifar10_root: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    for file in (cifar10_root / FOLDER).iterdir():
        (folder / file.name).symlink_to(file.resolve())
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} in .* is broken"):
        Cifar10().load(tmp_path)


def test_absent_files_are_named_with_the_place_and_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        Cifar10().load(tmp_path)
    text = str(error.value)
    assert "\n" not in text
    for part in ("data_batch_1 (and 6 more files) not found in", str(tmp_path / FOLDER), "workbench data get cifar10",
                 "put the extracted folder", "--data-root", "WORKBENCH_DATA"):  # fmt: skip
        assert part in text


# A small data set of the same layout, for everything that needs no real images.


def make_files(folder: Path) -> dict[str, str]:
    """Pickles as the archive has them, with 20 images a batch; returns their MD5s."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    md5s = {}
    for name in Cifar10.archive.md5s:
        if name == "batches.meta":
            content: dict[str, Any] = {"label_names": list(CLASSES)}
        else:
            labels = [int(label) for label in random.integers(0, 10, 20)]
            content = {"data": random.integers(0, 256, (20, 3072), dtype=np.uint8), "labels": labels}
        # Python 2 wrote the originals: their texts are bytes.
        raw = pickle.dumps({key.encode(): _as_bytes(value) for key, value in content.items()}, protocol=2)
        (folder / name).write_bytes(raw)
        md5s[name] = hashlib.md5(raw).hexdigest()
    return md5s


def _as_bytes(value: Any) -> Any:
    return [v.encode() if isinstance(v, str) else v for v in value] if isinstance(value, list) else value


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with the small data set, which counts as official."""
    root = tmp_path / "root"
    monkeypatch.setattr(Cifar10.archive, "md5s", make_files(root / FOLDER))
    return root


def test_a_small_set_of_the_same_layout_loads(small: Path) -> None:
    data = Cifar10().load(small)
    assert (len(data.train), len(data.test)) == (100, 20)
    raw = pickle.loads((small / FOLDER / "data_batch_2").read_bytes())
    assert (data.train.images()[20:40].flatten(1).numpy() == raw[b"data"]).all()
    assert data.train.labels[20:40].tolist() == raw[b"labels"]


def test_a_wrong_file_is_never_unpickled(small: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "executed",))

    (small / FOLDER / "test_batch").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(DataError) as error:
        Cifar10().load(small)
    assert not (tmp_path / "executed").exists()
    assert "test_batch in" in str(error.value) and "is broken" in str(error.value) and "\n" not in str(error.value)


class Server:
    """A server of one file that can be told to lie."""

    def __init__(self) -> None:
        self.content = b""
        self.requests = 0
        self.cut = 0
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.requests += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(owner.content)))
                self.end_headers()
                self.wfile.write(owner.content[: len(owner.content) - owner.cut])

            def log_message(self, *args: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/cifar-10-python.tar.gz"


@pytest.fixture
def server(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serves the small set's archive, with members that must not be extracted, as torchvision's URL."""
    from torchvision.datasets import CIFAR10

    server = Server()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(small / FOLDER, FOLDER)
        for name in ("../evil", "/tmp/evil-cifar", f"{FOLDER}/../evil", f"{FOLDER}/readme.html"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
        link = tarfile.TarInfo(f"{FOLDER}/test_batch")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    server.content = buffer.getvalue()
    monkeypatch.setattr(CIFAR10, "url", server.url)
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(server.content).hexdigest())
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def test_get_downloads_checks_and_extracts_only_what_belongs(server: Server, tmp_path: Path) -> None:
    heard: list[tuple[str, float]] = []
    root = tmp_path / "new" / "place"
    folder = Cifar10().get(root, lambda message, share: heard.append((message, share)))
    assert folder == root / FOLDER
    assert sorted(file.name for file in folder.iterdir()) == sorted(Cifar10.archive.md5s)
    assert [entry.name for entry in root.iterdir()] == [FOLDER]
    assert len(Cifar10().load(root).train) == 100
    shares = [share for _, share in heard]
    assert shares == sorted(shares) and 0 < shares[0] <= 1 and shares[-1] == 1
    assert not (tmp_path / "new" / "evil").exists()


def test_get_does_nothing_where_all_is_there_and_repairs_what_is_not(server: Server, small: Path) -> None:
    Cifar10().get(small, lambda message, share: None)
    assert server.requests == 0
    (small / FOLDER / "data_batch_4").write_bytes(b"broken")
    Cifar10().get(small, lambda message, share: None)
    assert server.requests == 1
    assert len(Cifar10().load(small).train) == 100


def test_get_uses_an_archive_that_lies_there(server: Server, tmp_path: Path) -> None:
    root = tmp_path / "offline"
    root.mkdir()
    (root / "cifar-10-python.tar.gz").write_bytes(server.content)
    Cifar10().get(root, lambda message, share: None)
    assert server.requests == 0
    assert len(Cifar10().load(root).test) == 20


@pytest.mark.parametrize("fault", ["changed", "cut", "refused"])
def test_a_failed_download_leaves_nothing_and_says_what_to_do(server: Server, tmp_path: Path, fault: str) -> None:
    if fault == "changed":
        server.content = server.content[:-1] + b"?"
    elif fault == "cut":
        server.cut = 100
    else:
        server.http.shutdown()
        server.http.server_close()
    root = tmp_path / "new"
    with pytest.raises(DataError) as error:
        Cifar10().get(root, lambda message, share: None)
    text = str(error.value)
    assert "try again" in text and "\n" not in text and server.url in text
    assert [entry.name for entry in root.rglob("*")] == [FOLDER]


def test_a_place_that_cannot_be_written_is_an_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot write in"):
        Cifar10().get(tmp_path / "file", lambda message, share: None)


def test_the_copy_of_a_folder_is_enough(small: Path, tmp_path: Path) -> None:
    shutil.copytree(small / FOLDER, tmp_path / "else" / FOLDER)
    assert len(Cifar10().load(tmp_path / "else").train) == 100


def test_cifar100_has_fine_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / Cifar100.archive.folder
    folder.mkdir()
    md5s = {}
    names = [f"thing {number}" for number in range(100)]
    for name, count in (("train", 200), ("test", 100), ("meta", 0)):
        labels = [number % 100 for number in range(count)]
        coarse = [number % 20 for number in range(count)]
        content: dict[bytes, Any] = {
            b"data": np.full((count, 3072), 7, dtype=np.uint8),
            b"fine_labels": labels,
            b"coarse_labels": coarse,
        }
        if name == "meta":
            content = {b"fine_label_names": [n.encode() for n in names], b"coarse_label_names": [b"group"] * 20}
        raw = pickle.dumps(content, protocol=2)
        (folder / name).write_bytes(raw)
        md5s[name] = hashlib.md5(raw).hexdigest()
    monkeypatch.setattr(Cifar100.archive, "md5s", md5s)
    data = Cifar100().load(tmp_path)
    assert (len(data.train), len(data.test), data.shape) == (200, 100, (3, 32, 32))
    assert data.classes == tuple(names)
    assert data.train.labels.tolist() == [number % 100 for number in range(200)]


@pytest.mark.cifar
def test_what_is_known_without_the_files_is_what_they_hold(cifar10_root: Path) -> None:
    source = Cifar10()
    found, known = source.load(cifar10_root), source.known()
    assert (known.shape, known.classes) == (found.shape, len(found.classes))
    assert (known.training_images, known.test_images) == (len(found.train), len(found.test))
