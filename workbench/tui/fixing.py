"""The offer to solve a conflict of the recipe being composed, as far as it needs the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.tui.screens.confirm import ConfirmScreen

if TYPE_CHECKING:
    from workbench.tui.workbench_app import Workbench


def fix_first(app: Workbench) -> None:
    """Solve the first conflict: at once where there is one way, by a question where there are several."""
    editor = app.editor
    problems = editor.conflicts()
    if not problems:
        app.notify("Nothing is in conflict.", timeout=3)
        return
    ways = editor.fixes(problems[0])
    if not ways:
        app.notify(
            f"{problems[0].path}: {problems[0].message}", title="No single change solves this", severity="warning",
        )  # fmt: skip
        return
    if len(ways) == 1:
        editor.fix(ways[0])
        app.recipe_changed()
        return

    def answered(answer: str | None) -> None:
        if answer:
            editor.fix(ways[int(answer)])
            app.recipe_changed()

    answers = [(str(number), f"{way.words[0].upper()}{way.words[1:]}") for number, way in enumerate(ways)]
    app.push_screen(ConfirmScreen(problems[0].path, problems[0].message, answers), answered)
