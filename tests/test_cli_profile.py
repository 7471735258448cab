"""workbench profile: what it prints, what it keeps; and a live run that another process asks for its phases."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs.helpers import SMALL, Command, invoke
from tests.waiting import wait_for
from workbench.commands.profile_text import bar, lines
from workbench.control import Control
from workbench.events import PhasesMeasured
from workbench.profiling.report import Phases, Report, Suggestion, Throughput, Transform, from_plain
from workbench.recipe import read_recipe, read_recipe_file
from workbench.recipe.registries import TECHNIQUES
from workbench.runs.errors import RunError
from workbench.runs.store.control_file import ask
from workbench.runs.store.directory import create_run
from workbench.runs.store.events import read_events
from workbench.runs.store.status import read_status
from workbench.runs.training.execute import execute

PROFILE = ("profile", "small.toml", "--device", "cpu", "--seconds", "0.2")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one small recipe."""
    monkeypatch.chdir(tmp_path)
    for name in ("WORKBENCH_RUNS", "WORKBENCH_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(TECHNIQUES, "_specs", {spec.name: spec for spec in TECHNIQUES})
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


@pytest.fixture
def workbench(capsys: pytest.CaptureFixture[str]) -> Command:
    """Call the command line."""
    return lambda *arguments: invoke(capsys, *arguments)


def test_a_profile_in_words(workbench: Command, folder: Path) -> None:
    result = workbench(*PROFILE, "--set", "data.pipeline=loader", "--set", "data.workers=0")
    assert result.code == 0, result.err
    text = result.out
    assert text.startswith("small on cpu (")
    assert "loader pipeline, no workers, batches of 64" in text
    for part in ("a step takes", "F forward", "batches alone", "network alone", "end to end", "evaluations:"):
        assert part in text
    assert [p.name for p in folder.iterdir()] == ["small.toml"], "nothing is written"


def test_a_profile_for_programs(workbench: Command) -> None:
    result = workbench(*PROFILE, "--json")
    report = from_plain(Report, json.loads(result.out))
    assert report.recipe == "small" and report.device == "cpu" and report.end_to_end.images_per_second > 0


def test_what_is_measured_is_said_line_by_line(workbench: Command, folder: Path) -> None:
    """Also with a plugin that prints: what it says is no result."""
    (folder / "loud.py").write_text("""
from workbench.techniques.base import Technique

class Loud(Technique):
    name = "loud"
    group = "augmentation"

    def register(self, build):
        build.hooks.image_augmentation.add(self._say)

    def _say(self, images, draws):
        print("augmenting")
        return images
""")
    result = workbench(*PROFILE, "--json-lines", "--plugin", "loud.py", "--set", "techniques.loud=on")
    assert result.code == 0, result.err
    *progress, last = map(json.loads, result.out.splitlines())
    assert {line["kind"] for line in progress} == {"progress"} and last["kind"] == "report"
    shares = [line["share"] for line in progress]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] < 1
    assert from_plain(Report, last).transforms[0].name in ("loud", "reading the images")
    assert "augmenting" in result.err


@pytest.fixture
def suggested(monkeypatch: pytest.MonkeyPatch) -> Suggestion:
    """What every report suggests, whatever was measured: on some machines nothing promises a gain."""
    from workbench.profiling import profile as module

    suggestion = Suggestion("Try it.", {"techniques.channels_last.enabled": True})
    monkeypatch.setattr(module, "suggest", lambda *arguments: suggestion)
    return suggestion


@pytest.mark.usefixtures("suggested")
def test_a_change_that_was_faster_is_kept(workbench: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from workbench.profiling import profile as module

    monkeypatch.setattr(module, "compare", _faster)
    result = workbench(*PROFILE, "--try", "--save", "quick")
    assert result.code == 0, result.err
    assert "tried: 100 → 200 images/s: 2.00× (median of 2 pairs, 2.00–2.00), faster." in result.out
    assert result.out.splitlines()[-1] == "saved as recipes/quick.toml"
    kept = read_recipe_file(folder / "recipes" / "quick.toml")
    assert kept.name == "quick" and kept.on("channels_last")
    again = workbench(*PROFILE, "--try", "--save", "quick")
    assert again.code == 2 and "is there already" in again.err


@pytest.mark.usefixtures("suggested")
def test_a_change_that_was_not_faster_is_not_kept(
    workbench: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.profiling import profile as module

    monkeypatch.setattr(module, "compare", _slower)
    result = workbench(*PROFILE, "--try", "--save", "slow")
    assert result.out.splitlines()[-1] == "not saved: it was not faster in every pair"
    assert not (folder / "recipes").exists()


def test_where_there_is_nothing_to_try_nothing_is_kept(
    workbench: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.profiling import profile as module

    monkeypatch.setattr(module, "suggest", lambda *arguments: None)
    result = workbench(*PROFILE, "--try", "--save", "none")
    assert result.code == 0
    assert result.out.splitlines()[-1] == "not saved: there was nothing to try"
    assert not (folder / "recipes").exists()


@pytest.mark.usefixtures("suggested")
def test_what_a_report_suggests_is_tried_without_measuring_anew(
    workbench: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.profiling import profile as module

    (folder / "found.json").write_text(workbench(*PROFILE, "--json").out)
    monkeypatch.setattr(module, "compare", _faster)
    monkeypatch.setattr(module, "_measured", None)
    result = workbench(*PROFILE, "--try", "--report", "found.json", "--json")
    assert result.code == 0, result.err
    before, after = (from_plain(Report, json.loads(text)) for text in ((folder / "found.json").read_text(), result.out))
    assert after.trials and replace(after, trials=[]) == before
    other = workbench(*PROFILE, "--try", "--report", "found.json", "--set", "name=other")
    assert other.code == 2 and "found.json is about small on cpu, not about other on cpu" in other.err
    (folder / "found.json").write_text("{}")
    wrong = workbench(*PROFILE, "--try", "--report", "found.json")
    assert wrong.code == 2 and "is no report" in wrong.err


def _faster(before, after, suggestion, seconds, folder):
    from workbench.profiling.trial import trial

    yield trial(suggestion, [(100, 200), (100, 200)])


def _slower(before, after, suggestion, seconds, folder):
    from workbench.profiling.trial import trial

    yield trial(suggestion, [(100, 90), (100, 120)])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing-like-it",), "no recipe 'nothing-like-it'"),
        (("small.toml", "--save", "x"), "give --try too"),
        (("small.toml", "--try", "--save", "a/b"), "give a name"),
        (("small.toml", "--report", "x.json"), "give --try too"),
        (("small.toml", "--try", "--report", "x.json"), "--report x.json cannot be read"),
        (("small.toml", "--set", "data.workrs=1"), "workers"),
        (("small.toml", "--seconds", "0"), "0.1"),
    ],
)
def test_wrong_input_is_one_line(workbench: Command, arguments: tuple[str, ...], said: str) -> None:
    result = workbench("profile", *arguments, "--device", "cpu")
    assert result.code == 2
    assert said in result.err and len(result.err.splitlines()) == 1


def test_a_bar_is_exactly_as_wide_as_it_should_be() -> None:
    assert bar({"w": 0.5, "f": 0.25, "b": 0.25}, 8) == "wwwwffbb"
    assert bar({"w": 1 / 3, "f": 1 / 3, "b": 1 / 3}, 10) == "wwwfffffbbb"[:3] + "ffff" + "bbb"
    assert len(bar(dict.fromkeys("abcdefg", 1 / 7), 61)) == 61


def test_lines_fit_a_narrow_terminal() -> None:
    rate = Throughput(1234.5, 1000, 2000, 4)
    report = Report(
        recipe="r", device="cpu", machine="m", pipeline="loader", workers=2, batch_size=8, end_to_end=rate,
        loader=rate, compute=rate, bound="loader", sentence="A sentence.", loader_alone=rate,
        phases=Phases(0.01, {"data wait": 0.008, "forward": 0.0015}, samples=5, every=2, cost=0.001),
        suggestion=Suggestion("Do this.", {"data.workers": 4}, 2469.0), transforms=[Transform("crop", 1e-6, 1.0)],
    )  # fmt: skip
    text = list(lines(report, 60))
    assert max(map(len, text)) <= 80 and all(len(line) <= 60 for line in text if "█" in line or "[" in line)
    assert "  ? unexplained    0.50 ms    5.0 %" in text
    assert "     --set data.workers=4 (predicted: 2,469 images/s, 2.00×)" in text


def test_without_a_clear_verdict_measuring_again_is_advised() -> None:
    rate = Throughput(1234.5, 1000, 2000, 4)
    report = Report(
        recipe="r", device="cpu", machine="m", pipeline="device", workers=0, batch_size=8, end_to_end=rate,
        loader=rate, compute=rate, bound="unclear", sentence="It is not clear.", phases=Phases(0.0, {}, 0, 1, 0.0),
    )  # fmt: skip
    *_, said, advice = lines(report, 80)
    assert said == "It is not clear."
    assert advice == "try: measure again when the machine is quieter, or longer, with --seconds"


def test_a_live_run_tells_its_phases_to_who_asks(folder: Path) -> None:
    recipe = read_recipe(SMALL, overrides=["train.epochs=10000", "train.eval_every=10000"])
    run, control = create_run(folder / "runs", recipe), Control()
    training = threading.Thread(target=lambda: execute(run, device="cpu", control=control))
    training.start()
    try:
        wait_for(lambda: (status := read_status(run)) is not None and status.step > 0)
        ask(run, "profile")
        wait_for(lambda: any(isinstance(event, PhasesMeasured) for event in read_events(run)))
        assert json.loads((run.profile / "phases.json").read_text())["samples"] >= 4
    finally:
        control.stop()
        training.join()
    with pytest.raises(RunError, match="stopped"):
        ask(run, "profile")
