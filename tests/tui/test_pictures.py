"""Pictures in real pixels: what a terminal is asked, what of its input are answers, and what it is sent."""

from __future__ import annotations

import base64
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.tui.conftest import AppFactory
from tests.tui.fake_preview import picture
from tests.tui.test_terminal import Terminal
from tests.waiting import GIVE_UP, until
from workbench.graphics import ATTRIBUTES, GRAPHICS, WHO, has_encoder
from workbench.preview.protocol import Samples
from workbench.tui.common.sample_grid import ENOUGH_SHARP, LEAST_SHARP, MOST_PIXELS, SampleGrid, room
from workbench.tui.compat.pictures import (
    BLOCKS,
    CELL,
    COLOURS,
    DIACRITICS,
    PLACEHOLDER,
    Asking,
    Pictures,
    PicturesKnown,
    Wanted,
    kitty,
    placeholder,
    sixel,
)
from workbench.tui.run.results import ResultsScreen

needs_encoder = pytest.mark.skipif(not has_encoder(), reason="textual-image needs Python 3.12")

XTERM = {
    WHO: "\x1bP>|XTerm(379)\x1b\\", COLOURS: "\x1b[?1;0;64S", ATTRIBUTES: "\x1b[?63;1;2;4;6;9;15;16;22;28c",
}  # fmt: skip
PLAIN_XTERM = {**XTERM, ATTRIBUTES: "\x1b[?64;1;2;6;9;15;16;17;18;21;22;28c"}
KITTY = {
    WHO: "\x1bP>|kitty(0.32.2)\x1b\\", CELL: "\x1b[6;20;9t",
    GRAPHICS: "\x1b_Gi=4095;OK\x1b\\", ATTRIBUTES: "\x1b[?62;c",
}  # fmt: skip
OLD_KITTY = {**KITTY, WHO: "\x1bP>|kitty(0.26.5)\x1b\\"}
KITTY_WITHOUT = {**KITTY, GRAPHICS: "\x1b_Gi=4095;ENOTSUPPORTED:no\x1b\\"}
GHOSTTY = {**KITTY, WHO: "\x1bP>|ghostty 1.1.3\x1b\\"}
WEZTERM = {**KITTY, WHO: "\x1bP>|WezTerm 20240203\x1b\\", COLOURS: "\x1b[?1;3S", ATTRIBUTES: "\x1b[?65;4;6;18;22c"}
TMUX = {WHO: "\x1bP>|tmux 3.3a\x1b\\", ATTRIBUTES: "\x1b[?1;2c"}
SILENT: dict[str, str] = {}
QUESTION = re.compile("|".join(re.escape(question) for question in (WHO, CELL, COLOURS, GRAPHICS, ATTRIBUTES)))


def answers(terminal: dict[str, str], questions: str) -> str:
    return "".join(terminal.get(question, "") for question in QUESTION.findall(questions))


def told(terminal: dict[str, str], wanted: Wanted = "auto", *, encoder: bool = True) -> tuple[Pictures | None, str]:
    """What is found out from a terminal, and all that it was asked."""
    asking = Asking(wanted, encoder)
    questions = asked = asking.questions(None, 0.0)
    while questions:
        typed, questions = asking.take(answers(terminal, questions), 0.1)
        assert not typed
        asked += questions
    return asking.found(), asked


@pytest.mark.parametrize(
    ("terminal", "found"),
    [
        (XTERM, Pictures("sixel", 64)),
        (PLAIN_XTERM, BLOCKS),
        (KITTY, Pictures("kitty", cell=(9, 20))),
        (OLD_KITTY, BLOCKS),  # its pictures are no cells yet
        (KITTY_WITHOUT, BLOCKS),
        (GHOSTTY, Pictures("kitty", cell=(9, 20))),
        (WEZTERM, Pictures("sixel", cell=(9, 20))),  # Kitty's protocol without placeholders
        (TMUX, BLOCKS),
        (SILENT, None),
    ],
)
def test_what_a_terminal_shows_is_found_out_and_never_assumed(terminal: dict[str, str], found: Pictures | None) -> None:
    said, asked = told(terminal)
    assert said == found
    # one that is not Kitty's would print its question, and one without Sixel would scroll
    assert (GRAPHICS in asked) == (terminal in (KITTY, KITTY_WITHOUT, GHOSTTY))
    assert (COLOURS in asked) == (found is not None and found.protocol == "sixel")


def test_the_users_own_word_counts_more_than_what_the_terminal_says() -> None:
    assert told(XTERM, "blocks") == (None, "")
    assert told(PLAIN_XTERM, "sixel")[0] == Pictures("sixel", 64)
    assert told(WEZTERM, "kitty")[0] == Pictures("kitty", cell=(9, 20))
    assert told(XTERM, encoder=False)[0] == BLOCKS


KEYS = ("a", "é", "\x1b", "\x1bb", "\x1bP", "\x1b[A", "\x1b[6~", "\x1b[<0;12;5M", "\x1b[?2026;2$y", "\x1b[I", "ß")


@settings(deadline=None)
@given(st.lists(st.sampled_from(KEYS), max_size=6), st.sampled_from((XTERM, KITTY, TMUX)), st.data())
def test_answers_never_become_keys_and_keys_are_never_lost(
    keys: list[str], terminal: dict[str, str], data: st.DataObject
) -> None:
    """In whatever parts a terminal's bytes come."""
    asking = Asking("auto")
    stream = answers(terminal, asking.questions(None, 0.0))
    now, typed, expected = 0.0, "", ""
    for key in keys:  # whole keys between whole answers, as a terminal sends them
        if data.draw(st.booleans()):
            stream += key
        else:
            stream = key + stream
    expected = re.sub("|".join(map(re.escape, sorted(terminal.values(), key=len, reverse=True))), "", stream)
    following = ""
    while stream:
        length = data.draw(st.integers(1, len(stream)))
        part, stream = stream[:length], stream[length:]
        got, questions = asking.take(part, now)
        typed += got
        following += answers(terminal, questions)
        if not stream:
            stream, following = following, ""
    typed += asking.tick(now + 2)
    assert typed == expected


def test_a_key_is_not_held_back_for_an_answer_that_does_not_come() -> None:
    asking = Asking("auto")
    asking.questions(None, 0.0)
    assert asking.take("\x1b", 1.0) == ("", "")
    assert asking.tick(1.01) == "" and asking.tick(1.06) == "\x1b"
    assert asking.take("\x1b[", 2.0) == ("", "") and asking.tick(2.06) == "\x1b["
    assert asking.take("\x1b[?6", 3.0) == ("", "") and asking.tick(3.5) == "" and asking.tick(4.1) == "\x1b[?6"
    assert asking.take("\x1b", 11.0) == ("\x1b", "")  # it says nothing
    assert asking.take(f"x{XTERM[ATTRIBUTES]}y", 60.0) == ("xy", COLOURS + ATTRIBUTES)  # or very late


def test_a_larger_font_is_heard_of() -> None:
    asking = Asking("auto")
    questions = asking.questions((8, 15), 0.0)
    assert CELL not in questions  # the system knew
    _, questions = asking.take(answers(XTERM, questions), 0.1)
    asking.take(answers(XTERM, questions), 0.2)
    assert asking.found() == Pictures("sixel", 64, (8, 15))
    assert asking.resized((8, 15)) == "" and asking.found() is None
    assert asking.resized((10, 19)) == "" and asking.found() == Pictures("sixel", 64, (10, 19))
    assert asking.resized(None) == CELL
    assert asking.take("\x1b[6;30;16t", 9.0) == ("", "") and asking.found() == Pictures("sixel", 64, (16, 30))


def decoded(sequence: str) -> np.ndarray:
    """What a Sixel sequence paints, as int [H, W, 3]; -1 where it paints nothing."""
    header = re.match(r'\x1bP[\d;]*q"1;1;(\d+);(\d+)', sequence)
    assert header and sequence.endswith("\x1b\\")
    width, height = int(header[1]), int(header[2])
    found = np.full((height + 6, width, 3), -1)
    colours: dict[int, tuple[int, ...]] = {}
    x = y = chosen = 0
    words = re.compile(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|(\$)|(-)")
    body = sequence[header.end() : -2]
    assert words.sub("", body) == ""
    for match in words.finditer(body):
        if match[1]:
            chosen = int(match[1])
            colours[chosen] = tuple(int(part) * 255 // 100 for part in match.groups()[1:4])
        elif match[5]:
            chosen = int(match[5])
        elif match[9]:
            x = 0
        elif match[10]:
            x, y = 0, y + 6
        else:
            times, sign = (int(match[6]), match[7]) if match[6] else (1, match[8])
            for row in range(6):
                if (ord(sign) - 63) >> row & 1:
                    found[y + row, x : x + times] = colours[chosen]
            x += times
    return found[:height]


def enlarged(pixels: bytes, side: int, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.frombytes("RGB", (side, side), pixels).resize(size, 0)).astype(int)


@needs_encoder
def test_a_sixel_picture_is_the_image() -> None:
    pixels = picture(2, 32, 0)
    sequence = sixel(pixels, 32, (160, 144), 256)
    shown = decoded(sequence)
    assert shown.shape == (144, 160, 3)
    assert np.abs(shown - enlarged(pixels, 32, (160, 144))).max() <= 16  # 256 colours, each in per cent
    # xterm paints in the colour that a number had before, where its definition comes after the first paint
    first_paint = re.search(r"#\d+(?!;)[!?-~]", sequence)
    assert first_paint and ";2;" not in sequence[first_paint.start() :]
    assert len(set(re.findall(r"#(\d+);2;", sixel(pixels, 32, (160, 144), 16)))) <= 16


def shown_by_kitty(sent: str) -> tuple[int, tuple[int, int], np.ndarray]:
    """The number, columns and rows, and pixels of the picture in Kitty's sequences."""
    parts = re.findall(r"\x1b_G([^;\x1b]*);([^\x1b]*)\x1b\\", sent)
    first = dict(item.split("=") for item in parts[0][0].split(","))
    assert (first["a"], first["U"], first["f"], first["q"]) == ("T", "1", "100", "2")
    more = [dict(item.split("=") for item in keys.split(","))["m"] for keys, _ in parts]
    assert more == ["1"] * (len(parts) - 1) + ["0"] and all(len(payload) <= 4096 for _, payload in parts)
    file = base64.b64decode("".join(payload for _, payload in parts))
    return int(first["i"]), (int(first["c"]), int(first["r"])), np.asarray(Image.open(io.BytesIO(file)))


def test_a_kitty_picture_is_the_image_and_its_cells_say_which_part() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    number, sent = kitty(noise.tobytes(), 64, (16, 8))
    assert sent.count("\x1b_G") > 2  # in parts
    found, cells, shown = shown_by_kitty(sent)
    assert (found, cells) == (number, (16, 8)) and 0 < number < 1 << 24
    np.testing.assert_array_equal(shown, noise)
    assert kitty(noise.tobytes(), 64, (16, 8))[0] != number
    assert placeholder(column=3, row=1) == PLACEHOLDER + DIACRITICS[1] + DIACRITICS[3]
    assert len(set(DIACRITICS)) == 32  # as many as there are columns in the largest picture


def test_with_real_pixels_more_images_have_room() -> None:
    sharp = {"enough": ENOUGH_SHARP, "least": LEAST_SHARP}
    assert room(98, 9) == (5, 16) == room(98, 9, **sharp)
    assert room(36, 18) == (4, 16) == room(36, 18, **sharp)  # smaller ones are not more
    assert room(74, 45) == (4, 32) and room(74, 45, **sharp) == (9, 24)
    assert room(40, 7) == (3, 12) == room(40, 7, **sharp)  # no room for such large ones
    assert room(10, 40) == (0, 0)


class Answering(Terminal):
    """A terminal that says what it is, and may take its time."""

    def __init__(self, folder: Path, answers: dict[str, str], late: float = 0.0) -> None:
        super().__init__(folder, 5)
        self._answers, self._late, self._heard = answers, late, 0

    def read(self, seconds: float) -> None:
        super().read(seconds)
        for match in QUESTION.finditer(self.seen, self._heard):
            self._heard = match.end()
            time.sleep(self._late)
            self.press(self._answers.get(match.group(), ""))

    def until(self, pattern: str) -> re.Match[str]:
        end = time.monotonic() + GIVE_UP
        while time.monotonic() < end and self.process.poll() is None:
            self.read(0.1)
            if match := re.search(pattern, self.seen, re.DOTALL):
                return match
        raise AssertionError(f"{pattern!r} never came; the last that came: {self.seen[-2000:]!r}")


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Answering]]:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminals: list[Answering] = []
    yield terminals
    for terminal in terminals:
        terminal.close()


def leave(terminal: Answering) -> None:
    terminal.press("q")
    end = time.monotonic() + GIVE_UP
    while terminal.process.poll() is None and time.monotonic() < end:
        terminal.read(0.1)
    assert terminal.process.poll() == 0, terminal.seen[-2000:]


@pytest.mark.terminal
@needs_encoder
def test_samples_are_painted_in_sixel_over_their_cells(tmp_path: Path, opened: list[Answering]) -> None:
    """And again when a dialog that hid them has gone, but not with every paint."""
    terminal = Answering(tmp_path, {**XTERM, CELL: "\x1b[6;15;8t"}, late=0.3)
    opened.append(terminal)
    terminal.wait_for("Recipe")
    terminal.press("vv")
    painted = terminal.until(r"\x1b\[(\d+);(\d+)H(\x1bP[\d;]*q[^\x1b]*\x1b\\)")
    shown = decoded(painted[3])
    height, width = shown.shape[:2]
    assert width % 8 == 0 and height == width // 8 // 2 * 15
    image = enlarged(picture(0, width, 0), width, (width, height))
    assert np.median(np.abs(shown - image)) <= 16  # of 64 colours
    terminal.read(1.0)
    assert int(painted[1]) > 1 and int(painted[2]) > 40  # where the samples are
    before = terminal.seen.count("\x1bP0")
    terminal.press("j")  # the cursor moves in the list beside them
    terminal.read(1.0)
    assert terminal.seen.count("\x1bP0") == before
    terminal.press("?")
    terminal.wait_for("esc closes")
    terminal.press("\x1b")
    terminal.read(1.5)
    assert terminal.seen.count("\x1bP0") > before
    leave(terminal)


@pytest.mark.terminal
def test_samples_are_cells_of_kitty_and_freed_in_the_end(tmp_path: Path, opened: list[Answering]) -> None:
    terminal = Answering(tmp_path, KITTY)
    opened.append(terminal)
    terminal.wait_for("Recipe")
    terminal.press("vv")
    sent = terminal.until(r"(\x1b_Ga=T.*?m=0,[^\x1b]*\x1b\\|\x1b_Ga=T[^\x1b]*m=0[^\x1b]*\x1b\\)")[1]
    number, (columns, rows), shown = shown_by_kitty(sent)
    side = min(9 * columns, MOST_PIXELS)
    np.testing.assert_array_equal(shown, np.frombuffer(picture(0, side, 0), np.uint8).reshape(side, side, 3))
    colour = ";".join(map(str, number.to_bytes(3, "big")))
    terminal.until(rf"38;2;{colour}[;\d]*m[^\x1b]*{placeholder(0, 0)}")
    terminal.until(rf"{placeholder(columns - 1, rows - 1)}")
    assert terminal.seen.rindex(f"i={number},") < terminal.seen.index(placeholder(0, 0))  # sent before it is shown
    leave(terminal)
    assert f"\x1b_Ga=d,d=I,i={number},q=2" in terminal.seen


@pytest.mark.terminal
@pytest.mark.parametrize("answers", [SILENT, TMUX, OLD_KITTY], ids=["silent", "tmux", "old-kitty"])
def test_where_nothing_says_that_it_can_samples_are_half_blocks(
    tmp_path: Path, opened: list[Answering], answers: dict[str, str]
) -> None:
    terminal = Answering(tmp_path, answers)
    opened.append(terminal)
    terminal.wait_for("Recipe")
    terminal.press("vv")
    terminal.wait_for("▀▀▀▀")
    terminal.read(0.5)
    assert "\x1b_G" not in terminal.seen and "\x1bP" not in terminal.seen and PLACEHOLDER not in terminal.seen
    terminal.press("?")
    terminal.wait_for("esc closes")
    terminal.press("\x1b")
    leave(terminal)


async def test_below_a_dialog_they_are_half_blocks(make_app: AppFactory) -> None:
    """Its shade changes the colours of cells, and the colour is the number of a Kitty picture."""
    app = make_app(preview=True)
    async with app.run_test(size=(160, 48)) as pilot:
        grid = app.screen.query_one(SampleGrid)
        await until(pilot, lambda: app.preview.picture.samples is not None)
        grid._pictures = Pictures("kitty")
        grid._send()
        assert PLACEHOLDER in grid.render_line(0).text
        await pilot.press("question_mark")
        await pilot.pause()
        assert PLACEHOLDER not in grid.render_line(0).text and "▀" in grid.render_line(0).text
        await pilot.press("escape")
        await pilot.pause()
        assert PLACEHOLDER in grid.render_line(0).text


async def test_fewer_pixels_than_cells_and_more_are_shown_whole(make_app: AppFactory) -> None:
    """In half-blocks an image fills its box whatever pixels it comes in: top left and bottom right are its own."""
    app = make_app()
    async with app.run_test(size=(160, 48)) as pilot:
        grid = app.screen.query_one(SampleGrid)
        await pilot.pause()
        for side in (8, 64):
            pixels = bytearray(3 * side * side)
            pixels[:3], pixels[-3:] = b"\xff\x00\x00", b"\x00\xff\x00"
            grid.show(Samples(0, side, base64.b64encode(bytes(pixels)).decode(), ["one"]))
            first, last = grid.render_line(0), grid.render_line(grid._box // 2 - 1)
            assert first.crop(0, 1)._segments[0].style.color.triplet == (255, 0, 0)
            if side == 8:
                cell = last.crop(grid._box - 1, grid._box)._segments[0]
                assert cell.style.bgcolor.triplet == (0, 255, 0)


async def test_a_cursor_beside_them_draws_no_image_again(make_app: AppFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app(preview=True)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("v", "v")
        await until(pilot, lambda: app.preview.picture.samples is not None and not app.preview.picture.stale)
        await pilot.pause(0.3)
        drawn: list[int] = []
        line = SampleGrid.render_line
        monkeypatch.setattr(SampleGrid, "render_line", lambda self, y: drawn.append(y) or line(self, y))
        await pilot.press("j", "j", "k")
        await pilot.pause(0.3)
        assert not drawn
        await pilot.press("a")  # another draw
        await until(pilot, lambda: bool(drawn))


@needs_encoder
async def test_pictures_of_a_dialog_end_with_it(make_app: AppFactory) -> None:
    app = make_app(preview=True)
    async with app.run_test(size=(160, 48)) as pilot:
        dialog = ResultsScreen()
        await app.push_screen(dialog)
        grid = dialog.query_one(SampleGrid)
        app.post_message(PicturesKnown(Pictures("sixel", cell=(8, 15))))
        grid.show(Samples(0, 8, base64.b64encode(bytes(3 * 64)).decode(), ["one"]))
        grid._sixels = ["\x1bPq\x1b\\"]
        app.overlay(grid)
        await pilot.pause()
        (place, _), *_ = grid.overlays()
        assert grid.region.contains_region(place) and (place.width, place.height) == (grid._box, grid._box // 2)
        await pilot.press("escape")
        await pilot.press("j")
        await pilot.pause()
        assert not grid.is_attached and app.screen.query_one(SampleGrid) is not grid
