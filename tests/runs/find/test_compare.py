from __future__ import annotations

from pathlib import Path

import pytest

from tests.runs.helpers import SMALL, bare_run
from workbench.recipe import RecipeError, read_recipe, save_recipe
from workbench.runs.find.catalog import Catalog, Entry
from workbench.runs.find.compare import METRICS, Facts, RecipeCache, changes, compare, in_few_words, metric_change
from workbench.runs.store.status import Status, write_status

CUTOUT = SMALL + "[techniques.cutout]\nsize = 4\n"


def words(before: str, after: str) -> str:
    return in_few_words(changes(read_recipe(before), read_recipe(after)))


def made(root: Path, name: str, text: str, **status: object) -> Entry:
    run = bare_run(root, name)
    save_recipe(read_recipe(text), run.recipe_file)
    write_status(run, Status("finished", **status))  # type: ignore[arg-type]
    return next(entry for entry in Catalog(root).refresh().entries if entry.name == name)


def test_a_difference_in_a_few_words() -> None:
    assert words(SMALL, SMALL.replace("seed = 3", "seed = 4")) == ""
    assert words(SMALL, SMALL.replace("epochs = 1", "epochs = 1\nthreads = 2")) == ""
    assert words(SMALL, SMALL.replace("epochs = 1", 'epochs = 1\ncompile = "off"')) == ""
    assert words(SMALL, SMALL.replace("epochs = 1", 'epochs = 1\ncompile = "max"')) == "compile auto→max"
    assert words(SMALL, CUTOUT) == "+cutout"
    assert words(CUTOUT, SMALL) == "−cutout"
    assert words(CUTOUT, CUTOUT.replace("size = 4", "size = 6")) == "cutout.size 4→6"
    both = CUTOUT.replace("0.05", "0.1").replace("batch_size = 64", "batch_size = 32") + "[techniques.cosine]\n"
    assert words(SMALL, both) == "+cosine +cutout batch_size 64→32 sgd.learning_rate 0.05→0.1"
    resnet = SMALL.replace('"cnn"\nwidths = [8]\nhidden = [16]', '"resnet"')
    assert words(SMALL, resnet) == "model cnn→resnet"
    assert words(SMALL, SMALL.replace("[8]", "[8, 16]")) == "model.widths [8]→[8, 16]"


def test_a_technique_is_one_change_with_its_values() -> None:
    (change,) = changes(read_recipe(SMALL), read_recipe(CUTOUT))
    assert change.path == "techniques.cutout" and change.before == "—"
    assert str(change.after).startswith("placement ") and "size 4" in str(change.after)


def test_runs_are_compared_with_the_recipe_of_their_name_or_with_the_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "small.toml").write_text(SMALL)
    root = tmp_path / "runs"
    plain = made(root, "20261120-000000-small-0001", SMALL)
    cut = made(root, "20261120-000000-small-0002", CUTOUT.replace("seed = 3", "seed = 7"))
    other = made(root, "20261120-000000-unheard_of-0003", SMALL)
    recipes = RecipeCache()
    found = recipes.facts([plain, cut, other], None)
    assert found == {plain.name: Facts("", 3), cut.name: Facts("+cutout", 7), other.name: Facts("", 3)}
    found = recipes.facts([plain, cut], cut.run.recipe_file)
    assert found == {plain.name: Facts("−cutout", 3), cut.name: Facts("", 7)}
    (tmp_path / "recipes" / "small.toml").write_text(CUTOUT)
    assert recipes.facts([plain], None)[plain.name].words == "−cutout"  # the file has changed
    plain.run.recipe_file.write_text("name = ")
    assert recipes.facts([plain], None)[plain.name].problem


def test_several_runs_beside_the_first(tmp_path: Path) -> None:
    runs = [
        made(tmp_path, "a", CUTOUT, test_accuracy=0.9, seconds=100.0),
        made(tmp_path, "b", SMALL.replace("0.05", "0.1"), test_accuracy=0.95, seconds=150.0),
        made(tmp_path, "c", CUTOUT.replace("size = 4", "size = 6").replace("seed = 3", "seed = 4")),
    ]
    found = compare(runs, RecipeCache())
    assert dict(found.recipe) == {
        "seed": (3, 3, 4),
        "techniques.cutout": ("on", "—", "on"),
        "techniques.cutout.size": (4, "—", 6),
        "techniques.sgd.learning_rate": (0.05, 0.1, 0.05),
    }
    figures = {metric.name: values for metric, values in found.metrics}
    assert figures["test accuracy"] == (0.9, 0.95, None) and figures["training time"] == (100.0, 150.0, None)
    assert "test loss" not in figures
    runs[1].run.recipe_file.unlink()
    with pytest.raises(RecipeError):
        compare(runs, RecipeCache())


def test_differences_of_figures() -> None:
    metrics = {metric.name: metric for metric in METRICS}
    assert metric_change(metrics["test accuracy"], 0.9, 0.9142) == "+1.42"
    assert metric_change(metrics["test loss"], 0.5, 0.25) == "-0.2500"
    assert metric_change(metrics["training time"], 100.0, 150.0) == "+50 %"
    assert metric_change(metrics["images/s"], 0.0, 150.0) == ""
    assert metric_change(metrics["test accuracy"], None, 0.9) == ""
