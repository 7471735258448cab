"""What is in the way of the recipe being composed, or waits for a key: in words, in one line, and solved."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from workbench.recipe import Expect, Problem
from workbench.recipe.fixes import Fix
from workbench.tui.common.screens import ConfirmScreen
from workbench.tui.common.services import Services
from workbench.tui.common.texts import Part
from workbench.tui.compose import texts
from workbench.tui.compose.preview_state import Picture


def in_words(problems: Sequence[Problem], offers: Sequence[str], key: str) -> Content:
    """Every conflict with its place, and what would solve it; the key solves the first."""
    parts: list[Part] = []
    for number, (problem, offer) in enumerate(zip(problems, offers, strict=True)):
        parts += [("✗ ", "$error"), (problem.path, "bold $error"), f"  {problem.message}\n"]
        if offer:
            parts += [(f"  {key} ", "bold $primary") if number == 0 else "  → ", (f"{offer}\n", "$success")]
    return Content.assemble(*parts)


def offer(fixes: Sequence[Fix]) -> str:
    """The first fix and that there are others; "" for none."""
    return " or ".join([fix.words for fix in fixes[:2]]) + (" …" if len(fixes) > 2 else "")


def in_line(problems: Sequence[Problem], offer: str, key: str, width: int) -> Content:
    """The first conflict and its fix in one line of ``width`` cells; the reason is cut, the fix is not."""
    more = f" (+{len(problems) - 1} more)" if len(problems) > 1 else ""
    name = problems[0].path.removeprefix("techniques.")
    head, reason = f" ✗ {name}", f"{more}: {problems[0].message}"
    room = width - len(head) - (len(offer) + len(key) + 5 if offer else 0)
    reason = reason if len(reason) <= room else reason[: max(0, room - 1)] + "…"
    parts: list[Part] = [(head, "bold $error"), (reason, "$error")]
    parts += [(f"  {key} ", "bold $primary"), (offer, "$success")] if offer else []
    return Content.assemble(*parts)


def bottom_line(app: Services, picture: Picture, width: int) -> Content:
    """The line under the panes: the first conflict, else what the preview found and what waits for a key."""
    editor, key = app.editor, app.key("compose.fix")
    if problems := editor.conflicts():
        return in_line(problems, offer(editor.fixes(problems[0])), key, width)
    line, waits = texts.line(picture, width), _waits(app)
    if not waits:
        return line
    return Content.assemble(line, "  ", waits) if len(line) + len(waits) + 2 <= width else waits


def _waits(app: Services) -> Content:
    """A text with mistakes, claims of something else."""
    if app.editor.draft:
        return texts.waits("a text with mistakes waits", app.key("compose.edit_text"), "goes on with it")
    if what := app.editor.old_claims:
        return texts.waits(f"[expect] speaks of {what}", app.key("compose.drop_claims"), "drops it")
    return Content("")


def drop_claims(app: Services) -> None:
    """Claims about other data or another model are of no use."""
    editor = app.editor
    if not editor.old_claims:
        app.notify("[expect] is empty, or speaks of these data and this model.", timeout=3)
    elif editor.change(editor.recipe.model_copy(update={"expect": Expect()})):
        app.recipe_changed()


def fix_first(app: Services) -> None:
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
