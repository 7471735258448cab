"""Known answers after a run, and what is left of its last evaluation."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.checks.conftest import Make, digits, said, small_digits, split_of, whole_run, wrong
from workbench.checks.outcome import still_rising
from workbench.evaluation.results import half_blocks, write_results
from workbench.events import Finished
from workbench.runs.errors import RunError
from workbench.runs.store.results import load_results

AFTER = {"expected_accuracy", "fit", "class_accuracy"}


def after(found: dict[str, str]) -> dict[str, str]:
    return {name: verdict for name, verdict in found.items() if name in AFTER}


@pytest.mark.parametrize(
    ("claim", "verdict"), [("[0.5, 1.0]", "pass"), ("[0.1, 0.2]", "pass"), ("[0.9999, 1.0]", "fail")]
)
def test_a_result_is_held_against_the_claim(make_small: Make, claim: str, verdict: str) -> None:
    events = whole_run(make_small(f"expect.accuracy={claim}", "train.epochs=3"))
    assert said(events)["expected_accuracy"].verdict == verdict
    assert after(wrong(said(events))) == ({} if verdict == "pass" else {"expected_accuracy": verdict})


def test_a_result_just_below_the_claim_may_be_chance(make_small: Make) -> None:
    end = whole_run(make_small("train.epochs=3"))[-1]
    assert isinstance(end, Finished)
    low = end.test_accuracy + 0.005
    found = said(whole_run(make_small(f"expect.accuracy=[{low}, 1.0]", "train.epochs=3")))["expected_accuracy"]
    assert found.verdict == "warn" and "alone is ±" in found.reason


@pytest.mark.parametrize("mixing", [(), ("techniques.mixup.alpha=0.2", "techniques.mixup.probability=0.3")])
def test_a_network_that_memorises_is_seen_under_mixing_too(make: Make, mixing: tuple[str, ...]) -> None:
    whole = small_digits()
    few = split_of(whole.train.images(torch.arange(40)), whole.train.labels[:40])
    build = make("train.epochs=60", "data.batch_size=20", *mixing, dataset=replace(whole, train=few))
    found = said(whole_run(build))["fit"]
    assert found.verdict == "warn"
    assert found.reason == "it memorises" and "augmentation" in found.advice
    assert "clean training 100.0, test" in found.found


def test_a_class_that_is_not_recognised(make: Make) -> None:
    whole = digits()
    labels = whole.test.labels.clone()
    labels[labels == 7] = 3
    labels[whole.test.labels == 3] = 7
    confused = replace(whole, test=split_of(whole.test.images(), labels))
    found = said(whole_run(make("train.epochs=3", "checks.class_accuracy.least=0.6", dataset=confused)))
    assert found["class_accuracy"].verdict == "warn"
    assert "mostly taken for" in found["class_accuracy"].reason


def test_the_rise_of_a_curve() -> None:
    assert still_rising(tuple((i, i / 100) for i in range(100))) == pytest.approx(0.2)
    assert still_rising(tuple((i, 0.8) for i in range(100))) == pytest.approx(0)
    assert math.isnan(still_rising(tuple((i, math.nan) for i in range(100))))
    assert math.isnan(still_rising(((1, 0.5),)))


def test_the_results_are_those_of_the_last_evaluation(make: Make, tmp_path: Path) -> None:
    build = make()
    end = whole_run(build, tmp_path, checks=False)[-1]
    results = load_results(tmp_path / "evaluation.json")
    assert isinstance(end, Finished)
    assert (results.images, results.step) == (359, end.step)
    assert results.accuracy == end.test_accuracy
    right = sum(row[label] for label, row in enumerate(results.confusion))
    assert right / results.images == pytest.approx(end.test_accuracy)
    labels = build.dataset.test.labels
    assert [sum(row) for row in results.confusion] == torch.bincount(labels).tolist()
    assert results.mistakes
    probabilities = [mistake.probability for mistake in results.mistakes]
    assert probabilities == sorted(probabilities, reverse=True)
    first = results.mistakes[0]
    assert first.label == labels[first.index] != first.predicted
    picture = build.dataset.test.images(torch.tensor([first.index]))[0]
    assert first.pixels == picture.permute(1, 2, 0).contiguous().numpy().tobytes()
    with torch.no_grad():
        logits = build.forward(build.plain(picture[None]), build.model.eval())
    assert int(logits.argmax()) == first.predicted
    assert float(logits.softmax(1).max()) == pytest.approx(first.probability, abs=1e-4)
    times, label, predicted = results.confusions(1)[0]
    assert results.confusion[label][predicted] == times


def test_results_are_written_and_read_without_torch(make: Make, tmp_path: Path) -> None:
    whole_run(make(), tmp_path, checks=False)
    path = tmp_path / "evaluation.json"
    results = load_results(path)
    write_results(tmp_path / "again.json", results)
    assert load_results(tmp_path / "again.json") == results
    with pytest.raises(OSError, match=r"gone/again\.json: cannot be written"):
        write_results(tmp_path / "gone" / "again.json", results)
    code = f"""
import sys
from pathlib import Path
from workbench.runs.errors import RunError
from workbench.runs.store.results import load_results
assert load_results(Path({str(path)!r})).images == 359
assert 'torch' not in sys.modules and 'numpy' not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    path.write_text(path.read_text()[:-20])
    with pytest.raises(RunError, match="is damaged"):
        load_results(path)
    with pytest.raises(RunError, match="is not there"):
        load_results(tmp_path / "nowhere.json")


def test_half_blocks_are_pairs_of_rows() -> None:
    pixels = bytes(range(3 * 3 * 2))  # three rows of two pixels
    rows = half_blocks(pixels, 3, 2)
    assert rows == [
        [((0, 1, 2), (6, 7, 8)), ((3, 4, 5), (9, 10, 11))],
        [((12, 13, 14), (12, 13, 14)), ((15, 16, 17), (15, 16, 17))],
    ]
