"""Sizes that cannot be are told before anything of that size is made; those that can be are not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.engine.test_summary import on_noise
from tests.test_recipes import PATHS, recipe
from workbench.checks.memory import needed
from workbench.data.base import DataSet
from workbench.data.splits import UnseenSplit
from workbench.engine import sizes
from workbench.engine.build import BuildError, build, parameter_counts
from workbench.engine.sizes import sketch
from workbench.engine.summary import build_summary
from workbench.memory import host_bytes
from workbench.recipe import Recipe, read_recipe

CPU = torch.device("cpu")
GIB = 2**30


@pytest.fixture(autouse=True)
def _a_machine_of_a_known_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "host_bytes", lambda: 16 * GIB)


def made(model: str, data: str = "") -> Recipe:
    return read_recipe(f"[data]\n{data}\n[model]\n{model}\n[techniques.sgd]\n")


def unseen(side: int = 32, images: int = 1000) -> DataSet:
    return DataSet(UnseenSplit(images, 10), UnseenSplit(images, 10), tuple("0123456789"), (3, side, side))


def refusal(found: Recipe, dataset: DataSet) -> str:
    with pytest.raises(ValueError) as caught:
        sketch(found, dataset, len(dataset.train), CPU)
    return str(caught.value)


@pytest.mark.parametrize(
    ("model", "key"),
    [
        ("name = 'resnet'\nchannels = [1000000000]\nblocks = [1]", "model.channels: 1,000,000,000"),
        ("name = 'cnn'\nwidths = [1000000000]", "model.widths: 1,000,000,000"),
        ("name = 'cnn'\nhidden = [1000000000, 1000000000]", "model.hidden: 1,000,000,000"),
        ("name = 'vgg'\nwidths = [64, 1000000000]", "model.widths: 1,000,000,000"),
        ("name = 'cnn'\nhidden = [1000000000000000000000000000000]", "model.hidden: 1,000,000,000,000,000"),
        ("name = 'resnet'\nchannels = [4000000000, 4000000000]\nblocks = [1, 1]", "model.channels: 4,000,000,000"),
    ],
)
def test_a_network_that_no_machine_holds(model: str, key: str) -> None:
    said = refusal(made(model), unseen())
    assert said.startswith(key)
    assert "make the network smaller" in said or "cannot even count" in said
    assert "\n" not in said and len(said) < 300


@pytest.mark.parametrize(
    ("data", "side", "words"),
    [
        ("batch_size = 1000", 4096, "data.batch_size: 1,000 take 234.4 GiB as images of 4096×4096"),
        ("batch_size = 1\neval_batch_size = 1000", 4096, "data.eval_batch_size: 1,000 take 234.4 GiB"),
        ("batch_size = 1000\neval_batch_size = 1", 512, "on their way through the network"),
    ],
)
def test_batches_that_no_machine_holds_name_one_that_could_fit(data: str, side: int, words: str) -> None:
    said = refusal(made("name = 'resnet'", data), unseen(side))
    assert words in said and "cpu has 16.0 GiB in all" in said
    fits = int(said.rpartition("at most ")[2].split()[0].replace(",", ""))
    assert 1 <= fits < 1000 and fits.bit_count() == 1
    if "network" in words:  # the others have the network still before them
        sketch(made("name = 'resnet'", f"batch_size = {fits}\neval_batch_size = 1"), unseen(side), 1000, CPU)


def test_one_image_that_is_too_large() -> None:
    said = refusal(
        made("name = 'resnet'\nchannels = [512]\nblocks = [1]", "batch_size = 1\neval_batch_size = 1"), unseen(8192)
    )
    assert "one image of 8192×8192 takes" in said and said.startswith("model.channels: 512")


def test_a_batch_is_no_larger_than_the_set_and_accumulation_makes_it_smaller() -> None:
    huge = "batch_size = 1000000\neval_batch_size = 1000000"
    sketch(made("name = 'cnn'", huge), unseen(images=100), 100, CPU)
    refusal(made("name = 'resnet'", "batch_size = 1000"), unseen(512))
    parts = read_recipe(
        "[data]\nbatch_size = 1000\neval_batch_size = 1\n[model]\nname = 'resnet'\n[techniques.sgd]\n"
        "[techniques.gradient_accumulation]\nmicro_batch_size = 1\n"
    )
    sketch(parts, unseen(512), 1000, CPU)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_no_packaged_recipe_is_refused(path: Path) -> None:
    found = recipe(path.stem)
    known = found.data_source.known() if found.data.source != "digits" else None  # type: ignore[attr-defined]
    dataset = unseen(known.shape[1], known.training_images) if known else unseen(8, 1438)
    assert sum(parameter_counts(sketch(found, dataset, len(dataset.train), CPU)).values()) > 10_000


def test_what_could_just_fit_is_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = on_noise(recipe("resnet20", "data.batch_size=64", "data.eval_batch_size=8"))
    real = build(found, "cpu", tmp_path)
    estimate = needed(real)
    assert estimate is not None
    need = estimate.total + sum(weight.numel() * 4 for weight in real.model.parameters())
    monkeypatch.setattr(sizes, "host_bytes", lambda: need)
    build_summary(found, tmp_path)
    monkeypatch.setattr(sizes, "host_bytes", lambda: need // 3)
    for make in (lambda: build_summary(found, tmp_path), lambda: build(found, "cpu", tmp_path)):
        with pytest.raises(BuildError, match=r"data\.batch_size: "):
            make()  # type: ignore[no-untyped-call]


def test_a_container_has_what_its_group_has(tmp_path: Path) -> None:
    machine = host_bytes(tmp_path)
    assert machine > GIB
    (tmp_path / "memory.max").write_text("max\n")
    assert host_bytes(tmp_path) == machine
    (tmp_path / "memory.max").write_text("536870912\n")
    assert host_bytes(tmp_path) == 536_870_912
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert host_bytes(tmp_path) == 536_870_912
