"""What the preview pane knows at the moment."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.preview.protocol import Checks, PreviewRequest, Refused, Reply, Samples, Stage, Static
from workbench.recipe import Recipe, write_recipe
from workbench.recipe.schema import to_tables
from workbench.tui.compose.preview_client import PreviewEnded

VISIBLE_GROUPS = ("augmentation", "precision and speed")
"""Groups of techniques that can change what an image looks like before the network."""


@dataclass(frozen=True)
class Picture:
    """The newest answers.

    stale: static belongs to an earlier version; checks_stale: so do the checks. note says what is going on.
    """

    static: Static | None = None
    checks: Checks | None = None
    baseline: Static | None = None
    samples: Samples | None = None
    error: str = ""
    samples_error: str = ""
    note: str = "the preview process is starting…"
    stale: bool = True
    checks_stale: bool = True


class PreviewState:
    """Asks for previews of the recipe being composed, and once for the recipe as loaded, to count changes against.

    ``roll`` is the epoch whose draws the samples have.
    """

    def __init__(self, ask: Callable[[PreviewRequest], None], plugins: tuple[str, ...], data_root: Path) -> None:
        self._ask = ask
        self._plugins = plugins
        self._data_root = str(data_root)
        self._numbers = itertools.count(1)
        self._ids: dict[Stage, int] = {}
        self._recipe: Recipe | None = None
        self._loaded: Recipe | None = None
        self._baseline_of: Recipe | None = None
        self._trainable = False
        self._room = (0, 0, True)
        self._sampled: object = None
        self.roll = 0
        self.picture = Picture()

    def look_at(self, recipe: Recipe, loaded: Recipe, trainable: bool) -> None:
        """The recipe is now this; without ``trainable`` it is not built."""
        if loaded is not self._loaded:
            self._loaded = loaded
            self.picture = replace(self.picture, baseline=None)
        self._recipe, self._trainable = recipe, trainable
        self.picture = replace(self.picture, stale=True, checks_stale=True, error="")
        if trainable:
            self.picture = replace(self.picture, note=self.picture.note or "looking…")
            self._send("static", recipe)
            self._send("checks", recipe)
        else:
            self._ids.clear()  # replies on their way are void
            self._sampled = None
            self.picture = replace(self.picture, note="conflicts: there is nothing to preview")
            self._ask_baseline()
        self._ask_samples()

    def room_for_samples(self, count: int, side: int, enlarge: bool = True) -> None:
        """How many images of how many pixels a side can be shown; none while nobody can see them.

        enlarge: images with fewer pixels get as many; else whoever shows them does that.
        """
        self._room = (count, side, enlarge)
        self._ask_samples()

    def roll_again(self) -> None:
        """Another draw of the augmentations."""
        self.roll += 1
        self._ask_samples()

    def hear(self, reply: Reply | PreviewEnded) -> bool:
        """Take a reply; False if it changes nothing."""
        if isinstance(reply, PreviewEnded):
            text = _ending(reply)
            self.picture = replace(self.picture, error=text, note="", stale=True, checks_stale=True)
            self._sampled = None
            if self._recipe == self._loaded:
                self._baseline_of = self._loaded  # it may be what the process died of
            return True
        stage = next((stage for stage, number in self._ids.items() if number == reply.id), None)
        if stage is None:
            return False
        before = self.picture
        if isinstance(reply, Refused):
            self._refused(stage, reply.error)
        elif isinstance(reply, Samples):
            self.picture = replace(before, samples=reply, samples_error="")
        elif isinstance(reply, Checks):
            self.picture = replace(before, checks=reply, checks_stale=False, note="")
        elif stage == "baseline":
            self.picture = replace(before, baseline=reply)
        else:
            baseline = reply if self._recipe == self._loaded else before.baseline
            note = "running the network…" if before.checks_stale else ""
            self.picture = replace(before, static=reply, baseline=baseline, error="", note=note, stale=False)
            self._ask_baseline()
        return self.picture != before

    def _refused(self, stage: Stage, error: str) -> None:
        if stage == "samples":
            self.picture = replace(self.picture, samples=None, samples_error=error)
        elif stage != "baseline":  # without one, changes are not counted, and the recipe itself says what is wrong
            stale = self.picture.stale or stage == "static"
            self.picture = replace(self.picture, error=error, note="", stale=stale, checks=None)

    def _ask_baseline(self) -> None:
        """Once for each recipe: one that cannot be built is not asked about again and again."""
        if self.picture.baseline is not None or self._loaded is None or self._baseline_of is self._loaded:
            return
        if self._recipe != self._loaded:  # else the answer about the recipe itself is the baseline
            self._baseline_of = self._loaded
            self._send("baseline", self._loaded)

    def _ask_samples(self) -> None:
        """If anything changed that images show."""
        count, side, enlarge = self._room
        if self._recipe is None or not self._trainable or not count:
            return
        tables = to_tables(self._recipe)
        shown = [
            tables["techniques"][t.name] | {"": t.name} for t in self._recipe.active() if t.group in VISIBLE_GROUPS
        ]
        wanted = (tables["data"], tables["seed"], shown, self.roll, self._room)
        if wanted != self._sampled:
            self._sampled = wanted
            self._send("samples", self._recipe, count=count, side=side, enlarge=enlarge, roll=self.roll)

    def _send(self, stage: Stage, recipe: Recipe, **more: Any) -> None:
        self._ids[stage] = next(self._numbers)
        self._ask(
            PreviewRequest(
                id=self._ids[stage],
                stage=stage,
                recipe=write_recipe(recipe),
                data_root=self._data_root,
                plugins=self._plugins,
                **more,
            )
        )


def _ending(reply: PreviewEnded) -> str:
    how = f"signal {-reply.returncode}" if reply.returncode < 0 else f"code {reply.returncode}"
    why = f"{how}: {reply.words}" if reply.words else how
    if not reply.again:
        return f"the preview process cannot be started ({why}); training works without it"
    if reply.at_once:
        return f"the preview process ends as soon as it is started ({why}); training works without it"
    return f"the preview process ended ({why}) and was started again; change something to look again"
