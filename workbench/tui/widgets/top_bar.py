"""The first line of a screen: where one is, what else there is, and what it is about."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content

from workbench.tui.composed import Composed
from workbench.tui.editing import Editor
from workbench.tui.tracking import Tracked
from workbench.tui.widgets.pane import Text
from workbench.tui.widgets.run_head import STATES

SCREENS = {"compose": "1 Compose", "run": "2 Run", "profile": "3 Profile", "runs": "4 Runs"}


class Tab(Text):
    """A screen's name; a click goes there."""

    def __init__(self, mode: str) -> None:
        super().__init__(id=f"tab-{mode}", classes="tab")
        self.mode = mode

    async def on_click(self) -> None:
        await self.run_action(f"app.show('{self.mode}')")


class TopBar(Composed, Horizontal):
    """``active`` is the mode of the screen that it stands on."""

    def __init__(self, active: str) -> None:
        super().__init__(classes="top-bar")
        self._active = active

    def compose(self) -> ComposeResult:
        brand = Text(classes="brand")
        brand.show(Content("workbench"))
        yield brand
        for mode in SCREENS:
            tab = Tab(mode)
            tab.set_class(mode == self._active, "-active")
            tab.show(Content(SCREENS[mode]))
            yield tab
        yield Text(id="about")

    def show(self, about: Content, running: Content) -> None:
        """``about``: what the screen is about, at the right; ``running``: beside the tab of Run."""
        if not self.children:  # a timer may be faster than the first layout
            return
        self.query_one("#about", Text).show(about, layout=False)
        self.query_one("#tab-run", Text).show(Content.assemble(SCREENS["run"], running))


def top_texts(mode: str, editor: Editor, tracked: Tracked | None) -> tuple[Content, Content]:
    """What a screen is about, and how far the run is."""
    unsaved = (" ● unsaved", "$accent") if editor.unsaved else ""
    about = Content.assemble(editor.recipe.name, unsaved)
    if mode == "run":
        about = Content.styled(tracked.run.name if tracked else "", "$muted")
    if tracked is None or not tracked.live:
        return about, Content("")
    sign, colour = STATES[tracked.state]
    if tracked.waiting is not None:
        return about, Content.assemble((f" {sign} queued", colour))
    return about, Content.assemble((f" {sign} {int(tracked.view.fraction * 100)} %", colour))
