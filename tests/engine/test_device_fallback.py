"""What a device cannot compute in is replaced before anything is built, and said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from workbench import precision
from workbench.checks.preflight import preflight_report
from workbench.control import Control
from workbench.engine.device_fallback import resolve_for_device
from workbench.precision import native_formats
from workbench.recipe import Recipe, conflicts, read_recipe
from workbench.runs.store.directory import create_run
from workbench.runs.training.execute import execute

CPU = torch.device("cpu")


def recipe(digits: str, *overrides: str) -> Recipe:
    return read_recipe(digits, overrides=overrides)


def has(monkeypatch: pytest.MonkeyPatch, *formats: str) -> None:
    monkeypatch.setattr(precision, "native_formats", lambda device: formats)


@pytest.mark.parametrize(
    ("asked", "formats", "found"),
    [
        ("fp16", ("bf16",), "bf16"),
        ("fp16", (), None),
        ("bf16", (), None),
        ("bf16", ("fp16",), "fp16"),
        ("fp16", ("bf16", "fp16"), "fp16"),
    ],
)
def test_mixed_precision_takes_what_there_is(
    digits_recipe: str, monkeypatch: pytest.MonkeyPatch, asked: str, formats: tuple[str, ...], found: str | None
) -> None:
    has(monkeypatch, *formats)
    wanted = recipe(digits_recipe, f"techniques.mixed_precision.dtype={asked}")
    got, notes = resolve_for_device(wanted, CPU)
    assert got.on("mixed_precision") == (found is not None)
    assert found is None or got.techniques["mixed_precision"].dtype == found  # type: ignore[attr-defined]
    assert len(notes) == (asked != found) and all(asked in note and "CPU" in note for note in notes)
    assert resolve_for_device(got, CPU) == (got, [])


@pytest.mark.parametrize("formats", [("bf16",), ()])
def test_half_weights_become_mixed_precision(
    digits_recipe: str, monkeypatch: pytest.MonkeyPatch, formats: tuple[str, ...]
) -> None:
    has(monkeypatch, *formats)
    got, notes = resolve_for_device(recipe(digits_recipe, "techniques.half_weights.enabled=true"), CPU)
    assert not got.on("half_weights") and got.on("mixed_precision") == bool(formats)
    assert len(notes) == 1 and not conflicts(got)


def test_what_suits_stays(digits_recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = recipe(digits_recipe)
    assert resolve_for_device(plain, CPU) == (plain, [])
    has(monkeypatch, "fp16")
    half = recipe(digits_recipe, "techniques.half_weights.dtype=fp16")
    assert resolve_for_device(half, CPU) == (half, [])


@pytest.mark.parametrize(
    ("capability", "formats"), [((9, 0), ("bf16", "fp16")), ((8, 0), ("bf16", "fp16")), ((7, 5), ("fp16",))]
)
def test_formats_of_gpus(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], formats: tuple[str, ...]
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert native_formats(torch.device("cuda:0")) == formats


@pytest.mark.parametrize("bf16", [True, False])
@pytest.mark.parametrize("amx", [True, False])
def test_formats_of_processors(monkeypatch: pytest.MonkeyPatch, bf16: bool, amx: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert native_formats(CPU) == (("bf16",) if bf16 or amx else ())


def test_a_run_says_it_and_writes_it_down(digits_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch)
    wanted = recipe(digits_recipe, "train.epochs=0.2", "techniques.mixed_precision.dtype=fp16")
    run = create_run(tmp_path, wanted)
    said: list[str] = []
    assert execute(run, device="cpu", on_event=lambda event: said.append(str(event)), checks=False) == "finished"
    assert not run.recipe().on("mixed_precision")
    assert run.recipe().techniques["mixed_precision"].dtype == "fp16"  # type: ignore[attr-defined]
    assert any("does not compute in fp16; it is left out" in line for line in said)
    assert preflight_report(wanted, "cpu", tmp_path)["notes"]


def test_a_resumed_run_keeps_its_format(digits_recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, "fp16")
    wanted = recipe(digits_recipe, "train.epochs=1", "techniques.mixed_precision.dtype=fp16", "model.widths=[4]")
    run = create_run(tmp_path, wanted)
    control = Control()
    control.stop()
    assert execute(run, device="cpu", control=control, checks=False) == "stopped"
    has(monkeypatch)
    said: list[str] = []
    execute(run, device="cpu", resume=True, on_event=lambda event: said.append(str(event)), checks=False)
    assert run.recipe().techniques["mixed_precision"].dtype == "fp16"  # type: ignore[attr-defined]
    assert "finished" in said[-1].lower() and any("emulates" in line for line in said)
