"""The screens in a real Chromium: they are drawn, keys arrive without a click, a run outlives the closed tab.

``WORKBENCH_CHROMIUM`` names the browser where none is on the path.
"""

from __future__ import annotations

import asyncio
import base64
import io
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.test_serve import screens_of, served  # noqa: F401
from tests.waiting import GIVE_UP, wait_for
from workbench.runs.find.listing import list_runs

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = os.environ.get("WORKBENCH_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)

pytestmark = [
    pytest.mark.terminal,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium (WORKBENCH_CHROMIUM names one)"),
]


class Tab:
    """A page of the browser, spoken to in its own protocol (DevTools)."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._asked = 0

    async def ask(self, method: str, **parameters: Any) -> Any:
        """Ask for something and wait for the answer."""
        self._asked += 1
        await self._socket.send_json({"id": self._asked, "method": method, "params": parameters})
        while True:
            answer = await self._socket.receive_json()
            if answer.get("id") == self._asked:
                return answer["result"]

    async def open(self, address: str) -> None:
        """Go to an address and wait until the screens are drawn there."""
        await self.ask("Emulation.setFocusEmulationEnabled", enabled=True)  # as a window in front has it
        await self.ask("Page.navigate", url=address)
        end = time.monotonic() + GIVE_UP
        while "-first-byte" not in await self.value("document.body.className"):
            assert time.monotonic() < end
            await asyncio.sleep(0.1)

    async def value(self, expression: str) -> str:
        """What an expression is on the page."""
        return str((await self.ask("Runtime.evaluate", expression=expression))["result"].get("value", ""))

    async def press(self, key: str) -> None:
        """Press and release a key that is a letter."""
        code = {"windowsVirtualKeyCode": ord(key.upper()), "key": key}
        await self.ask("Input.dispatchKeyEvent", type="keyDown", text=key, **code)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", **code)

    async def picture(self) -> Image.Image:
        """What the browser shows."""
        shot = await self.ask("Page.captureScreenshot", format="png")
        return Image.open(io.BytesIO(base64.b64decode(shot["data"]))).convert("RGB")


def lit(picture: Image.Image) -> float:
    """The share of a picture that is brighter than the screens' background."""
    shades = picture.convert("L").histogram()
    return sum(shades[60:]) / sum(shades)


@pytest.mark.slow
def test_a_browser_shows_the_screens_and_closing_it_ends_no_run(
    served: tuple[subprocess.Popen[str], str],  # noqa: F811
    tmp_path: Path,
) -> None:
    import aiohttp

    process, address = served
    runs = tmp_path / "runs"
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    command += ["--window-size=1300,800", f"--user-data-dir={tmp_path / 'profile'}", "about:blank"]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert browser.stderr is not None

    async def look() -> None:
        said = await asyncio.to_thread(lambda: next(line for line in browser.stderr if "DevTools listening" in line))
        found = re.search(r"ws://([^/]+)/", said)
        assert found is not None
        async with aiohttp.ClientSession() as session, asyncio.timeout(GIVE_UP):
            pages = await (await session.get(f"http://{found[1]}/json/list")).json(content_type=None)
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                await tab.open(address)
                while lit(await tab.picture()) < 0.05:  # the samples are there too
                    await asyncio.sleep(0.2)
                (await tab.picture()).save(tmp_path / "compose.png")
                await tab.press("r")
                while not runs.is_dir() or not any(run.state == "running" for run in list_runs(runs)):
                    await asyncio.sleep(0.2)
                await asyncio.sleep(1.5)  # a turn of the screens
                (await tab.picture()).save(tmp_path / "run.png")

    try:
        asyncio.run(look())
        assert screens_of(process)
    finally:
        browser.kill()
        browser.wait()
        browser.stderr.close()
    wait_for(lambda: not screens_of(process))
    wait_for(lambda: [run.state for run in list_runs(runs)] == ["finished"])
    compose, run = (Image.open(tmp_path / f"{name}.png") for name in ("compose", "run"))
    assert compose.size == run.size
    bar = (40, 42, 300, 52)  # the progress bar's left end on the Run screen
    assert compose.crop(bar).tobytes() != run.crop(bar).tobytes()
