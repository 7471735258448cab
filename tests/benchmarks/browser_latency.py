"""How long a key takes in a browser: from its press to the answer at the page, and until the page has painted after it.

    python -m tests.benchmarks.browser_latency [--keys 60]

Serves the digits recipe with ``workbench serve`` and opens it in a headless Chromium (WORKBENCH_CHROMIUM names one that
is not on the path). Answer: the first bytes that come over the page's socket after a press. Painted: the second frame
of the browser after them, so a frame more than what is seen.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import aiohttp

from tests.end_to_end.test_browser import BROWSER, Tab
from tests.test_serve import free_port

CLOCK = """
(() => {
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    if (!this.timed) {
      this.timed = true;
      this.addEventListener("message", () => {
        if (window.pressed && !window.answered) {
          window.answered = performance.now() - window.pressed;
          requestAnimationFrame(() => requestAnimationFrame(() => {
            window.painted = performance.now() - window.pressed;
          }));
        }
      });
    }
    return send.call(this, data);
  };
  addEventListener("keydown", () => {
    window.answered = window.painted = 0;
    window.pressed = performance.now();
  }, true);
})();
"""


async def timed(tab: Tab, key: str) -> tuple[float, float]:
    """Milliseconds from a press to its answer, and to the frame after it."""
    await tab.press(key)
    for _ in range(100):
        await asyncio.sleep(0.05)
        if painted := float(await tab.value("window.painted || 0")):
            return float(await tab.value("window.answered")), painted
    raise SystemExit("a key was not answered within 5 s")


async def measure(debugger: str, address: str, keys: int) -> list[tuple[float, float]]:
    """The same for so many keys that move a cursor, one after the other."""
    async with aiohttp.ClientSession() as session:
        pages = await (await session.get(f"http://{debugger}/json/list")).json(content_type=None)
        async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            tab = Tab(socket)
            await tab.ask("Page.enable")
            await tab.ask("Page.addScriptToEvaluateOnNewDocument", source=CLOCK)
            await tab.open(address)
            await asyncio.sleep(15)  # until the preview has said all
            return [await timed(tab, "j" if number % 20 < 10 else "k") for number in range(keys)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=60)
    keys = parser.parse_args().keys
    if BROWSER is None:
        raise SystemExit("there is no Chromium; WORKBENCH_CHROMIUM names one")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "workbench", "serve", "digits", "--device", "cpu", "--port", str(free_port())]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder)
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--window-size=1300,800"]
        options += [f"--user-data-dir={Path(folder, 'profile')}", "about:blank"]
        browser = subprocess.Popen(
            [str(BROWSER), *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None and browser.stderr is not None
            address = re.search(r"http://\S+", server.stdout.readline() + server.stdout.readline())
            said = next(line for line in browser.stderr if "DevTools listening" in line)
            debugger = re.search(r"ws://([^/]+)/", said)
            assert address is not None and debugger is not None
            found = asyncio.run(measure(debugger[1], address[0], keys))
        finally:
            for process in (browser, server):
                process.terminate()
                process.wait()
    for what, times in zip(("answer", "painted"), zip(*found, strict=True), strict=True):
        ordered = sorted(times)
        print(f"{what}: p50 {statistics.median(ordered):.1f} ms, p95 {ordered[int(0.95 * len(ordered))]:.1f} ms, "
              f"{len(ordered)} keys")  # fmt: skip


if __name__ == "__main__":
    main()
