"""Opening a recipe: the known ones in a list, found by what some words mean; any other by its path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from workbench.format import percent, short
from workbench.paths import natural, packaged_recipes, recipe_folders
from workbench.recipe import Recipe, RecipeError, read_recipe_file
from workbench.recipe.measured import in_words, measurements, on_what, seeds
from workbench.runs.find.trained import Trained
from workbench.tui.common.screens import Dialog
from workbench.tui.common.texts import MUTED, Part
from workbench.tui.common.widgets import Text
from workbench.tui.common.words import cut, first_lines, large, place
from workbench.tui.compose.paths import PathInput

BY_ABOUT = "in what is said of them"
"""The heading of recipes that only their description names."""
NOTHING = "  no recipe has these words; a path opens any other file"
BETWEEN = "  "
NAMES = 16
"""Cells for a recipe's name."""
WIDE = 110
"""Cells from which on there is room for claims and measurements in the list."""


@dataclass(frozen=True)
class RecipeFile:
    """A recipe in one of the known folders; ``kind`` is that of the place, ``"saved"`` or ``"packaged"``.

    recipe: None where the file cannot be read, for the reason in ``problem``. measured, on: the longest training that
    was measured of it, in words, and on what.
    """

    name: str
    path: Path
    kind: str
    recipe: Recipe | None = None
    problem: str = ""
    measured: str = ""
    on: str = ""

    @property
    def about(self) -> str:
        """What it is, in its own words."""
        return self.recipe.about if self.recipe is not None else "cannot be read"

    @property
    def parameters(self) -> int | None:
        """How many its source claims that it has."""
        return self.recipe.expect.parameters if self.recipe is not None else None

    @property
    def claim(self) -> str:
        """What its source claims, in a few words."""
        return self.recipe.expect.claim if self.recipe is not None else ""


def recipe_files() -> list[RecipeFile]:
    """Saved recipes first, then packaged ones, each in natural order; broken files say so."""
    measured = measurements(packaged_recipes())
    return [
        _read(name, path, folder.kind, measured.get(name, []) if folder.kind == "packaged" else [])
        for folder in recipe_folders()
        for name, path in sorted(folder.recipes.items(), key=lambda item: natural(item[0]))
    ]


def _read(name: str, path: Path, kind: str, measured: list[dict[str, Any]]) -> RecipeFile:
    try:
        recipe = read_recipe_file(path, consistent=False)
    except RecipeError as error:
        return RecipeFile(name, path, kind, problem=str(error.problems[0]))
    if not measured:
        return RecipeFile(name, path, kind, recipe)
    words = f"{in_words(measured[0], recipe.train.epochs)}; seeds {seeds(measured[0])}"
    return RecipeFile(name, path, kind, recipe, measured=words, on=on_what(measured[0]))


def found(files: Sequence[RecipeFile], wanted: str) -> list[tuple[str, list[RecipeFile]]]:
    """The recipes that some words mean, under headings: those with the words in their names first, whole names before
    beginnings before the rest; then those that are described so.
    """
    words = wanted.lower().split()
    named = [file for file in files if all(word in file.name.lower() for word in words)]
    described = [file for file in files if file not in named and all(word in _described(file) for word in words)]
    typed = " ".join(words)
    named.sort(key=lambda file: (file.name.lower() != typed, not file.name.lower().startswith(typed)) if typed else ())
    sections: dict[str, list[RecipeFile]] = {}
    for file in named:
        sections.setdefault(f"{file.kind}{BETWEEN}{place(file.path.parent, 60)}", []).append(file)
    if described:
        sections[BY_ABOUT] = described
    return list(sections.items())


def _described(file: RecipeFile) -> str:
    recipe = file.recipe
    also = (recipe.data.source, recipe.model.name) if recipe is not None else ()
    return " ".join((file.name, file.about, file.kind, *also)).lower()


def heading(width: int) -> str:
    """What stands in the columns of :func:`line`."""
    if width < WIDE:
        return f"{'parameters':>{NAMES + 10}}{BETWEEN}what it is"[:width]
    return BETWEEN.join(
        ("", f"{'':<{NAMES}}", f"{'parameters':>11}", f"{'claim':<24}", f"{'measured here':<28}", "what it is")
    )


def line(file: RecipeFile, width: int) -> Content:
    """A recipe in one line of some cells: with claim and measurement where they have room."""
    name: Part = (f"  {cut(file.name, NAMES):<{NAMES}}", "bold")
    count = file.parameters
    if width < WIDE:
        figures: list[Part] = [(f" {large(count) if count else '':>7}", MUTED)]
        used = NAMES + 2 + 8
    else:
        measured = file.measured.partition(";")[0]
        cells = (f"{count or '':>11,}" if count else " " * 11, f"{cut(file.claim, 24):<24}", f"{cut(measured, 28):<28}")
        figures = [(BETWEEN + cells[0], MUTED), BETWEEN + cells[1], (BETWEEN + cells[2], "$primary")]
        used = NAMES + 2 + sum(len(cell) + 2 for cell in cells)
    about = cut(file.about, max(0, width - used - 2))
    return Content.assemble(name, *figures, (BETWEEN + about, "$error" if file.recipe is None else MUTED))


def details(file: RecipeFile, trained: Sequence[Trained], *, brief: bool = False) -> Content:
    """All that is known of a recipe. trained: runs of the same in the folder of runs, newest first.

    brief: of what it was measured on only the device.
    """
    recipe = file.recipe
    if recipe is None:
        return Content.styled(f"✗ {file.problem}", "$error")
    epochs = f"{short(recipe.train.epochs)} {'epoch' if recipe.train.epochs == 1 else 'epochs'}"
    parts: list[Part] = [f"{recipe.about}\n" if recipe.about else "", (f"{recipe.data.source} · ", MUTED)]
    parts += [(f"{recipe.model.name} · {epochs}", MUTED)]
    parts += [(" · ", MUTED), (f"{file.parameters:,}", "$primary"), (" parameters", MUTED)] if file.parameters else []
    if file.claim:
        source = f"  {recipe.expect.source}" if recipe.expect.source else ""
        parts += [("\nclaim ", "bold"), file.claim, (source, MUTED)]
    if trained:
        reached = f", {percent(trained[0].accuracy)}" if trained[0].accuracy is not None else ""
        more = f" and {len(trained) - 1} more" if len(trained) > 1 else ""
        parts += [("\ntrained ", "bold"), (f"run {trained[0].digits}{reached}{more}", "$primary")]
    if file.measured:
        on = file.on.partition(";")[0] if brief else file.on
        parts += [("\nmeasured here ", "bold"), (file.measured, "$primary"), (f"  on {on}", MUTED)]
    return Content.assemble(*parts)


Opened = tuple[Recipe, Path]


class OpenScreen(Dialog[Opened | None]):
    """Returns a recipe and its file, or None. trained: the finished runs of a recipe, newest first."""

    BINDINGS = [
        Binding("escape", "cancel", show=False),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
    ]
    AUTO_FOCUS = "#open-what"

    def __init__(self, trained: Callable[[Recipe], Sequence[Trained]] = lambda recipe: ()) -> None:
        super().__init__()
        self._files = recipe_files()
        self._trained = trained
        self._wanted = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog open") as dialog:
            dialog.border_title = "Open a recipe"
            dialog.border_subtitle = "⏎ opens · esc cancels"
            words = "words to look for, or the path of a file, which Tab completes"
            yield PathInput(roots=(Path(),), suffix=".toml", placeholder=words, id="open-what")
            yield Text(id="open-heading")
            files = OptionList(id="open-files", compact=True)
            files.can_focus = False  # keys go to the input; a click chooses
            yield files
            yield Text(id="open-details")
            yield Text(id="open-problem")

    def on_mount(self) -> None:
        problems = [place.problem for place in recipe_folders() if place.problem]
        self.query_one("#open-problem", Text).show(Content.styled("\n".join(problems), "$error"))

    def on_resize(self, event: events.Resize) -> None:
        """The lines are made for the width that there is."""
        self.call_after_refresh(self._list, keep=True)

    @property
    def _options(self) -> OptionList:
        return self.query_one("#open-files", OptionList)

    def _list(self, *, keep: bool = False) -> None:
        """Show the recipes that are meant. keep: the cursor stays where it is."""
        options = self._options
        before, width = options.highlighted, options.scrollable_content_region.width
        options.clear_options()
        for title, files in found(self._files, self._wanted):
            options.add_option(Option(Content.styled(title, MUTED), disabled=True))
            options.add_options([Option(line(file, width), id=str(self._files.index(file))) for file in files])
        first = next((i for i, option in enumerate(options.options) if not option.disabled), None)
        options.highlighted = before if keep and before is not None else first
        self.query_one("#open-heading", Text).show(Content.styled(heading(width) if first is not None else "", MUTED))
        if first is None:
            options.add_option(Option(Content.styled(NOTHING, MUTED), disabled=True))
            self.query_one("#open-details", Text).show(Content(""))

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        if event.option.id is not None:
            file = self._files[int(event.option.id)]
            trained = self._trained(file.recipe) if file.recipe is not None else ()
            brief = self._options.size.width < WIDE
            self.query_one("#open-details", Text).show(details(file, trained, brief=brief))

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._wanted = "" if _is_path(event.value) else event.value
        self._list()
        self.query_one("#open-problem", Text).show(Content(""))

    @on(PathInput.Several)
    def _several(self, event: PathInput.Several) -> None:
        event.stop()
        self.query_one("#open-details", Text).show(Content.styled("  ".join(event.names), MUTED))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        options = self._options
        if _is_path(event.value):
            self._open(Path(event.value.strip()).expanduser())
        elif options.highlighted is not None:
            self._choose(options.get_option_at_index(options.highlighted).id)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self._choose(event.option.id)

    def _choose(self, number: str | None) -> None:
        if number is not None:
            self._open(self._files[int(number)].path)

    def _open(self, path: Path) -> None:
        try:
            recipe = read_recipe_file(path, consistent=False, say=self.notify)
        except RecipeError as error:
            said = first_lines([str(problem) for problem in error.problems], 4)
            self.query_one("#open-problem", Text).show(Content.styled(said, "$error"))
            return
        self.dismiss((recipe, path))

    def action_move(self, by: int) -> None:
        """Move the cursor of the list."""
        if by > 0:
            self._options.action_cursor_down()
        else:
            self._options.action_cursor_up()

    def action_cancel(self) -> None:
        """Open nothing."""
        self.dismiss(None)


def _is_path(text: str) -> bool:
    return "/" in text or text.strip().endswith(".toml")
