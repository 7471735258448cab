"""The loop: it learns, repeats itself bit for bit, and goes on from a checkpoint as if it had never stopped."""

from __future__ import annotations

import errno
import math
import os
import resource
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.conftest import Make, run, same, weights
from tests.storage.odd_files import ODD
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.state import CheckpointError, Checkpoints, size_of
from workbench.events import (
    CheckFinished,
    CheckpointSaved,
    Continued,
    Evaluated,
    Event,
    Finished,
    Paused,
    Resumed,
    RunStarted,
    Stopped,
    Trained,
    to_json,
)
from workbench.recipe import read_recipe
from workbench.storage.regular import NoRoom

EVERYTHING = (
    "techniques.he_init.fan=in",
    "techniques.cosine.every=step",
    "techniques.random_crop.padding=2",
    "techniques.horizontal_flip.probability=0.5",
    "techniques.color_jitter.hue=0.1",
    "techniques.label_smoothing.smoothing=0.1",
    "techniques.gradient_clipping.limit=1.0",
    "techniques.channels_last.enabled=true",
    "techniques.mixed_precision.dtype=bf16",
    "techniques.residual.enabled=true",
    "model.depth=1",
    "data.validation=0.2",
)


def losses(events: list[Event]) -> list[tuple[int, float]]:
    return [(e.step, e.loss) for e in events if isinstance(e, Trained)]


def test_it_learns_and_says_so(make_small: Make) -> None:
    events = run(make_small("train.epochs=3"), checks=True)
    assert isinstance(events[0], RunStarted)
    assert [type(e) for e in events if not isinstance(e, CheckFinished)][-2:] == [Evaluated, Finished]
    end = events[-1]
    assert isinstance(end, Finished)
    assert end.test_accuracy > 0.9
    assert [e.step for e in events if isinstance(e, Evaluated)] == [23, 46, 69]
    assert [s for s, _ in losses(events)] == [*range(5, 69, 5), 69]
    assert losses(events)[0][1] > 1.5 > 0.5 > losses(events)[-1][1]
    assert {e.name for e in events if isinstance(e, CheckFinished)} >= {"input statistics", "initial loss", "fit"}


def test_the_same_recipe_gives_the_same_bits(make_small: Make) -> None:
    one, two = make_small(*EVERYTHING), make_small(*EVERYTHING)
    assert losses(run(one)) == losses(run(two))
    assert same(weights(one), weights(two))
    other = make_small(*EVERYTHING, "seed=4")
    run(other)
    assert not same(weights(one), weights(other))


@pytest.mark.parametrize("pipeline", ["device", "loader"])
@pytest.mark.parametrize(
    "extra",
    [(), EVERYTHING, pytest.param(("techniques.mixed_precision.dtype=fp16",), marks=pytest.mark.slow)],
    ids=["plain", "all", "fp16"],
)
def test_resuming_in_the_middle_of_an_epoch_changes_no_bit(
    make_small: Make, tmp_path: Path, pipeline: str, extra: tuple[str, ...]
) -> None:
    overrides = (f"data.pipeline={pipeline}", *extra)
    whole = make_small(*overrides)
    expected = run(whole)

    control, checkpoints = Control(), Checkpoints(tmp_path / "checkpoints")

    def stop_at(event: Event) -> None:
        if isinstance(event, Trained) and event.step == 30:
            control.stop()

    first = run(make_small(*overrides), control, checkpoints, on_event=stop_at)
    stopped = first[-1]
    assert isinstance(stopped, Stopped)
    # neither an epoch's end nor a window's
    assert stopped.step % len(whole.pipeline) > 0
    again = make_small(*overrides)
    second = run(again, Control(), checkpoints, checkpoints.load())
    assert isinstance(second[1], Resumed)
    assert losses(first) + losses(second) == losses(expected)
    assert same(weights(whole), weights(again))
    assert isinstance(second[-1], Finished)


def test_checkpoints_hold_nothing_that_executes(make_small: Make, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    run(make_small(), checkpoints=checkpoints)
    state = checkpoints.load()  # weights_only=True
    assert state is not None
    assert state["step"] == 46


def test_a_checkpoint_of_another_recipe_is_refused(make_small: Make, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    run(make_small(), checkpoints=checkpoints)
    with pytest.raises(CheckpointError, match="another recipe"):
        run(make_small("techniques.sgd.learning_rate=0.06"), resume=checkpoints.load())


def test_a_broken_checkpoint_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(CheckpointError, match=r"last\.pt: not a readable checkpoint"):
        Checkpoints(tmp_path).load()
    assert Checkpoints(tmp_path / "nowhere").load() is None


def test_a_folder_emptied_while_a_checkpoint_is_written_costs_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints, synced, fsync = Checkpoints(tmp_path / "checkpoints"), [], os.fsync

    def empty(descriptor: int) -> None:
        fsync(descriptor)
        if not synced:
            shutil.rmtree(tmp_path / "checkpoints")
        synced.append(descriptor)

    monkeypatch.setattr(os, "fsync", empty)
    checkpoints.save("last", SAVED)
    loaded = checkpoints.load()
    assert loaded is not None and loaded["step"] == 12


SAVED = {"format": 2, "recipe": "x", "step": 12, "weights": torch.arange(300_000, dtype=torch.float32)}


def test_a_damaged_checkpoint_is_refused_with_the_other_one(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "checkpoints"
    folder.parent.mkdir()
    checkpoints = Checkpoints(folder)
    path = checkpoints.save("last", SAVED)
    whole = path.read_bytes()
    assert len(whole) == size_of(SAVED)
    assert torch.equal((checkpoints.load() or {})["weights"], SAVED["weights"])
    assert checkpoints.note == ""
    damaged = []
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        for bit in range(8):
            data = bytearray(whole)
            data[int(share * len(data))] ^= 1 << bit
            damaged.append(bytes(data))
    damaged += [whole[: int(share * len(whole))] for share in (0.0, 0.01, 0.5, 0.99)]
    damaged += [whole[:-1], whole[:-84], whole[:-100], whole + b"x", b"PK\x03\x04" + b"x" * 5000]
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            checkpoints.load()
        said = str(caught.value)
        assert said.startswith(f"{path}: ")
        assert said.endswith(f"there is no other checkpoint; train it anew: workbench run {tmp_path / 'run'}")
        assert "\n" not in said
        assert "torch" not in said.lower()
    checkpoints.save("best", SAVED | {"step": 7})
    with pytest.raises(
        CheckpointError, match=r"; go on from best\.pt \(step 7\): workbench run --resume .*run --from best$"
    ):
        checkpoints.load()
    best = bytearray((folder / "best.pt").read_bytes())
    best[1000] ^= 1
    (folder / "best.pt").write_bytes(best)
    with pytest.raises(CheckpointError, match="there is no other checkpoint"):
        checkpoints.load()


def test_a_checkpoint_of_an_earlier_version_still_loads_and_says_so(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    torch.save(SAVED | {"format": 1}, tmp_path / "last.pt")
    state = checkpoints.load()
    assert state is not None
    assert torch.equal(state["weights"], SAVED["weights"])
    assert checkpoints.note.startswith("an earlier version wrote last.pt without a digest")
    checkpoints.save("last", SAVED)
    checkpoints.load()
    assert checkpoints.note == ""


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_file_is_no_checkpoint(tmp_path: Path, odd: str) -> None:
    ODD[odd](tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match=r"last\.pt: not a readable checkpoint"):
        Checkpoints(tmp_path).load()


@pytest.mark.parametrize("content", [[1], {"format": 2}, {"format": 1, "recipe": 3}, {"format": 7}, 3])
def test_what_holds_something_else_is_no_checkpoint(make_small: Make, tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "last.pt")
    with pytest.raises(CheckpointError):
        run(make_small(), resume=Checkpoints(tmp_path).load())


def test_a_checkpoint_that_lacks_a_part_does_not_break_in_torchs_words(make_small: Make, tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    run(make_small(), checkpoints=checkpoints)
    state = checkpoints.load()
    assert state is not None
    for name in ("model", "optimizer", "scaler", "generator", "step", "guard", "meter", "seconds", "best"):
        with pytest.raises(CheckpointError, match="does not fit its recipe"):
            run(make_small(), resume={key: value for key, value in state.items() if key != name})
    wrong = state | {"model": {key: value.new_zeros(3, 3) for key, value in state["model"].items()}}
    with pytest.raises(CheckpointError, match="does not fit its recipe"):
        run(make_small(), resume=wrong)


def test_no_room_leaves_the_earlier_checkpoint_and_says_how_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    path = checkpoints.save("last", SAVED)
    before, most = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most[1]))
        with pytest.raises(NoRoom) as caught:
            checkpoints.save("last", SAVED | {"step": 13})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert caught.value.needed == len(before)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["last.pt"]  # what was begun takes no room


def test_a_runs_directory_that_is_gone_is_never_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "gone" / "checkpoints"
    with pytest.raises(NoRoom, match="No such file"):
        Checkpoints(folder).save("last", SAVED)
    assert not folder.parent.exists()
    places, looked = [folder, tmp_path / "elsewhere"], []

    def look() -> None:
        looked.append(1)
        if len(looked) == 2:  # before the attempt it seemed to be there
            places.pop(0)

    assert Checkpoints(lambda: places[0], look).save("last", SAVED) == tmp_path / "elsewhere" / "last.pt"


def test_pause_checkpoint_continue_and_stop(make_small: Make, tmp_path: Path) -> None:
    control, checkpoints, paused = Control(), Checkpoints(tmp_path), 0

    def react(event: Event) -> None:
        nonlocal paused
        if isinstance(event, Trained) and event.step == 10:
            control.pause()
        if isinstance(event, Paused):
            paused = event.step
            control.checkpoint()
        if isinstance(event, CheckpointSaved) and event.step == paused:
            control.go_on()
        if isinstance(event, Trained) and event.step == 20:
            control.stop()

    events = run(make_small(), control, checkpoints, on_event=react)
    kinds = [type(e).__name__ for e in events if not isinstance(e, Trained | CheckFinished | RunStarted)]
    assert kinds == ["Paused", "CheckpointSaved", "Continued", "CheckpointSaved", "Stopped"]
    assert any(isinstance(e, Continued) for e in events)


def test_best_exists_only_with_a_validation_split(make_small: Make, tmp_path: Path) -> None:
    run(make_small(), checkpoints=Checkpoints(tmp_path / "a"))
    assert not (tmp_path / "a" / "best.pt").exists()
    events = run(make_small("data.validation=0.2"), checkpoints=Checkpoints(tmp_path / "b"))
    assert (tmp_path / "b" / "best.pt").exists()
    end = events[-1]
    assert isinstance(end, Finished)
    validation = [e.accuracy for e in events if isinstance(e, Evaluated) and e.split == "validation"]
    assert end.best_validation_accuracy == max(validation)


def test_fractions_of_epochs_are_whole_steps(make_small: Make) -> None:
    events = run(make_small("train.epochs=0.5", "train.eval_every=0.25"))
    assert events[-1].step == 12  # type: ignore[attr-defined]
    assert [e.step for e in events if isinstance(e, Evaluated)] == [6, 12]


def test_every_event_is_a_line_of_strict_json(make_small: Make) -> None:
    for event in run(make_small()):
        assert "\n" not in to_json(event)
        assert "NaN" not in to_json(event)


def test_the_learning_rate_follows_the_schedule(make_small: Make) -> None:
    built = make_small("techniques.cosine.every=step", "train.log_every=1")
    found = [e.learning_rate for e in run(built) if isinstance(e, Trained)]
    assert found[0] == pytest.approx(0.05)
    assert found[23] == pytest.approx(0.05 * 0.5 * (1 + math.cos(math.pi * 23 / 46)))
    assert found == [built.learning_rate(step) for step in range(46)]


def test_torchs_settings_are_put_back(make_small: Make) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    threads = torch.get_num_threads()
    run(make_small("train.threads=1", "train.deterministic=true"))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("tf32", [True, False])
def test_products_have_the_format_that_the_recipe_says(digits_recipe: str, tf32: bool) -> None:
    products: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)  # type: ignore[attr-defined]
    before = [each.fp32_precision for each in products]
    with backend(read_recipe(digits_recipe, overrides=[f"train.tf32={str(tf32).lower()}"])):
        assert [each.fp32_precision for each in products] == ["tf32" if tf32 else "ieee"] * 2
    assert [each.fp32_precision for each in products] == before
