"""Compose, driven by keys and mouse."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.conftest import AppFactory
from tests.waiting import until
from workbench.recipe import Recipe, read_recipe_file, save_recipe
from workbench.recipe.registries import TECHNIQUES
from workbench.tui.app.commands import ALSO, ELSEWHERE, Commands
from workbench.tui.app.workbench import Workbench
from workbench.tui.common.actions import ACTIONS
from workbench.tui.common.screens import ConfirmScreen, KeyBar
from workbench.tui.common.widgets import Pane, Text
from workbench.tui.compose.files import SaveScreen
from workbench.tui.compose.form_screen import FieldRow, FormScreen
from workbench.tui.compose.opening import OpenScreen
from workbench.tui.compose.screen import VIEWS
from workbench.tui.compose.side import PreviewPane
from workbench.tui.compose.technique_list import TechniqueList

TestPilot = Pilot[str]


def techniques(app: Workbench) -> TechniqueList:
    return app.screen.query_one(TechniqueList)


async def go_to(pilot: TestPilot, place: str) -> None:
    assert isinstance(pilot.app, Workbench)
    techniques(pilot.app).select(place)
    await pilot.pause()


async def type_(pilot: TestPilot, text: str) -> None:
    """As a paste: keys take a tenth of a second each."""
    field = pilot.app.focused
    assert isinstance(field, Input)
    field.insert_text_at_cursor(text)
    await pilot.pause()


def line(app: Workbench) -> str:
    assert app.composer is not None
    return app.composer.query_one("#line", Text).plain


def changes(app: Workbench) -> str:
    return app.screen.query_one("#changes", Pane).text.plain


async def test_keys_move_and_toggle(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        assert techniques(app).place == "recipe"
        await pilot.press("j", "j", "k", "down")
        assert techniques(app).place == "model"
        await go_to(pilot, "techniques.batch_norm")
        await pilot.press("j")
        architecture = [spec for spec in TECHNIQUES if spec.group == "architecture"]
        after = architecture[[spec.name for spec in architecture].index("batch_norm") + 1]
        assert techniques(app).place == f"techniques.{after.name}"
        assert after.summary()[:20] in app.screen.query_one("#card", Pane).text.plain
        await pilot.press("k", "space")
        assert not app.editor.recipe.on("batch_norm")
        assert app.editor.unsaved
        await pilot.press("u")
        assert app.editor.recipe.on("batch_norm")
        await pilot.press("U")
        assert not app.editor.recipe.on("batch_norm")
        assert "batch_norm" in changes(app)


async def test_the_mouse_does_what_keys_do(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        rows = techniques(app)._rows
        number = next(i for i, row in enumerate(rows) if row.place == "techniques.batch_norm")
        await pilot.click("#techniques", offset=(3, number))
        assert not app.editor.recipe.on("batch_norm")
        await pilot.click("#techniques", offset=(10, number))
        assert techniques(app).place == "techniques.batch_norm"
        await pilot.click("#techniques", offset=(10, number), times=2)
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.click("#cancel")
        await until(pilot, lambda: not isinstance(app.screen, FormScreen))
        await pilot.click(".key-bar", offset=(3, 0))
        assert app.editor.recipe.on("batch_norm")
        await pilot.click("#tab-run")
        assert app.current_mode == "run"
        await pilot.click("#tab-compose")
        assert app.current_mode == "compose"


async def test_editing_checks_while_one_types(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "techniques.sgd")
        await pilot.press("enter")
        form = app.screen
        assert isinstance(form, FormScreen)
        assert isinstance(app.focused, Input) and app.focused.value == "0.05"
        await pilot.press("backspace", "backspace", "backspace", "backspace")
        await type_(pilot, "fast")
        assert "expected a number > 0, ≤ 1000, found 'fast'" in form.query_one("#form-detail", Text).plain
        await pilot.press("enter")
        assert app.screen is form  # refused
        await pilot.press("ctrl+r")
        assert isinstance(app.focused, Input) and app.focused.value == "0.1"
        assert "peak learning rate" in form.query_one("#form-detail", Text).plain
        await pilot.press("down")
        await pilot.press("end", "backspace", "8")
        await pilot.press("enter")
        await pilot.pause()
        sgd = app.editor.recipe.techniques["sgd"]
        assert (sgd.learning_rate, sgd.momentum) == (0.1, 0.8)
        assert "sgd.learning_rate" in changes(app)


async def test_a_form_shows_what_its_entry_would_break(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "techniques.cosine")
        await pilot.press("enter")
        await pilot.press("1", "0", "0")
        assert "fills the whole run" in app.screen.query_one("#form-detail", Text).plain
        await pilot.press("escape")
        assert not app.editor.unsaved


async def test_choosing_another_model_changes_the_form(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "model")
        await pilot.press("enter", "up", "right")
        await pilot.pause()
        assert [row.field.key for row in app.screen.query(FieldRow)] == ["name", "channels", "blocks"]
        await pilot.press("enter")
        await pilot.pause()
        assert app.editor.recipe.model.name == "resnet"


async def test_the_filter(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash")
        await type_(pilot, "batch norm")
        assert [row.label for row in techniques(app)._rows if row.place] == ["batch_norm"]
        assert app.layout["compose"]["place"] == "techniques.batch_norm"  # where the next session begins
        await pilot.press("enter", "space")
        assert not app.editor.recipe.on("batch_norm")
        await pilot.press("slash")
        await type_(pilot, "no such thing")
        assert techniques(app)._rows == []
        assert techniques(app).render_line(0).text.strip() == "nothing is like that; esc shows all"
        footer = app.screen.query_one(KeyBar)
        assert "filter" in footer.plain and "on/off" not in footer.plain and "edit" not in footer.plain
        await pilot.press("enter", "j", "space", "enter")  # nothing there to switch or edit
        await pilot.press("escape")
        assert len(techniques(app)._rows) > 20
        assert techniques(app).has_focus and "on/off" in footer.plain


async def test_without_a_change_there_is_none_to_undo(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(120, 24)) as pilot:
        await go_to(pilot, "techniques.batch_norm")
        assert not app.editor.changed and app.screen.check_action("undo", ()) is None
        await pilot.press("space")
        assert app.editor.changed and app.screen.check_action("undo", ()) is True
        await pilot.press("u")
        assert app.screen.check_action("undo", ()) is None and app.editor.recipe.on("batch_norm")


async def test_conflicts_are_shown_at_once_and_stop_a_run(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "techniques.adamw")
        await pilot.press("space")
        assert "are both on" in line(app)
        assert "a step has one optimizer" in changes(app)
        await pilot.press("r")
        await pilot.pause()
        assert app.training is None
        (notification,) = app._notifications
        assert "a step has one optimizer" in notification.message
        await pilot.press("space")
        assert "are both on" not in line(app)


async def test_the_preview_arrives_and_follows(make_app: AppFactory) -> None:
    app = make_app(preview=True)
    async with app.run_test(size=(160, 48)) as pilot:
        preview = app.screen.query_one(PreviewPane)
        await until(pilot, lambda: "expected 2.398" in line(app))
        assert "155,834 parameters" in line(app) and "230 steps" in line(app)
        assert "±0" in preview.numbers.plain
        assert "ln 10" in preview.checks.plain
        await until(pilot, lambda: preview.rates.text.count("\n") > 5)
        await go_to(pilot, "model")
        await pilot.press("enter")
        await pilot.press("end", "left", "backspace", "9", "enter")  # 16, 32, 64 → 16, 32, 94
        await until(pilot, lambda: "+" in preview.numbers.plain)
        assert "[16, 32, 94]" in str(app.editor.recipe.model.widths).replace("(", "[").replace(")", "]")


@pytest.mark.parametrize(
    ("word", "shown"),
    [("refuse", "the data set is not there"), ("crash", "was started again")],
)
async def test_what_the_preview_cannot_do_is_one_line(
    make_app: AppFactory, recipe: Recipe, word: str, shown: str
) -> None:
    app = make_app(recipe=recipe.model_copy(update={"about": word}), preview=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: shown in line(app))
        if word == "crash":
            app.editor.change(app.editor.recipe.model_copy(update={"about": "better"}))
            app.recipe_changed()
            await until(pilot, lambda: "parameters" in line(app))


async def test_the_panes_of_a_small_screen(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:

        def shown() -> list[str]:
            return [name for name in VIEWS if app.screen.query_one(f"#{name}").region.area]

        assert shown() == ["card"]
        await pilot.press("v")
        assert shown() == ["preview"]
        await pilot.press("right")
        assert shown() == ["samples"]
        await pilot.press("right")
        assert shown() == ["changes"]
        await pilot.press("l", "left")
        assert shown() == ["changes"]
        await pilot.resize_terminal(160, 48)
        await pilot.pause()
        assert shown() == list(VIEWS)


async def test_saving_asks_where_and_before_it_replaces(make_app: AppFactory, tmp_path: Path) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "techniques.channels_last")
        await pilot.press("space", "s")
        assert isinstance(app.screen, SaveScreen)
        assert app.screen.query_one(Input).value == "recipes/small.toml"
        await pilot.press("enter")
        await pilot.pause()
        file = tmp_path / "recipes" / "small.toml"
        assert read_recipe_file(file) == app.editor.recipe
        assert not app.editor.unsaved

        await pilot.press("space", "s")  # now it has a file
        await pilot.pause()
        assert not read_recipe_file(file).on("channels_last")

        await pilot.press("S", "enter")
        assert isinstance(app.screen, ConfirmScreen)
        assert "exists already" in app.screen.query_one(".question", Text).plain
        await pilot.press("enter")  # keeps it
        app.screen.query_one(Input).value = ""
        await pilot.press("enter")
        assert "a name is missing" in app.screen.query_one("#save-what", Text).plain
        await type_(pilot, "mine")
        assert "recipes/mine.toml" in app.screen.query_one("#save-what", Text).plain
        await pilot.press("enter")
        await pilot.pause()
        assert read_recipe_file(tmp_path / "recipes" / "mine.toml").name == "mine"
        assert app.editor.recipe.name == "mine"


async def test_opening_by_name_and_by_path(make_app: AppFactory, recipe: Recipe, tmp_path: Path) -> None:
    save_recipe(recipe.model_copy(update={"name": "other"}), tmp_path / "recipes" / "other.toml")
    (tmp_path / "broken.toml").write_text("[train]\nepochs = 'ten'\n")
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("o")
        assert isinstance(app.screen, OpenScreen)
        await type_(pilot, "./broken.toml")
        await pilot.press("enter")
        problem = app.screen.query_one("#open-problem", Text).plain
        assert "train.epochs" in problem and "expected a number" in problem
        await pilot.press("escape", "o")
        await type_(pilot, "other")
        await pilot.press("enter")
        await pilot.pause()
        assert app.editor.recipe.name == "other"
        assert app.editor.path == Path("recipes/other.toml")

        await pilot.press("o")
        await type_(pilot, "resnet20")
        await pilot.press("enter")
        await pilot.pause()
        assert app.editor.recipe.name == "resnet20"
        assert app.editor.path is None  # packaged ones are not written to


async def test_opening_asks_before_it_forgets_changes(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await go_to(pilot, "techniques.channels_last")
        await pilot.press("space", "o")
        assert not isinstance(app.screen, OpenScreen)
        await pilot.click("#answer-discard")
        await until(pilot, lambda: isinstance(app.screen, OpenScreen))


async def test_every_action_has_a_method_and_a_place_in_the_help(make_app: AppFactory) -> None:
    from workbench.tui.app.commands import HelpLine
    from workbench.tui.common.actions import ACTIONS
    from workbench.tui.compose.screen import ComposeScreen
    from workbench.tui.profile.screen import ProfileScreen
    from workbench.tui.run.screen import RunScreen
    from workbench.tui.runs.screen import RunsScreen

    owners = {
        "compose": ComposeScreen,
        "run": RunScreen,
        "profile": ProfileScreen,
        "runs": RunsScreen,
        "app": Workbench,
    }
    for action in ACTIONS:
        assert hasattr(owners[action.where], f"action_{action.name.partition('(')[0]}"), action
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        lines = list(app.screen.query(HelpLine))
        assert len(lines) == len([a for a in ACTIONS if a.where in ("compose", "app")])
        undo = next(line for line in lines if line.shown_action.name == "open")
        undo.scroll_visible(animate=False)
        await pilot.pause()
        await pilot.click(undo)
        await until(pilot, lambda: isinstance(app.screen, OpenScreen))


async def test_the_command_palette_finds_actions(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        names = [command.title for command in app.get_system_commands(app.screen)]
        assert "Train this recipe" in names and "Save the recipe" in names and "Colours" in names
        await pilot.press("ctrl+p")
        await type_(pilot, "open a rec")
        await until(pilot, lambda: bool(app.screen.query("CommandList").first().option_count))  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, OpenScreen))


@pytest.mark.parametrize(
    ("mode", "asked", "title"),
    [
        ("1", "theme", "Colours"),
        ("1", "quit", "Leave the workbench"),
        ("4", "exit", "Leave the workbench"),
        ("1", "save", "Save the recipe"),
        ("2", "save", "Compose: Save the recipe"),
        ("1", "open", "Open a recipe: a packaged one, one of your own, or any file"),
        ("1", "gpu", "Choose the device"),
        ("3", "gpu", "Compose: Choose the device"),
        ("1", "delete", "Runs"),
        ("1", "sa", "Save the recipe"),
        ("1", "shortcuts", "All keys"),
    ],
)
async def test_the_command_palette_finds_by_meaning(make_app: AppFactory, mode: str, asked: str, title: str) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(mode)
        await pilot.pause()
        found = [hit async for hit in Commands(app.screen).search(asked)]
        best = max(found, key=lambda hit: hit.score)
        assert title.startswith(str(best.text)) and best.score >= 50


async def test_the_command_palette_offers_what_can_be_done_and_nothing_else(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2")
        await pilot.pause()
        offered = [command.title for command in app.commands() if not command.foreign]
        assert "All keys" in offered and not any("checkpoint" in title or "Pause" in title for title in offered)
        await pilot.press("ctrl+p")
        await type_(pilot, "load recipe")  # of another screen: it is gone to
        await until(pilot, lambda: bool(app.screen.query("CommandList").first().option_count))  # type: ignore[attr-defined]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, OpenScreen) and app.current_mode == "compose")


def test_every_action_of_the_palette_has_other_words_too() -> None:
    ids = {action.id for action in ACTIONS}
    assert set(ALSO) <= ids and ids >= ELSEWHERE
    main = {action.id for action in ACTIONS if action.palette and action.title}
    zooming = {"run.zoom_in", "run.more_charts", "profile.view", "runs.view", "compose.view_next", "profile.code"}
    assert main - set(ALSO) <= zooming  # their titles say all that one could ask for


async def test_panes_have_the_rows_that_their_content_needs(make_app: AppFactory) -> None:
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        card, below = app.screen.query_one("#card"), app.screen.query_one("#changes")

        async def heights() -> tuple[int, int]:
            await pilot.pause()
            return card.size.height, below.size.height

        tall, least = await heights()
        assert least == 1 < tall
        await go_to(pilot, "techniques.cutout")
        await pilot.press("space", "down", "down", "space", "down", "space")
        shorter, more = await heights()
        assert least < more < shorter and shorter + more == tall + least
        await pilot.press("d")
        small, most = await heights()
        assert small < most and small + most == tall + least
