"""``workbench serve``: who may see the page, what it shows, and that closing it ends no run."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.runs.helpers import REPOSITORY, Command, invoke, start
from tests.waiting import GIVE_UP, wait_for
from workbench.runs.find.listing import list_runs

WITHOUT_ORIGIN: dict[str, str] = {}


@pytest.fixture
def workbench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: invoke(capsys, *arguments)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_no_address_that_other_machines_reach(workbench: Command, host: str) -> None:
    result = workbench("serve", "--host", host)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert "no login" in result.err and "ssh -L" in result.err


def test_without_textual_serve_it_says_how_to_have_it(workbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "workbench.commands.browser", raising=False)
    monkeypatch.setitem(sys.modules, "textual_serve.server", None)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    result = workbench("serve")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "pip install 'textual-serve" in result.err


def test_a_recipe_that_is_not_there_is_said_before_anything_is_served(workbench: Command) -> None:
    assert workbench("serve", "nowhere.toml").err == "nowhere.toml: there is no such file\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_port_that_is_taken_is_said(workbench: Command) -> None:
    pytest.importorskip("textual_serve", reason="textual-serve is not installed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = workbench("serve", "--host", "127.0.0.1", "--port", str(taken.getsockname()[1]))
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "choose another one" in result.err


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that serves the screens, and the address that it printed."""
    library = pytest.importorskip("textual_serve", reason="textual-serve is not installed")
    where = os.pathsep.join((str(REPOSITORY), str(Path(library.__file__).parents[1])))
    state = {"XDG_STATE_HOME": str(tmp_path / "state"), "OMP_NUM_THREADS": "1", "PYTHONPATH": where}
    arguments = ("serve", "digits", "--device", "cpu", "--port", str(free_port()))
    process = start(tmp_path, *arguments, **state)
    assert process.stdout is not None
    said = process.stdout.readline() + process.stdout.readline()
    address = re.search(r"http://\S+", said)
    assert address is not None and "ssh -L" in said
    yield process, address[0]
    process.kill()
    process.wait()
    process.stdout.close()
    if process.stderr is not None:
        process.stderr.close()


def screens_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes behind the pages that are open."""
    return [child for child in psutil.Process(process.pid).children() if "workbench" in " ".join(child.cmdline())]


def ended_quietly(process: subprocess.Popen[str], seen: list[psutil.Process]) -> None:
    """The server ended as it was asked to, without a word, and the one page's screens before it."""
    assert process.wait(GIVE_UP) == 0
    assert process.stderr is not None and process.stderr.read() == ""
    assert len(seen) == 1 and not seen[0].is_running()


def on_the_page(address: str, do: Callable[[Any], Awaitable[None]]) -> None:
    """Open a page as a browser does, and do something with its socket until it is closed."""
    import aiohttp

    async def work() -> None:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            await (await session.get(address)).read()
            socket_address = address.split("/?")[0].replace("http", "ws") + "/ws?width=100&height=30"
            async with asyncio.timeout(GIVE_UP), session.ws_connect(socket_address) as page:
                await do(page)

    asyncio.run(work())


async def shown(page: Any, text: str) -> None:
    """Wait until a text was drawn."""
    seen = ""
    while text not in seen:
        seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", (await page.receive_bytes()).decode(errors="replace"))


def test_only_who_has_the_key_sees_the_page(served: tuple[subprocess.Popen[str], str]) -> None:
    import aiohttp

    process, address = served
    plain = address.split("?")[0]

    async def statuses() -> list[int]:
        found = []
        for url, headers in (
            (address, WITHOUT_ORIGIN),
            (plain, WITHOUT_ORIGIN),
            (plain + "?key=guessed", WITHOUT_ORIGIN),
            (plain + "ws", WITHOUT_ORIGIN),
            (address, {"Host": "elsewhere.example"}),
            (address.replace("/?", "/ws?"), {"Origin": "http://elsewhere.example"}),
        ):
            async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
                found.append(answer.status)
        return found

    assert asyncio.run(statuses()) == [200, 403, 403, 403, 403, 403]
    assert not screens_of(process)


def test_a_run_begun_on_a_page_goes_on_when_it_is_closed(
    served: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    process, address = served

    async def begin(page: Any) -> None:
        await shown(page, "batch_norm")
        await page.send_json(["stdin", "r"])
        while not (tmp_path / "runs").is_dir() or not any(found.state == "running" for found in list_runs(runs)):
            await asyncio.wait_for(page.receive(), GIVE_UP)

    runs = tmp_path / "runs"
    on_the_page(address, begin)
    wait_for(lambda: not screens_of(process))
    wait_for(lambda: [found.state for found in list_runs(runs)] == ["finished"])
    assert process.poll() is None


def test_ending_the_server_ends_the_screens_at_once(served: tuple[subprocess.Popen[str], str]) -> None:
    process, address = served
    seen: list[psutil.Process] = []

    async def end(page: Any) -> None:
        await shown(page, "batch_norm")
        seen.extend(screens_of(process))
        process.send_signal(signal.SIGTERM)
        while not (await page.receive()).type.name.startswith("CLOS"):
            pass

    on_the_page(address, end)
    ended_quietly(process, seen)


def test_ending_the_server_as_a_page_is_closed_is_quiet(served: tuple[subprocess.Popen[str], str]) -> None:
    process, address = served

    seen: list[psutil.Process] = []

    async def see(page: Any) -> None:
        await shown(page, "batch_norm")
        seen.extend(screens_of(process))

    on_the_page(address, see)
    process.send_signal(signal.SIGTERM)
    ended_quietly(process, seen)


def test_the_screens_end_where_the_server_was_killed(served: tuple[subprocess.Popen[str], str]) -> None:
    process, address = served
    seen: list[psutil.Process] = []

    async def kill(page: Any) -> None:
        await shown(page, "batch_norm")
        seen.extend(screens_of(process))
        process.kill()
        while not (await page.receive()).type.name.startswith("CLOS"):
            pass

    on_the_page(address, kill)
    assert len(seen) == 1
    wait_for(lambda: not seen[0].is_running() or seen[0].status() == psutil.STATUS_ZOMBIE)
