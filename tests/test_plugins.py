"""A user's own technique, model and data source, from one file, without a change to the workbench."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.waiting import GIVE_UP

PLUGIN = '''
"""A plugin with one card of each kind."""

from pathlib import Path

from workbench.data.base import DataSet, Source
from workbench.models.base import Model
from workbench.recipe.specs import parameter
from workbench.techniques.base import Technique


class Negative(Technique):
    """Show every image as its negative."""

    name = "negative"
    group = "augmentation"
    strength: float = parameter(1.0, ge=0, le=1, description="share of the way to the negative")

    def register(self, build):
        build.hooks.image_augmentation.add(self._negative)

    def _negative(self, images, draws):
        import torch

        return torch.lerp(images.float(), 255 - images.float(), self.strength).round().to(torch.uint8)


class Linear(Model):
    """One linear layer on the pixels."""

    name = "linear"

    def build(self, image_shape, classes, options):
        from torch import nn

        channels, height, width = image_shape
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, classes))


class Stripes(Source):
    """Two classes: horizontal and vertical stripes, with noise."""

    name = "stripes"
    count: int = parameter(256, ge=8, description="images of each split")

    def load(self, root: Path, report=lambda message: None) -> DataSet:
        import torch

        from workbench.data.splits import ArraySplit

        def split(seed):
            generator = torch.Generator().manual_seed(seed)
            labels = torch.arange(self.count) % 2
            wave = (torch.arange(8) % 2 * 200).float()
            horizontal = wave[:, None].expand(8, 8)
            images = torch.where(labels.bool()[:, None, None], horizontal, horizontal.T)
            noisy = images + torch.rand(self.count, 8, 8, generator=generator) * 55
            return ArraySplit(noisy.to(torch.uint8)[:, None].repeat(1, 3, 1, 1), labels)

        return DataSet(split(0), split(1), ("vertical", "horizontal"), (3, 8, 8))
'''

RECIPE = """
name = "own"
plugins = ["own.py"]

[data]
source = "stripes"
batch_size = 32
count = 128

[model]
name = "linear"

[train]
epochs = 3

[techniques.sgd]
learning_rate = 0.01

[techniques.negative]
strength = 0.25
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(textwrap.dedent(PLUGIN))
    (tmp_path / "own.toml").write_text(RECIPE)
    return tmp_path


def workbench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workbench", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=GIVE_UP)


def test_a_recipe_runs_with_its_plugin_and_the_run_keeps_the_source(folder: Path) -> None:
    done = workbench(folder, "run", "own.toml", "--plugin", "own.py", "--json", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["classes"] == ["vertical", "horizontal"]
    assert events[-1]["kind"] == "finished"
    assert events[-1]["test_accuracy"] > 0.95
    (run,) = (folder / "runs").iterdir()
    kept = [path for path in run.rglob("*own*.py") if path.read_text() == textwrap.dedent(PLUGIN)]
    assert kept


def test_a_recipe_never_loads_a_plugin_by_itself(folder: Path) -> None:
    done = workbench(folder, "run", "own.toml", "--device", "cpu")
    assert done.returncode == 2
    assert "unknown technique 'negative'" in done.stderr
    assert "unknown model 'linear'" in done.stderr
    assert "unknown data source 'stripes'" in done.stderr
    assert "--plugin own.py" in done.stderr


def test_a_plugins_card_is_shown_like_any_other(folder: Path) -> None:
    done = workbench(folder, "techniques", "negative", "--plugin", "own.py")
    assert done.returncode == 0, done.stderr
    assert "Show every image as its negative." in done.stdout
    assert "strength" in done.stdout


def test_a_broken_plugin_is_one_line(folder: Path) -> None:
    (folder / "broken.py").write_text("import nothing_of_this_name\n")
    done = workbench(folder, "techniques", "--plugin", "broken.py")
    assert done.returncode == 2
    assert "ModuleNotFoundError" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_technique_that_breaks_is_named_before_the_run(folder: Path) -> None:
    (folder / "own.py").write_text(textwrap.dedent(PLUGIN).replace("255 - images.float()", "images.nope()"))
    done = workbench(folder, "check", "own.toml", "--plugin", "own.py", "--device", "cpu")
    assert done.returncode == 1
    assert done.stderr.startswith("techniques.negative: AttributeError in own.py:")
    assert "Traceback" not in done.stderr


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


BUILD, LOAD = "build(self, image_shape, classes, options) -> nn.Module", "load(self, root, report) -> DataSet"
FORWARD = "forward(self, images [N, 3, 8, 8]) -> logits [N, 2]"


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("def register(self, build):", "def register(self):", "techniques.negative: TypeError in own.py:{}: "),
        (
            "def build(self, image_shape, classes, options):",
            "def build(self):",
            "model.linear: TypeError in own.py:{}: ",
        ),
        (
            "height, width = image_shape",
            "height = image_shape",
            "model.linear: ValueError in own.py:{}: too many",
        ),
        ("root: Path, report=lambda message: None)", "x)", "data.stripes: TypeError in own.py:{}: "),
        ("noisy.to(torch.uint8)", "noisy", "data.stripes: ValueError in own.py:{}: images must be uint8 [N, C, H, W]"),
        ("return DataSet(split(0)", "return (split(0)", "data.stripes: own.py:46 gives tuple and not DataSet"),
        ("width, classes))", "width, 7))", "model.linear: forward of 2 images gives [2, 7]"),
        ("Linear(channels", "Linear(2 + channels", "model.linear: RuntimeError in its call: "),
    ],
)
def test_a_part_that_is_at_fault_is_named_with_its_line_and_its_signature(
    folder: Path, right: str, wrong: str, said: str
) -> None:
    text = textwrap.dedent(PLUGIN)
    assert right in text
    (folder / "own.py").write_text(text.replace(right, wrong))
    done = workbench(folder, "check", "own.toml", "--plugin", "own.py", "--device", "cpu")
    assert done.returncode == 1
    assert done.stderr.startswith(said.format(line_of(text, right)))
    signature = {"model": FORWARD if "forward" in said or "its call" in said else BUILD, "data": LOAD}
    assert f"(expected: {signature.get(said.partition('.')[0], 'register(self, build) -> None')})" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_plugin_that_breaks_while_it_is_loaded_says_its_line(folder: Path) -> None:
    (folder / "broken.py").write_text("\n\nimport nothing_of_this_name\n")
    (folder / "unclear.py").write_text("\ndef f()\n")
    assert "broken.py:3: ModuleNotFoundError" in workbench(folder, "techniques", "--plugin", "broken.py").stderr
    assert "unclear.py:2: SyntaxError: expected ':'" in workbench(folder, "techniques", "--plugin", "unclear.py").stderr


def test_a_script_that_exits_while_it_is_loaded_is_no_silent_end(folder: Path) -> None:
    (folder / "own.py").write_text("import argparse\n\nargparse.ArgumentParser(prog='own').parse_args()\n")
    done = workbench(folder, "check", "own.toml", "--plugin", "own.py")
    assert done.returncode == 2
    assert f"plugin {folder / 'own.py'}: it calls sys.exit(2) while it is loaded; put what a script" in done.stderr


def test_two_cards_of_one_name_are_refused(folder: Path) -> None:
    taken = PLUGIN.replace('name = "negative"', 'name = "horizontal_flip"')
    (folder / "own.py").write_text(textwrap.dedent(taken))
    done = workbench(folder, "techniques", "--plugin", "own.py")
    assert done.returncode == 2
    assert "two techniques are called 'horizontal_flip'" in done.stderr


def test_entry_points_are_found(tmp_path: Path) -> None:
    (tmp_path / "own_package.py").write_text(textwrap.dedent(PLUGIN))
    info = tmp_path / "own_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[workbench.techniques]\nnegative = own_package:Negative\n"
        "[workbench.models]\nlinear = own_package:Linear\n[workbench.data]\nstripes = own_package:Stripes\n"
    )
    found = "print('negative' in TECHNIQUES, 'linear' in MODELS, 'stripes' in SOURCES)"
    code = f"from workbench.recipe.registries import *; {found}"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    assert done.stdout.strip() == "True True True", done.stderr
