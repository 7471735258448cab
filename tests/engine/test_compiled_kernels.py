"""Compiled kernels are kept between processes, and a compilation that takes long says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from tests.engine.conftest import Make, run
from tests.runs.helpers import environment
from workbench.engine import compilation, compiled_kernels
from workbench.engine.compiled_kernels import INDUCTOR, TRITON, Compilation, kernels_folder, kernels_kept
from workbench.events import Noted

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder for caches; neither compiler is told anything."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in (INDUCTOR, TRITON):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


def test_they_lie_in_a_folder_for_versions_and_processor(cache: Path) -> None:
    with kernels_kept(CPU) as folder:
        assert folder is not None and folder == kernels_folder(CPU)
        assert folder.parent == cache / "workbench" / "kernels"
        assert f"torch-{torch.__version__}" in folder.name and torch.backends.cpu.get_cpu_capability() in folder.name
        assert os.environ[INDUCTOR] == str(folder / "inductor") and os.environ[TRITON] == str(folder / "triton")
    assert INDUCTOR not in os.environ and TRITON not in os.environ


def test_a_folder_that_the_user_names_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INDUCTOR, str(tmp_path / "mine"))
    with kernels_kept(CPU) as folder:
        assert folder == tmp_path / "mine" and TRITON not in os.environ  # inductor puts Triton's beside its own
    monkeypatch.setenv(INDUCTOR, str(Path(tempfile.gettempdir()) / "torchinductor_me"))  # torch's own word
    with kernels_kept(CPU) as folder:
        assert folder == kernels_folder(CPU)
    monkeypatch.delenv(INDUCTOR)
    monkeypatch.setenv(TRITON, str(tmp_path / "theirs"))
    with kernels_kept(CPU):
        assert os.environ[TRITON] == str(tmp_path / "theirs")
    assert os.environ[TRITON] == str(tmp_path / "theirs")


def test_without_a_place_to_write_torchs_own_is_used(cache: Path) -> None:
    cache.write_text("in the way")
    with kernels_kept(CPU) as folder:
        assert folder is None and INDUCTOR not in os.environ


def test_a_long_compilation_speaks_at_longer_and_longer_intervals(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "earlier.so").touch()
    os.utime(tmp_path / "earlier.so", (0, 0))
    one = Compilation(tmp_path, said.append, first=0.1)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.so").touch()
    time.sleep(1.0)
    seconds = one.end()
    assert seconds >= 1.0 and one.made() == 1
    assert 2 <= len(said) <= 4  # after 0.1, 0.2, 0.4 and 0.8 seconds
    assert said[-1].startswith("compiling the network for ") and said[-1].endswith(" s, 1 kernel so far")
    count = len(said)
    time.sleep(0.3)
    assert len(said) == count


def test_a_training_says_how_long_it_compiled(
    make_small: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def compiler(graph: object, inputs: object) -> object:
        time.sleep(0.5)
        return graph

    compile = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model, **options: compile(model, backend=compiler))
    monkeypatch.setattr(compilation, "FIRST_WORD_SECONDS", 0.2)
    monkeypatch.setattr(compiled_kernels.Compilation.__init__, "__defaults__", (0.2,))
    found = make_small("train.epochs=0.3", "train.compile=default")
    said: list[str] = []
    found = found.with_(report=said.append)
    notes = [event.message for event in run(found) if isinstance(event, Noted)]
    assert said and all(line.startswith("compiling the network for ") for line in said)
    assert len(notes) == 1 and notes[0].startswith("compiled the network in ")
    assert notes[0].endswith(f"0 kernels kept for next time in {kernels_folder(CPU)}")


TWICE = """
import json, sys, time
from pathlib import Path
import torch
from tests.engine.conftest import run
from tests.checks.conftest import feeding, small_digits
from workbench.engine.build import build
from workbench.engine.compiled_kernels import kernels_in, kernels_folder
from workbench.recipe import read_recipe, read_recipe_file
from workbench.runs.find.resolve import resolve_recipe
recipe = read_recipe_file(resolve_recipe("digits"), ("train.epochs=1", "train.compile=default", "model.widths=[8]"))
built = build(feeding(recipe, small_digits()), "cpu", Path())
began = time.perf_counter()
run(built)
print(json.dumps([time.perf_counter() - began, kernels_in(kernels_folder(torch.device("cpu")))]))
"""


@pytest.mark.slow
def test_the_second_process_compiles_nothing(cache: Path) -> None:
    found = []
    for _ in range(2):
        command = [sys.executable, "-c", TWICE]
        variables = environment(XDG_CACHE_HOME=str(cache))
        done = subprocess.run(command, env=variables, text=True, capture_output=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    (first, kernels), (second, again) = found
    print(f"first {first:.1f} s, second {second:.1f} s, {kernels} kernels")
    assert kernels > 0 and again == kernels
    assert second < first
