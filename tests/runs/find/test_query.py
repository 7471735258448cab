from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.runs.find.catalog import NO_NOTES, Entry
from workbench.runs.find.fields import FIELDS, ordered
from workbench.runs.find.query import QueryError, parse
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.notes import Notes
from workbench.runs.store.status import Status

NOW = 1_800_000_000.0
DAY = 86_400.0


def entry(name: str, state: str = "finished", notes: Notes = NO_NOTES, age: float = 0.0, **status: object) -> Entry:
    directory = RunDirectory(Path("runs") / name)
    return Entry(directory, state, directory.recipe_name, NOW - age, Status(state, **status), notes)  # type: ignore[arg-type]


RUNS = [
    entry("20261120-142501-resnet20-aaaa", test_accuracy=0.914, loss=0.21, seconds=640.0, seed=0, age=DAY,
          notes=Notes(("paper", "wide"), "the one for the table"), images_per_second=8200.0, device="cuda:0"),
    entry("20261121-142501-v2-bbbb", "running", test_accuracy=0.88, loss=1.5, seconds=60.0, seed=3, age=30.0,
          pid=1, device="cpu"),
    entry("20261101-142501-v2-cccc", "diverged", loss=None, seed=4, age=20 * DAY, notes=Notes(note="bad luck")),
    Entry(RunDirectory(Path("runs/20261102-142501-v1-dddd")), "queued", "v1", NOW - 19 * DAY, None),
]  # fmt: skip


def found(text: str) -> str:
    """The first letters of the runs that a query finds."""
    return "".join(run.name[-1] for run in parse(text).select(RUNS, NOW))


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("", "abcd"),
        ("resnet", "a"),
        ("V2", "bc"),
        ("-v2", "ad"),
        ("!v2 !v1", "a"),
        ("paper", "a"),
        ('"bad luck"', "c"),
        ("bad v2", "c"),
        ("state:finished", "a"),
        ("state:fin", "a"),
        ("state:finished,diverged", "ac"),
        ("state:live", "b"),
        ("state=ended", "ac"),
        ("-state:live", "acd"),
        ("acc>0.9", "a"),
        ("acc>90%", "a"),
        ("acc>90", "a"),
        ("acc<=88%", "b"),
        ("acc=0.914", "a"),
        ("acc:91%", "a"),
        ("-acc>0.9", "bcd"),
        ("state:finished acc>0.9 resnet", "a"),
        ("time>10m", "a"),
        ("time<=1m", "b"),
        ("age<2d", "ab"),
        ("age>1w", "cd"),
        ("seed:3", "b"),
        ("seed=0", "a"),
        ("seed>=3", "bc"),
        ("speed>8k", "a"),
        ("tag:paper", "a"),
        ("tag=pap", ""),
        ("tag:pap", "a"),
        ("tags:x,wide", "a"),
        ("note:", "ac"),
        ('note:"bad luck"', "c"),
        ("device:cuda", "a"),
        ("loss<1", "a"),
        ("-", "abcd"),  # what comes is not written yet
    ],
)
def test_queries(text: str, runs: str) -> None:
    assert found(text) == runs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("acurracy>0.9", "no field 'acurracy'; did you mean 'accuracy'?"),
        ("xyzzy:1", "no field 'xyzzy'; there are name, recipe, state"),
        ("state:finised", "no state 'finised'; did you mean 'finished'?"),
        ("state>3", "a state is a word; write state:3"),
        ("recipe<v2", "recipe is a text; write recipe:v2"),
        ("acc>", "a number is missing; write acc>90%"),
        ("acc>high", "'high' is no number; write acc>90%"),
        ("age<2", "a time needs a unit: s, m, h, d or w; write age<10m"),
        ("age<2y", "a time needs a unit"),
        ("seed:3%", "'%' is no unit of it; write seed:3"),
    ],
)
def test_what_means_nothing_is_said_in_one_line(text: str, message: str) -> None:
    with pytest.raises(QueryError) as error:
        parse(f"fine {text}")
    assert message in str(error.value) and "\n" not in str(error.value)


@given(st.text(max_size=60))
def test_any_text_is_a_query_or_one_line(text: str) -> None:
    try:
        query = parse(text)
    except QueryError as error:
        assert str(error)
        return
    query.select(RUNS, NOW)


VALUES = {"share": "{}%", "duration": "{}m", "whole": "{}", "number": "{}", "text": "v{}"}
WORDS = st.from_regex(r'[^\s"]{1,12}', fullmatch=True)


@st.composite
def terms(draw: st.DrawFn) -> str:
    sign = draw(st.sampled_from(["", "-", "!"]))
    if draw(st.booleans()):
        word = draw(st.from_regex(r"[a-z0-9_.]{1,8}( [a-z]{1,4})?", fullmatch=True))
        return f'{sign}"{word}"'
    field = FIELDS[draw(st.sampled_from([name for name in FIELDS if name != "state"]))]
    operators = [":", "="] if field.kind == "text" else [":", "=", "<", "<=", ">", ">="]
    value = VALUES[field.kind].format(draw(st.integers(0, 99)))
    return f"{sign}{field.name}{draw(st.sampled_from(operators))}{value}"


@given(st.lists(terms(), max_size=5))
def test_a_query_is_written_as_it_is_read(words: list[str]) -> None:
    query = parse(" ".join(words))
    assert len(query.terms) == len(words)
    assert parse(str(query)) == query
    assert parse(str(query)).select(RUNS, NOW) == query.select(RUNS, NOW)


@given(st.lists(WORDS, max_size=4))
def test_whatever_can_be_read_can_be_written(words: list[str]) -> None:
    try:
        query = parse(" ".join(words))
    except QueryError:
        return
    assert parse(str(query)) == query


@given(terms())
def test_a_sign_turns_a_term_round(term: str) -> None:
    plain = term.lstrip("-!")
    assert sorted(found(plain) + found(f"-{plain}")) == list("abcd")


def test_every_field_sorts_and_the_unknown_comes_last() -> None:
    for name in FIELDS:
        for descending in (False, True):
            assert len(ordered(RUNS, name, NOW, descending=descending)) == len(RUNS)
    assert [run.name[-1] for run in ordered(RUNS, "acc", NOW)] == list("bacd")
    assert [run.name[-1] for run in ordered(RUNS, "acc", NOW, descending=True)] == list("abcd")
    assert [run.name[-1] for run in ordered(RUNS, "recipe", NOW)] == list("adbc")
    assert [run.name[-1] for run in ordered(RUNS, "age", NOW)] == list("badc")
