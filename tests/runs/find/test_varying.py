from __future__ import annotations

from pathlib import Path

from workbench.runs.find.catalog import Entry
from workbench.runs.find.keys import Keys, Vocabulary
from workbench.runs.find.query import parse
from workbench.runs.find.varying import in_common, in_short, telling, titles, varying
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.status import Status

BASE: Keys = {"model.name": "cnn", "data.source": "digits", "train.epochs": 10, "data.batch_size": 64,
              "train.threads": 2, "sgd": "on", "sgd.learning_rate": 0.05}  # fmt: skip


def run(recipe: str = "small", seed: int = 0, device: str = "cpu", **changes: object) -> Entry:
    keys = {**BASE, **{name.replace("__", "."): value for name, value in changes.items()}}
    return Entry(
        RunDirectory(Path("r")), "finished", recipe, 0.0, Status("finished", device=device, seed=seed), keys=keys
    )


def test_what_all_have_in_common_and_what_varies() -> None:
    found = varying([run(), run(seed=1, sgd__learning_rate=0.3), run(sgd__learning_rate=0.3, cutout="on")])
    assert found.common == ("small", "cpu", "cnn", "digits", "10 epochs", "batch 64")
    assert found.keys == ("sgd.learning_rate", "cutout") or found.keys == ("cutout", "sgd.learning_rate")
    assert found.fields == {"seed"}
    assert found.usual == {"sgd.learning_rate": 0.3, "cutout": None}


def test_the_key_that_tells_most_apart_comes_first() -> None:
    runs = [run(sgd__learning_rate=rate, data__batch_size=128 if rate == 0.4 else 64) for rate in (0.1, 0.2, 0.3, 0.4)]
    assert varying(runs).keys == ("sgd.learning_rate", "data.batch_size")


def test_what_changes_no_number_is_no_column() -> None:
    assert varying([run(), run(train__threads=4)]).keys == ()


def test_what_the_recipes_name_says_is_no_column() -> None:
    found = varying([run("small"), run("small"), run("wide", model__name="resnet20")])
    assert found.keys == () and found.fields == {"recipe"}


def test_values_of_a_technique_that_comes_and_goes_are_none_unless_they_differ() -> None:
    off, two, four = run(), run(cutout="on", cutout__size=2), run(cutout="on", cutout__size=4)
    assert varying([off, two]).keys == ("cutout",)
    assert set(varying([off, two, four]).keys) == {"cutout", "cutout.size"}


def test_of_one_run_nothing_varies() -> None:
    assert varying([run()]) == varying([])


def test_titles_are_short_unless_two_are_alike() -> None:
    assert titles(["sgd.learning_rate", "model.name", "cutout.size"]) == ["lr", "model", "size"]
    assert titles(["cutout.size", "crop.size", "train.epochs"]) == ["cutout.size", "crop.size", "epochs"]


def test_in_what_a_run_is_not_like_most() -> None:
    runs = [run(), run(), run(cutout="on"), run(sgd__learning_rate=0.3)]
    keys = ["sgd.learning_rate", "cutout"]
    assert [telling(each, keys, runs) for each in runs] == [[], [], ["cutout"], ["sgd.learning_rate"]]
    assert in_short(runs[3], keys) == "lr 0.3 −cutout"
    assert in_short(runs[2], keys) == "lr 0.05 +cutout"


def test_what_a_filter_makes_them_have_in_common_is_said_once() -> None:
    def common(text: str, *runs: Entry) -> tuple[str, ...]:
        query = parse(text, Vocabulary(entry.keys for entry in (*runs, run(cutout="on"))))
        found = query.select(runs, 0.0)
        return in_common(varying(found), query, found)

    slow, fast, faster = run(), run(sgd__learning_rate=0.1), run(sgd__learning_rate=0.3, seed=1)
    always = ("small", "cpu", "cnn", "digits", "10 epochs", "batch 64")
    assert common("", slow, fast, faster) == always
    assert common("lr>0.06", slow, fast, faster) == (*always, "lr>0.06")
    assert common("lr>0.06 lr<0.2", slow, fast, fast, faster) == (*always, "seed 0", "lr 0.1")  # once, not twice
    assert common("-learning_rate=0.1", slow, fast, faster) == (*always, "not lr=0.1")
    assert common("+cutout", run(cutout="on"), run(cutout="on", seed=1), slow) == (*always, "+cutout")
    assert common("!+cutout", run(cutout="on"), slow, faster) == (*always, "−cutout")
    assert common("batch_size:64 model:cnn", slow, faster) == always  # they say it already
    assert common("batch_size>32", slow, run(data__batch_size=128, seed=1)) == (*always[:-1], "batch>32")
    assert common("state:finished small", slow, faster) == always  # that has a column
    assert common("lr>0.2", slow, fast, faster) == ()  # one run has nothing in common with others
