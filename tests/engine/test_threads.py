"""The number of CPU threads is measured, chosen, remembered and written down."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.engine.conftest import Make
from workbench.engine import threads
from workbench.engine.threads import ThreadChoice, choose_threads, fastest, measure
from workbench.recipe import read_recipe, read_recipe_file
from workbench.runs.store.directory import create_run
from workbench.runs.training.execute import execute


def test_the_smallest_count_that_is_hardly_slower_is_chosen() -> None:
    assert fastest({1: 0.2, 2: 0.104, 4: 0.1, 8: 0.12}) == 2
    assert fastest({1: 0.1}) == 1


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody has chosen a number of threads, and there are four."""
    count = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    yield
    torch.set_num_threads(count)  # who limits threads for a while puts back what get_num_threads() said


def timed(monkeypatch: pytest.MonkeyPatch, seconds: dict[int, float]) -> list[int]:
    """Passes take so long by number of threads; who asks is listed."""
    asked: list[int] = []

    def measured(build: object, most: int) -> dict[int, float]:
        asked.append(most)
        return seconds

    monkeypatch.setattr(threads, "measure", measured)
    return asked


@pytest.mark.usefixtures("free")
def test_a_choice_is_remembered_for_this_machine_and_network(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = tmp_path / "cache" / "threads.json"
    asked = timed(monkeypatch, {1: 0.3, 2: 0.1, 4: 0.2})
    assert choose_threads(make(), memory) == ThreadChoice(2, {1: 0.3, 2: 0.1, 4: 0.2})
    timed(monkeypatch, {4: 0.1})
    again = choose_threads(make("seed=7", "train.epochs=9"), memory)
    assert again == ThreadChoice(2, {1: 0.3, 2: 0.1, 4: 0.2}, memory) and asked == [4]
    assert str(memory) in str(again)
    assert choose_threads(make("data.batch_size=32"), memory).count == 4
    monkeypatch.setattr(platform, "node", lambda: "another")
    assert choose_threads(make(), memory).count == 4
    assert len(json.loads(memory.read_text())) == 3


@pytest.mark.usefixtures("free")
@pytest.mark.parametrize("text", ["{", "[]", "3", '{"key": 1}'])
def test_a_broken_memory_is_measured_anew(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    memory = tmp_path / "threads.json"
    timed(monkeypatch, {1: 0.1, 4: 0.2})
    choose_threads(make(), memory)
    (key,) = json.loads(memory.read_text())
    memory.write_text(text.replace("key", key))
    assert choose_threads(make(), memory) == ThreadChoice(1, {1: 0.1, 4: 0.2})
    assert json.loads(memory.read_text())[key] == {"1": 0.1, "4": 0.2}


@pytest.mark.usefixtures("free")
def test_who_has_chosen_is_not_asked(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = timed(monkeypatch, {1: 0.1})
    assert choose_threads(make("train.threads=3"), tmp_path) == ThreadChoice(3, {})
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert choose_threads(make(), tmp_path) == ThreadChoice(4, {})
    assert not asked


def test_measuring_changes_nothing_of_the_build(make: Make) -> None:
    build = make("techniques.dropout.rate=0.3")
    before = {name: value.clone() for name, value in build.model.state_dict().items()}
    generator, count = torch.random.get_rng_state(), torch.get_num_threads()
    found = measure(build, 2)
    assert 2 in found and all(seconds > 0 for seconds in found.values())
    assert all(torch.equal(value, before[name]) for name, value in build.model.state_dict().items())
    assert all(parameter.grad is None for parameter in build.parameters)
    assert torch.equal(torch.random.get_rng_state(), generator) and torch.get_num_threads() == count


@pytest.mark.parametrize("change", ["data.batch_size=1", "data.batch_size=64"])
def test_no_image_is_measured_alone(make: Make, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """A batch norm may refuse one: in a batch of one, and where the machine is so slow that a pass has few images."""
    monkeypatch.setattr(threads, "PASS_SECONDS", 1e-9)
    assert measure(make("model.hidden=[8]", "techniques.batch_norm.enabled=true", change), 1)


def test_the_runs_recipe_says_how_many(digits_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        timed(monkeypatch, {1: 0.1, 2: 0.2})
        run = create_run(tmp_path / "runs", read_recipe(digits_recipe, overrides=["train.epochs=0.2"]))
        said: list[str] = []
        assert execute(run, device="cpu", on_event=lambda event: said.append(str(event)), checks=False) == "finished"
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert read_recipe_file(run.recipe_file).train.threads == 1
    assert any("CPU threads: 1 (a pass with 1: 100.0 ms, 2: 200.0 ms; measured now)" in line for line in said)
