from __future__ import annotations

from pathlib import Path

import pytest

from workbench.runs.errors import RunError
from workbench.runs.find.catalog import Entry
from workbench.runs.find.fields import ordered
from workbench.runs.find.keys import Keys, Vocabulary, read_keys
from workbench.runs.find.query import QueryError, parse
from workbench.runs.store.directory import RunDirectory

RECIPE = """format = 1
name = "small"
seed = 3

[data]
batch_size = 64

[model]
name = "resnet20"
widths = [
    16,
    32,
]

[techniques.sgd]
learning_rate = 0.05
nesterov = true

[techniques.cutout]
enabled = false
size = 2

[checks.loss]
limit = 3
"""
SGD: Keys = {"model.name": "resnet20", "data.batch_size": 64, "model.widths": (16, 32), "model.bias": True,
             "sgd": "on", "sgd.learning_rate": 0.05}  # fmt: skip
CUTOUT: Keys = {**SGD, "sgd.learning_rate": 0.3, "cutout": "on", "cutout.size": 4}
ADAMW: Keys = {"model.name": "cnn", "data.batch_size": 128, "adamw": "on", "adamw.learning_rate": 0.001}
UNREADABLE: Keys = {}
RUNS = {"sgd": SGD, "cutout": CUTOUT, "adamw": ADAMW, "unreadable": UNREADABLE}
VOCABULARY = Vocabulary(RUNS.values())
ENTRIES = [Entry(RunDirectory(Path(name)), "finished", "small", 0.0, None, keys=keys) for name, keys in RUNS.items()]


def found(text: str) -> list[str]:
    return [entry.name for entry in parse(text, VOCABULARY).select(ENTRIES, 0.0)]


def test_the_keys_of_a_recipe(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(RECIPE)
    assert read_keys(file) == {
        "data.batch_size": 64, "model.name": "resnet20", "model.widths": (16, 32), "sgd": "on",
        "sgd.learning_rate": 0.05, "sgd.nesterov": True,
    }  # fmt: skip


def test_recipes_that_differ_by_their_seed_share_their_keys(tmp_path: Path) -> None:
    for name, text in (("a", RECIPE), ("b", RECIPE.replace("seed = 3", "seed = 4")), ("c", RECIPE.replace("64", "65"))):
        (tmp_path / name).write_text(text)
    first, second, third = (read_keys(tmp_path / name) for name in "abc")
    assert first is second and third is not first and third["data.batch_size"] == 65


def test_a_seed_of_another_table_is_a_key(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text('name = "small"\n\n[techniques.noise]\nseed = 5\n')
    assert read_keys(file) == {"noise": "on", "noise.seed": 5}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[data\nbatch_size = 64\n", b"[data]\nbatch_size = \n"])
def test_what_is_no_recipe_has_no_keys(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "recipe.toml"
    file.write_bytes(content)
    assert not read_keys(file)
    assert not read_keys(tmp_path / "missing")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("learning_rate>0.01", ["sgd", "cutout"]),
        ("lr>0.01", ["sgd", "cutout"]),
        ("sgd.lr<=0.05", ["sgd"]),
        ("techniques.sgd.learning_rate=5e-2", ["sgd"]),
        ("learning_rate:0.001,0.3", ["cutout", "adamw"]),
        ("learning_rate!=0.3", ["sgd", "adamw", "unreadable"]),
        ("model:resnet", ["sgd", "cutout"]),
        ("model=resnet", []),
        ("model=ResNet20", ["sgd", "cutout"]),
        ("widths=[16,32]", ["sgd", "cutout"]),
        ("widths=16,32", ["sgd", "cutout"]),
        ("bias=true", ["sgd", "cutout"]),
        ("bias:on", ["sgd", "cutout"]),
        ("batch>64", ["adamw"]),
        ("bias:", ["sgd", "cutout"]),
        ("+cutout", ["cutout"]),
        ("!+cutout", ["sgd", "adamw", "unreadable"]),
        ("-cutout", ["sgd", "adamw", "unreadable"]),
        ("!cutout", ["sgd", "adamw", "unreadable"]),  # the word: only one run is called so
        ("+cutmix", []),  # known, though no run has it
        ("widths>3", []),
    ],
)
def test_a_key_is_a_field_of_the_filter(text: str, names: list[str]) -> None:
    assert found(text) == names
    assert found(str(parse(text, VOCABULARY))) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learnig_rate>0.1", "no field 'learnig_rate'; did you mean 'learning_rate'?"),
        ("+cutot", "no technique 'cutot'; did you mean 'cutout'?"),
        ("learning_rate>x", "learning_rate>x: 'x' is no number; write learning_rate>0.1"),
        ("learning_rate>", "learning_rate>: a number is missing; write learning_rate>0.1"),
    ],
)
def test_what_means_nothing_says_what_is_known(text: str, message: str) -> None:
    with pytest.raises(QueryError) as raised:
        parse(text, VOCABULARY)
    assert str(raised.value) == message


def test_what_is_like_nothing_names_the_fields() -> None:
    with pytest.raises(QueryError) as raised:
        parse("optimzer=adam", VOCABULARY)
    said = str(raised.value)
    assert said.startswith("no field 'optimzer'; there are name, recipe, state") and "every key of the recipes" in said


def test_two_keys_of_one_recipe_are_not_guessed_between() -> None:
    two = Vocabulary([{"a.size": 1, "b.size": 2}])
    with pytest.raises(RunError, match=r"'size' may be a\.size or b\.size; write one of them"):
        two.find("size")
    assert two.find("b.size") == ("b.size",)


def test_a_value_that_no_recipe_has_names_those_there_are() -> None:
    assert parse("lr=0.2 model:vgg", VOCABULARY).hint == "lr is 0.001, 0.05, 0.3; model.name is cnn, resnet20"
    assert parse("lr=0.3 !model=vgg acc>0.9", VOCABULARY).hint == ""
    many = Vocabulary({"data.batch_size": size} for size in range(10, 20))
    assert parse("batch=3", many).hint == "data.batch_size is 10, 11, 12, 13, 14, 15 and 4 more"


def test_a_key_sorts_and_runs_without_it_come_last() -> None:
    for name, order in (("learning_rate", ["adamw", "sgd", "cutout", "unreadable"]),
                        ("cutout.size", ["cutout", "sgd", "adamw", "unreadable"])):  # fmt: skip
        assert [e.name for e in ordered(ENTRIES, name, 0.0, vocabulary=VOCABULARY)] == order
    down = ordered(ENTRIES, "lr", 0.0, descending=True, vocabulary=VOCABULARY)
    assert [entry.name for entry in down] == ["cutout", "sgd", "adamw", "unreadable"]
