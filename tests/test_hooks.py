"""Every hook is called where the picture of the training shows it, and an error in any of them names its technique."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tests.checks.conftest import feeding, small_digits
from workbench.control import Control
from workbench.engine.backend import backend
from workbench.engine.build import BuildError, build
from workbench.engine.train import train
from workbench.events import Finished
from workbench.hooks import HookError, Hooks, SingleHook
from workbench.precision import Precision
from workbench.recipe import Recipe, read_recipe
from workbench.registered import TechniqueError
from workbench.techniques.sgd import SGD

HOOKS = dict(Hooks().every())
DO_NOTHING: dict[str, Callable[..., Any]] = {
    "model_options": lambda options: options,
    "model_edits": lambda model: model,
    "initialisation": lambda model, sample: None,
    "precision": lambda device: Precision(),
    "memory_format": lambda thing: thing,
    "optimizer": lambda model: torch.optim.SGD(model.parameters(), lr=0.01),
    "optimizer_edits": lambda optimizer, model: None,
    "built": lambda model, optimizer: None,
    "epoch_start": lambda epoch, model: None,
    "image_augmentation": lambda images, rng: images,
    "normalise": lambda images: images / 255,
    "tensor_augmentation": lambda images, rng: images,
    "resize": lambda images, context: images,
    "target_mixing": lambda images, targets, rng: (images, targets),
    "schedule": lambda context: 1.0,
    "gradient": lambda compute, model: lambda images, targets: compute(images, targets),
    "criterion": cross_entropy,
    "objective": lambda loss: loss,
    "gradient_edits": lambda parameters: None,
    "after_step": lambda context, skip: None,
    "evaluation_weights": lambda model: nullcontext(),
    "prediction": lambda predict: lambda images: predict(images),
    "finish": lambda images: None,
}


def recipe() -> Recipe:
    text = """
        [data]
        source = "digits"
        batch_size = 16
        [train]
        epochs = 2
        [techniques.sgd]
    """
    return feeding(read_recipe(text), small_digits(32, 16))


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, functions: dict[str, Callable[..., Any]]) -> bool:
    """Train with these functions, registered by the technique "sgd"; whether to the end."""

    def register(technique: SGD, build: Any) -> None:
        for name, function in functions.items():
            getattr(build.hooks, name).add(function)

    monkeypatch.setattr(SGD, "register", register)
    with backend(wanted := recipe()):
        made = build(wanted, "cpu", folder)
        try:
            return any(isinstance(event, Finished) for event in train(made, Control()))
        finally:
            made.close()


def test_the_picture_shows_every_hook_in_the_order_of_the_first_calls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    called: list[str] = []

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            called.append(name)
            return function(*arguments)

        return call

    assert run(monkeypatch, tmp_path, {name: noted(name, DO_NOTHING[name]) for name in HOOKS})
    first = list(dict.fromkeys(called))
    picture = re.findall(r"\b(\w+)\(", (Hooks.__doc__ or "").split("::\n")[1].split("Each function knows")[0])
    shown = list(dict.fromkeys(name for name in picture if name in HOOKS))
    assert set(shown) == set(first) == set(HOOKS)
    # the network is made once more before, without memory, to see that it fits
    assert shown == first


def breaks(*arguments: Any) -> Any:
    raise ZeroDivisionError("of its own")


@contextmanager
def breaks_when_it_is_left() -> Any:
    yield
    breaks()


LATER = {
    "gradient, when it computes": ("gradient", lambda compute, model: breaks),
    "prediction, when it predicts": ("prediction", lambda predict: breaks),
    "evaluation_weights, when it is left": ("evaluation_weights", lambda model: breaks_when_it_is_left()),
    "optimizer, when it steps": ("optimizer", lambda model: Breaks(model.parameters(), lr=0.1)),
}


class Breaks(torch.optim.SGD):
    def step(self, closure: Any = None) -> None:
        breaks()


@pytest.mark.parametrize("where", [*HOOKS, *LATER])
def test_an_error_names_the_technique_and_its_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str) -> None:
    name, function = LATER.get(where, (where, breaks))
    optimizer = {} if name == "optimizer" else {"optimizer": DO_NOTHING["optimizer"]}
    with pytest.raises(TechniqueError) as caught:
        run(monkeypatch, tmp_path, {**optimizer, name: function})
    line = breaks.__code__.co_firstlineno + 1
    assert str(caught.value) == f"techniques.sgd: ZeroDivisionError in {Path(__file__).name}:{line}: of its own"


@pytest.mark.parametrize("name", ["gradient", "prediction"])
def test_an_error_of_the_networks_is_not_that_of_a_technique_which_calls_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    def broken(module: nn.Module, inputs: object) -> None:
        if module.training is (name == "gradient"):
            breaks()

    def edit(model: nn.Module) -> nn.Module:
        model.register_forward_pre_hook(broken)
        return model

    with pytest.raises(ZeroDivisionError):
        functions = {each: DO_NOTHING[each] for each in ("optimizer", name)}
        run(monkeypatch, tmp_path, {**functions, "model_edits": edit})


def test_a_function_that_cannot_be_called_is_told_what_the_hook_gives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def after(context: object) -> None:
        raise AssertionError

    with pytest.raises(TechniqueError, match=rf"TypeError in {Path(__file__).name}:\d+: .* \(the hook: .*skip: scalar"):
        run(monkeypatch, tmp_path, {"optimizer": DO_NOTHING["optimizer"], "after_step": after})


def test_what_is_short_of_memory_or_lost_is_no_techniques_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for error in (torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("CUDA error: unspecified launch failure")):

        def objective(loss: object, error: Exception = error) -> object:
            raise error

        with pytest.raises(RuntimeError) as caught:
            run(monkeypatch, tmp_path, {"optimizer": DO_NOTHING["optimizer"], "objective": objective})
        assert caught.value is error


def test_a_hook_that_takes_one_refuses_a_second() -> None:
    for name, hook in Hooks().every():
        hook.add(breaks, name="first")
        if isinstance(hook, SingleHook):
            with pytest.raises(HookError, match=f"'first' and 'second' both register at the hook '{name}'"):
                hook.add(breaks, name="second")
        else:
            hook.add(breaks, rank=-1, name="second")
            assert [each.name for each in hook] == ["second", "first"]


def test_plugins_of_earlier_versions_register_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They lie beside runs that go on; some hooks had other names, or were not given the model."""
    called: list[str] = []

    def register(technique: SGD, build: Any) -> None:
        build.add("optimizer", DO_NOTHING["optimizer"])
        build.add("prepared", lambda model, optimizer: called.append("prepared"))
        build.add("epoch start", lambda epoch: called.append("epoch start"))
        build.add("gradient", lambda compute: lambda images, targets: compute(images, targets))
        build.add("after step", lambda moment, skip: called.append("after step"), rank=5)
        build.keep("mine", torch.nn.Linear(1, 1))

    monkeypatch.setattr(SGD, "register", register)
    with backend(wanted := recipe()):
        made = build(wanted, "cpu", tmp_path)
        assert list(made.in_checkpoints) == ["mine"]
        assert isinstance(list(train(made, Control()))[-1], Finished)
        made.close()
    assert set(called) == {"prepared", "epoch start", "after step"} and called[0] == "prepared"
    monkeypatch.setattr(SGD, "register", lambda technique, build: build.add("no such place", breaks))
    with pytest.raises(BuildError, match="'sgd' registers at 'no such place', which is no hook"):
        build(recipe(), "cpu", tmp_path)
