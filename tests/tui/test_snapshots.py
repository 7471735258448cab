"""Pictures of the screens, in ``snapshots/``. Nothing in them depends on the clock, the machine or the folder.

After a wanted change: ``pytest tests/tui/test_snapshots.py --snapshot-update``, and look at them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.tui.conftest import AppFactory
from tests.tui.fakes import CHECKS, NOW, history, started, trained, written
from tests.tui.test_compose import TestPilot, go_to, line
from tests.tui.test_run import head
from tests.waiting import until
from workbench.events import Diverged, Event
from workbench.recipe import Recipe
from workbench.recipe.registries import TECHNIQUES
from workbench.runs.store.status import Stage, read_status, write_status
from workbench.tui.app.workbench import Workbench

SMALL, LARGE = (80, 24), (160, 48)
RUN = Path("runs") / "20261120-142501-small-3f9c"

Before = Callable[[TestPilot], Awaitable[None]]
Compare = Callable[..., bool]

IN_THE_PICTURES = """
    he_init xavier activation batch_norm blurpool dropout dropout2d logit_scale residual squeeze_excite stochastic_depth
    adam adamw muon sgd constant cosine one_cycle piecewise_linear step_decay autoaugment color_jitter cutmix cutout
    horizontal_flip mixup randaugment random_crop random_erasing random_rotation trivial_augment label_smoothing ema
    lookahead swa gradient_clipping sam channels_last freeze_layers half_weights loss_sum mixed_precision
    progressive_resizing test_time_augmentation
"""


@pytest.fixture(autouse=True)
def only_these_techniques(monkeypatch: pytest.MonkeyPatch) -> None:
    """A technique that is added later shall not change the pictures."""
    known = {spec.name: spec for spec in TECHNIQUES}
    monkeypatch.setattr(TECHNIQUES, "_specs", {name: known[name] for name in IN_THE_PICTURES.split()})


def after(*keys: str, place: str = "techniques.sgd") -> Before:
    """Wait for the preview, put the cursor somewhere, press keys, wait for the preview again."""

    async def prepare(pilot: TestPilot) -> None:
        app = pilot.app
        assert isinstance(app, Workbench)
        await until(pilot, lambda: "expected 2.398" in line(app))
        await go_to(pilot, place)
        await pilot.press(*keys)
        await until(pilot, lambda: "conflicts" in app.preview.picture.note or app.preview.picture.checks is not None)
        await pilot.pause()

    return prepare


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
def test_compose(snap_compare: Compare, make_app: AppFactory, size: tuple[int, int]) -> None:
    assert snap_compare(make_app(preview=True), terminal_size=size, run_before=after())


def test_compose_preview(snap_compare: Compare, make_app: AppFactory) -> None:
    assert snap_compare(make_app(preview=True), terminal_size=SMALL, run_before=after("v"))


def test_compose_conflict(snap_compare: Compare, make_app: AppFactory) -> None:
    before = after("space", "v", "v", place="techniques.adamw")
    assert snap_compare(make_app(preview=True), terminal_size=SMALL, run_before=before)


def test_form(snap_compare: Compare, make_app: AppFactory) -> None:
    async def mistyped(pilot: TestPilot) -> None:
        await after("enter", "backspace", "minus")(pilot)
        pilot.app.focused.cursor_blink = False  # type: ignore[union-attr]
        await pilot.pause()

    assert snap_compare(make_app(preview=True), terminal_size=SMALL, run_before=mistyped)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
def test_run(snap_compare: Compare, make_app: AppFactory, recipe: Recipe, size: tuple[int, int]) -> None:
    app = make_app(watch=written(RUN, recipe, history(150)), now=lambda: NOW - 70)

    async def read(pilot: TestPilot) -> None:
        await until(pilot, lambda: "step 150" in head(app))
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=read)


def test_run_diverged(snap_compare: Compare, make_app: AppFactory, recipe: Recipe) -> None:
    reason = "the output of 'block3.0' is not finite at step 60 (epoch 3); lower the learning rate or clip gradients"
    events: list[Event] = [
        started(),
        *CHECKS,
        *[trained(step) for step in range(5, 60, 5)],
        trained(60, loss=float("nan")),
    ]
    events.append(Diverged(time=NOW - 80, step=60, what="loss", layer="block3.0", indices=(5, 9), reason=reason))
    app = make_app(watch=written(RUN, recipe, events, "diverged"), now=lambda: NOW)

    async def read(pilot: TestPilot) -> None:
        await until(pilot, lambda: "diverged" in head(app))
        await pilot.pause()

    assert snap_compare(app, terminal_size=SMALL, run_before=read)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x48"])
def test_run_loading(snap_compare: Compare, make_app: AppFactory, recipe: Recipe, size: tuple[int, int]) -> None:
    run = written(RUN, recipe, [started(), CHECKS[0]])
    status = read_status(run)
    assert status is not None
    begun = (("torch", 8.0), ("data", 5.6), ("network", 3.9), ("threads", 3.6), ("checks", 3.5))
    write_status(run, replace(status, stages=tuple(Stage(name, NOW - ago) for name, ago in begun)))
    app = make_app(watch=run, now=lambda: NOW)

    async def read(pilot: TestPilot) -> None:
        await until(pilot, lambda: "checking" in head(app))
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=read)


def test_run_nothing(snap_compare: Compare, make_app: AppFactory) -> None:
    async def show(pilot: TestPilot) -> None:
        await pilot.press("2")
        await pilot.pause()

    assert snap_compare(make_app(), terminal_size=SMALL, run_before=show)
