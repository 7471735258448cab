"""Reading and writing recipes: identity, and errors that tell a beginner what to write."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.recipe import Recipe, RecipeError, difference, read_recipe, synonyms, write_recipe
from workbench.recipe.parameters import Parameter, parameters
from workbench.recipe.registries import MODELS, SOURCES, TECHNIQUES
from workbench.recipe.schema import Data, Expect, Train
from workbench.recipe.specs import Spec

GOOD = """
name = "good"
[model]
name = "cnn"
[techniques.sgd]
learning_rate = 0.1
"""


def problems(text: str, *overrides: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read_recipe(text, "r.toml", overrides)
    return str(caught.value).splitlines()


def test_a_short_recipe_gets_every_default() -> None:
    recipe = read_recipe(GOOD)
    assert recipe.data.source == "digits"
    assert recipe.train.epochs == 10
    assert recipe.techniques["sgd"].momentum == 0.9  # type: ignore[attr-defined]


def test_all_problems_come_at_once_with_their_lines() -> None:
    text = """
name = "two words"
sed = 3
[data]
batchsize = 3
[model]
name = "cn"
[train]
epochs = "3"
[techniques.sgd]
learning_rate = -0.1
nesterov = 1
[techniques.cosin]
"""
    assert problems(text) == [
        "r.toml:3: sed: unknown key 'sed'; did you mean 'seed'?",
        "r.toml:2: name: 'two words' cannot name files: use 1–80 letters, digits, '-', '_' or '.'",
        "r.toml:5: data.batchsize: unknown key 'batchsize'; did you mean 'batch_size'?",
        "r.toml:7: model.name: unknown model 'cn'; did you mean 'cnn'?",
        "r.toml:9: train.epochs: expected a number > 0, ≤ 100000, found '3'",
        "r.toml:11: techniques.sgd.learning_rate: expected a number > 0, ≤ 1000, found -0.1",
        "r.toml:12: techniques.sgd.nesterov: expected true or false, found 1",
        "r.toml:13: techniques.cosin: unknown technique 'cosin'; did you mean 'cosine'?",
    ]


def test_a_key_in_the_wrong_table_is_sent_home() -> None:
    assert problems(GOOD + "[train]\nbatch_size = 3\n") == [
        "r.toml:8: train.batch_size: unknown key 'batch_size'; it belongs in [data]"
    ]


def test_bad_toml_is_one_problem_with_its_line() -> None:
    (line,) = problems("name = 'a'\nseed = = 3\n")
    assert line.startswith("r.toml:2: not readable as TOML")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[techniques.adamw]\n", "sgd and adamw are both on, but a step has one optimizer"),
        ("[techniques.cosine]\n[techniques.step_decay]\n", "cosine and step_decay are both on"),
        ("[techniques.residual]\n", "nothing to skip at depth 0"),
        ("[techniques.cosine]\nwarmup_epochs = 10\n", "fills the whole run"),
        ("[data]\nmean = [0.5, 0.5, 0.5]\n", "data.std: missing"),
    ],
)
def test_what_cannot_stand_together_is_refused_with_its_reason(text: str, message: str) -> None:
    found = "\n".join(problems(GOOD + text))
    assert message.split(" are both on")[0].split(" and ")[0] in found
    assert "both on" in found if "both on" in message else message in found


def test_an_editor_may_hold_what_cannot_be_trained() -> None:
    text = GOOD + "[techniques.adamw]\n"
    assert set(read_recipe(text, consistent=False).techniques) == {"sgd", "adamw"}


def test_no_optimizer_names_those_that_exist() -> None:
    (line,) = problems('[model]\nname = "cnn"\n')
    assert "no optimizer; switch on one of " in line
    assert {"adamw", "sgd"} <= set(line.partition("one of ")[2].split(", "))


def test_a_disabled_technique_keeps_its_parameters_and_does_not_count() -> None:
    recipe = read_recipe(GOOD + "[techniques.adamw]\nenabled = false\nlearning_rate = 0.5\n")
    assert [t.name for t in recipe.active()] == ["sgd"]
    assert "enabled = false" in write_recipe(recipe)
    assert read_recipe(write_recipe(recipe)) == recipe


def test_overrides_win_and_their_problems_say_where_they_come_from() -> None:
    recipe = read_recipe(
        GOOD, "r.toml", ["train.epochs=0.5", "data.pipeline=loader", "techniques.cosine.warmup_epochs=0.25"]
    )
    assert (recipe.train.epochs, recipe.data.pipeline, recipe.on("cosine")) == (0.5, "loader", True)
    assert problems(GOOD, "train.epochs") == ["--set: 'train.epochs' is not of the form section.key=value"]
    assert problems(GOOD, "train.epoch=3") == ["--set: train.epoch: unknown key 'epoch'; did you mean 'epochs'?"]
    assert problems(GOOD, "techniques.sgd.learning_rate=0")[0].startswith(
        "--set: techniques.sgd.learning_rate: expected"
    )


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("techniques.nonsense=on", "--set: techniques.nonsense: unknown technique 'nonsense'"),
        ("train.nonsense.deep=3", "--set: train.nonsense: unknown key 'nonsense'"),
        ("dta.source=digits", "--set: dta: unknown key 'dta'; did you mean 'data'?"),
        ("techniques.adamw=on", "--set: techniques.sgd: adamw and sgd are both on"),
        ("techniques.sgd=off", "--set: techniques: no optimizer"),
        ("data.source=folder", "--set: data.path: missing"),
    ],
)
def test_what_an_override_breaks_elsewhere_is_not_laid_at_the_files_door(override: str, line: str) -> None:
    (found,) = problems(GOOD, override)
    assert found.startswith(line)


def test_what_is_wrong_with_the_file_anyway_keeps_its_line_beside_a_mistaken_override() -> None:
    bad = GOOD + "[techniques.nonsense]\n"
    found = problems(bad, "techniques.adamw=on")
    assert any(line.startswith("--set: techniques.sgd: ") for line in found)
    line = bad.splitlines().index("[techniques.nonsense]") + 1
    assert any(f":{line}: techniques.nonsense: unknown technique" in each for each in found)
    assert len(found) == 2


def test_techniques_are_switched_on_and_off_by_a_word() -> None:
    recipe = read_recipe(GOOD, overrides=["techniques.cosine=on", "techniques.batch_norm=true"])
    assert recipe.on("cosine")
    assert recipe.on("batch_norm")
    off = read_recipe(GOOD, overrides=["techniques.sgd=off", "techniques.adamw=on"])
    assert [t.name for t in off.active()] == ["adamw"]
    assert off.techniques["sgd"].learning_rate == 0.1  # type: ignore[attr-defined]


def test_conflicts_come_together_with_mistyped_keys() -> None:
    text = GOOD.replace('name = "cnn"', 'name = "resnet"\nblocks = [3, 3]') + "nesterov = 1\n[techniques.adamw]\n"
    found = problems(text)
    assert len(found) == 3
    assert "techniques.sgd.nesterov: expected true or false" in found[0]
    assert any("both on" in line for line in found)
    assert any("model.blocks: expected as many entries as channels" in line for line in found)


def test_a_plugin_that_a_recipe_needs_is_asked_for_not_loaded() -> None:
    (line,) = problems('plugins = ["mine.py"]\n' + GOOD)
    assert line == "r.toml:1: plugins: needs the plugin 'mine.py': pass --plugin mine.py"


def test_the_difference_of_two_recipes_is_short() -> None:
    before = read_recipe(GOOD)
    after = read_recipe(GOOD, overrides=["techniques.step_decay.every=3", "train.epochs=20"])
    assert [str(c) for c in difference(before, after)] == [
        "train.epochs: 10 → 20",
        "techniques.step_decay: — → on",
        "techniques.step_decay.every: — → 3",
        "techniques.step_decay.factor: — → 0.5",
    ]


# ---- properties --------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        *("name", "seed", "format", "plugins", "data", "model", "train", "techniques", "expect", "sgd", "cosine"),
        *("enabled", "cnn", "resnet", "digits", "loader", "learning_rate"),
        *Data.model_fields,
        *Train.model_fields,
        *Expect.model_fields,
    ]
)
VALUES = st.recursive(
    st.one_of(
        st.integers().map(str),
        st.floats().map(str),
        WORDS.map(lambda word: f'"{word}"'),
        st.sampled_from(
            ["true", "false", "1" + "0" * 400, "-1" + "0" * 5000, "1979-05-27", '"\\u0000"', "{}", '"""a\nb"""']
        ),
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda values: f"[{', '.join(values)}]"),
    max_leaves=4,
)


@st.composite
def toml_like(draw: st.DrawFn) -> str:
    """Texts that are often almost a recipe."""
    lines = []
    for _ in range(draw(st.integers(0, 8))):
        if draw(st.booleans()):
            lines.append("[" + ".".join(draw(st.lists(WORDS, min_size=1, max_size=3))) + "]")
        else:
            lines.append(f"{draw(WORDS)} = {draw(VALUES)}")
    return "\n".join(lines)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(max_size=200), toml_like()), st.lists(st.text(max_size=20), max_size=2))
def test_any_text_is_a_recipe_or_a_recipe_error(text: str, overrides: list[str]) -> None:
    try:
        assert isinstance(read_recipe(text, "x", overrides), Recipe)
    except RecipeError as error:
        assert error.problems
        assert str(error)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 10_000,
        "x = " + "[" * 10_000,
        "seed = 1" + "0" * 5_000,
        "[train]\nepochs = 1" + "0" * 400,
        "[techniques]\nself = 3\n[train]\nself = 1\n[data]\n__class__ = 2",
        "[data]\nsource = 3\n[model]\nname = []",
        "\x00",
        "[model]\nwidths = [[1]]",
        "[[train]]\nepochs = 3",
    ],
)
def test_hostile_texts_are_recipe_errors(text: str) -> None:
    with pytest.raises(RecipeError):
        read_recipe(text)


def _value(parameter: Parameter, spec: type[Spec]) -> st.SearchStrategy[object]:
    """Values that may or may not fit a parameter; those that the card refuses are filtered out by the caller."""
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    return {
        "switch": st.booleans(),
        "integer": st.integers(1, 60),
        "number": st.floats(0, 1, allow_nan=False).map(lambda x: x or 0.5),
        "text": st.text(max_size=12),
        "list": st.lists(st.integers(1, 64), min_size=3, max_size=3),
    }[parameter.kind]


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    """Well-formed recipes (not always trainable) with random techniques and parameters."""

    def table(kind: type) -> dict[str, object]:
        values: dict[str, object] = {}
        for name, parameter in parameters(kind).items():
            if parameter.required or draw(st.booleans()):
                value = draw(_value(parameter, kind))
                try:
                    kind(**{name: value})
                except ValueError:
                    continue
                values[name] = value
        return values

    tables: dict[str, object] = {
        "name": draw(st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,20}", fullmatch=True)),
        "about": draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=40)),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "data": table(Data) | {"source": "digits"},
        "train": table(Train),
        "model": {"name": (model := draw(st.sampled_from(["cnn", "resnet"])))} | table(MODELS[model]),
        "techniques": {
            spec.name: table(spec)
            for spec in TECHNIQUES
            if draw(st.booleans()) and not spec.__module__.startswith("tests")
        },
    }
    import tomli_w

    return read_recipe(tomli_w.dumps(tables), consistent=False)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(recipes())
def test_writing_and_reading_is_the_identity(recipe: Recipe) -> None:
    text = write_recipe(recipe)
    again = read_recipe(text, consistent=False)
    assert again == recipe
    assert write_recipe(again) == text
    assert difference(recipe, again, names=True) == []


def test_registries_have_what_the_packages_have() -> None:
    assert {"cnn", "resnet"} <= set(MODELS.names())
    assert {"cifar10", "folder", "digits"} <= set(SOURCES.names())
    assert {"he_init", "batch_norm", "residual", "sgd", "adamw", "cosine", "step_decay", "random_crop"} <= set(
        TECHNIQUES.names()
    )


@pytest.mark.parametrize(
    "mistake",
    [
        "sed = 3\n[model]\nname = 'cnn'\n",
        "seed = -1\n[model]\nname = 'cnn'\n",
        "name = 'two words'\n[model]\nname = 'cnn'\n",
        "plugins = ['gone.py']\n[model]\nname = 'cnn'\n",
        "[data]\nbatch_size = 0\n[model]\nname = 'cnn'\n",
        "[data]\nsource = 'cifar'\n[model]\nname = 'cnn'\n",
        "[model]\nname = 'cnn'\nwidth = [3]\n",
        "[model]\nname = 'cn'\n",
        "[model]\n",
        "[model]\nname = 'cnn'\n[train]\nepochs = 0\n",
        "[model]\nname = 'cnn'\n[expect]\nparameters = 0\n",
        "[model]\nname = 'cnn'\n[checks.fit]\nx = 1\n",
    ],
)
def test_what_cannot_stand_together_is_said_beside_any_other_mistake(mistake: str) -> None:
    clash = "[techniques.sgd]\n[techniques.adamw]\n[techniques.cosine]\n[techniques.step_decay]\n"
    more = "[techniques.swa]\n[techniques.ema]\n[techniques.adam]\nenabled = false\nbeta = 3\n"
    found = problems(mistake + clash + more)
    assert sum("adamw and sgd are both on" in line for line in found) == 1
    assert sum("cosine and step_decay are both on" in line for line in found) == 1
    assert sum("excludes" in line for line in found) >= 1
    assert sum("both on" not in line and "excludes" not in line for line in found) >= 2  # the mistake, and adam's


def test_what_depends_on_values_waits_for_them() -> None:
    wrong = (
        "[model]\nname = 'cnn'\n[train]\nepochs = 'ten'\n[techniques.sgd]\n[techniques.cosine]\nwarmup_epochs = 15\n"
    )
    assert [line.split(": ")[1] for line in problems(wrong)] == ["train.epochs"]  # 15 may be less than what is meant
    nobody = "[model]\nname = 'cn'\n[techniques.sgd]\n[techniques.progressive_resizing]\n"
    assert [line.split(": ")[1] for line in problems(nobody)] == ["model.name"]  # which model has which capability?
    cnn = "[model]\nname = 'cnn'\nx = 1\n[techniques.sgd]\n[techniques.progressive_resizing]\n"
    assert any("which 'cnn' has not" in line for line in problems(cnn))


def test_a_byte_order_mark_is_no_part_of_a_recipe() -> None:
    assert read_recipe("\ufeff" + GOOD.lstrip()) == read_recipe(GOOD)
    assert problems("\ufeff[model]\nname = 'cn'\n[techniques.sgd]\n")[0].startswith("r.toml:2: model.name")
    assert problems("\ufeff[mdel]\n[techniques.sgd]\n")[0].startswith("r.toml:1: mdel: unknown key")


@pytest.mark.parametrize(
    ("value", "instead"),
    [
        (".05", "say 0.05"),
        ("-.5", "say -0.5"),
        ("5.", "say 5.0"),
        ("+.1e-3  # half", "say +0.1e-3"),
        ("1.e3", "say 1.0e3"),
        ("True", "say true"),
        ("yes", "say true"),
        ("off", "say false"),
        ("None", "leave the key out"),
        ("fast", 'put texts in quotes: "fast"'),
    ],
)
def test_what_toml_writes_in_another_way_is_said(value: str, instead: str) -> None:
    (line,) = problems(f"[techniques.sgd]\nlearning_rate = {value}\n")
    assert line.startswith("r.toml:2: not readable as TOML: ") and line.endswith(f"; {instead}")


def test_the_same_on_the_command_line() -> None:
    (line,) = problems(GOOD, "techniques.sgd.learning_rate=.05")
    assert line.endswith("found '.05'; say 0.05")
    (line,) = problems(GOOD, "techniques.sgd.learning_rate=fast")
    assert line.endswith("found 'fast'")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[techniques.sgd]\nlr = 1.0\n", "unknown key 'lr'; did you mean 'learning_rate'?"),
        ("[techniques.sgd]\nwd = 1.0\n", "unknown key 'wd'; did you mean 'weight_decay'?"),
        ("[data]\nbs = 3\n", "unknown key 'bs'; did you mean 'batch_size'?"),
        ("[data]\nnum_workers = 3\n", "unknown key 'num_workers'; did you mean 'workers'?"),
        ("[data]\ndataset = 'cifar10'\n", "unknown key 'dataset'; did you mean 'source'?"),
        ("[train]\nepoch = 3\n", "unknown key 'epoch'; did you mean 'epochs'?"),
        ("[train]\nmax_epochs = 3\n", "unknown key 'max_epochs'; did you mean 'epochs'?"),
        ("[train]\nbs = 3\n", "unknown key 'bs'; 'batch_size' belongs in [data]"),
        ("epochs = 3\n", "unknown key 'epochs'; it belongs in [train]"),
        ("epoch = 3\n", "unknown key 'epoch'; 'epochs' belongs in [train]"),
        ("bs = 3\n", "unknown key 'bs'; 'batch_size' belongs in [data]"),
        ("LR = 3\n", "'learning_rate' belongs in [techniques.adam] or [techniques.adamw]"),
        ("[techniques.cosine]\nwarmup = 3\n", "unknown key 'warmup'; did you mean 'warmup_epochs'?"),
        ("[techniques.amp]\n", "unknown technique 'amp'; did you mean 'mixed_precision'?"),
        ("[techniques.flip]\n", "unknown technique 'flip'; did you mean 'horizontal_flip'?"),
        ("[techniques.clip]\n", "unknown technique 'clip'; did you mean 'gradient_clipping'?"),
    ],
)
def test_what_other_programs_call_it_gets_its_name_here(text: str, hint: str) -> None:
    assert hint in "\n".join(problems(text))


def test_every_synonym_stands_for_something() -> None:
    fields = {"seed", "name", *Data.model_fields, *Train.model_fields}
    for registry in (MODELS, SOURCES, TECHNIQUES):
        fields |= {field for spec in registry for field in spec.model_fields}
    assert set(synonyms.KEYS.values()) <= fields
    words = [word for technique in TECHNIQUES for word in technique.synonyms]
    assert words and len(words) == len(set(words))
    assert not set(words) & set(TECHNIQUES.names())


@pytest.mark.parametrize(
    "text",
    [
        ".".join("a" * 50_000) + " = 1\n",
        "[" + ".".join("a" * 50_000) + "]\n",
        "x = {" + ".".join("a" * 50_000) + " = 1}\n",
        "y = 1\n" + " " * 50_000 + "\n",
        "y = [\n[" + " " * 50_000 + "0],\n]\n",
        "y = 1" + " " * 50_000 + "x'\n",
        "\t " * 50_000 + "y = 1\n",
    ],
    ids=["key", "header", "inline table", "white space", "list", "no value", "before a key"],
)
def test_no_text_takes_minutes_to_read(text: str) -> None:
    began = time.process_time()
    assert problems(text + GOOD)
    assert time.process_time() - began < 5


def test_a_name_in_other_letters_is_meant() -> None:
    assert problems(GOOD + "[techniques.AdamW]\n[techniques.SWA]\n") == [
        "r.toml:7: techniques.AdamW: unknown technique 'AdamW'; did you mean 'adamw'?",
        "r.toml:8: techniques.SWA: unknown technique 'SWA'; did you mean 'swa'?",
    ]


def test_a_list_says_how_many_it_takes() -> None:
    many = "a list in brackets, 1 to 12 long"
    assert problems(GOOD.replace('"cnn"', '"cnn"\nwidths = []')) == [
        f"r.toml:5: model.widths: expected {many}, found []"
    ]
    assert problems(GOOD.replace('"cnn"', '"cnn"\nwidths = ' + str([8] * 13)))[0].startswith(
        f"r.toml:5: model.widths: expected {many}, found [8, 8, "
    )


def test_a_table_that_is_there_twice_is_called_by_its_name() -> None:
    assert problems(GOOD + "[model]\n") == ["r.toml:7: not readable as TOML: Cannot declare 'model' twice"]
    assert "'techniques.sgd'" in problems(GOOD + "[techniques.sgd]\n")[0]
