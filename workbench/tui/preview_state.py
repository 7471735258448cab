"""What the preview pane knows at the moment."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.preview.protocol import Checks, Refused, Reply, Request, Static
from workbench.recipe import Recipe, write_recipe
from workbench.tui.preview_client import PreviewEnded


@dataclass(frozen=True)
class Picture:
    """The newest answers. ``stale``: they belong to an earlier version; ``note`` says what is going on."""

    static: Static | None = None
    checks: Checks | None = None
    baseline: Static | None = None
    error: str = ""
    note: str = "the preview process is starting…"
    stale: bool = True


class PreviewState:
    """Asks for previews of the recipe being composed, and once for the recipe as loaded, to count changes against."""

    def __init__(self, ask: Callable[[Request], None], plugins: tuple[str, ...], data_root: Path) -> None:
        self._ask = ask
        self._plugins = plugins
        self._data_root = str(data_root)
        self._ids = itertools.count(1)
        self._current = self._baseline = 0
        self._recipe: Recipe | None = None
        self._loaded: Recipe | None = None
        self._baseline_of: Recipe | None = None
        self._baseline_pending = False
        self.picture = Picture()

    def look_at(self, recipe: Recipe, loaded: Recipe, trainable: bool) -> None:
        """The recipe is now this; without ``trainable`` it is not built."""
        if loaded is not self._loaded:
            self._loaded = loaded
            self.picture = replace(self.picture, baseline=None)
        if self._baseline_pending:  # the question that follows pushes it out
            self._baseline_of, self._baseline_pending = None, False
        self._recipe = recipe
        if not trainable:
            self._current = next(self._ids)  # replies on their way are void
            self.picture = replace(self.picture, stale=True, error="", note="conflicts: there is nothing to preview")
            self._ask_baseline()
            return
        self._current = self._send(recipe)
        self.picture = replace(self.picture, stale=True, error="", note=self.picture.note or "looking…")

    def hear(self, reply: Reply | PreviewEnded) -> bool:
        """Take a reply; False if it changes nothing."""
        if isinstance(reply, PreviewEnded):
            how = f"signal {-reply.returncode}" if reply.returncode < 0 else f"code {reply.returncode}"
            text = f"the preview process ended ({how}) and was started again; change something to look again"
            if not reply.again:
                text = f"the preview process cannot be started ({how}); training works without it"
            self.picture = replace(self.picture, error=text, note="", stale=True)
            return True
        if reply.id == self._baseline:
            self._baseline_pending = False
            if isinstance(reply, Static):
                self.picture = replace(self.picture, baseline=reply)
            return True
        if reply.id != self._current:
            return False
        if isinstance(reply, Refused):
            self.picture = replace(self.picture, error=reply.error, note="", stale=True)
            self._ask_baseline()
        elif isinstance(reply, Static):
            same = self._recipe == self._loaded
            baseline = reply if same else self.picture.baseline
            self.picture = replace(
                self.picture,
                static=reply,
                checks=None,
                baseline=baseline,
                error="",
                note="running the network…",
                stale=False,
            )
        else:
            self.picture = replace(self.picture, checks=reply, note="")
            self._ask_baseline()
        return True

    def _ask_baseline(self) -> None:
        """Once for each recipe: one that cannot be built is not asked about again and again."""
        if self.picture.baseline is None and self._loaded is not None and self._baseline_of is not self._loaded:
            self._baseline_of, self._baseline_pending = self._loaded, True
            self._baseline = self._send(self._loaded, ("static",))

    def _send(self, recipe: Recipe, stages: tuple[str, ...] = ("static", "checks")) -> int:
        request = Request(
            id=next(self._ids),
            recipe=write_recipe(recipe),
            data_root=self._data_root,
            plugins=self._plugins,
            stages=stages,
        )
        self._ask(request)
        return request.id
