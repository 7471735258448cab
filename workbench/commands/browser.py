"""The screens as a page: textual-serve's server, for whoever has the key in the address and for nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import psutil
from aiohttp import web
from textual_serve.server import Server

from workbench.commands.loopback import bracketed, need_loopback
from workbench.recipe.errors import InputError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

NOTHING_FROM_ELSEWHERE = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self' ws:"
)
"""textual-serve's page asks another host for a font; on a machine that reaches none it would wait for it."""

PATIENCE = 10.0
"""Seconds that the end of the screens is waited for at most."""

KEYBOARD = (
    "new MutationObserver(() => document.querySelector('.xterm-helper-textarea')?.focus())"
    ".observe(document.body, {attributes: true, attributeFilter: ['class']})"
)
"""The body's class changes when the first byte of the screens is there."""


class Page(Server):
    """Serves one process of the screens to each page that is opened.

    A loopback address is open to every user of a machine and to every page in the user's browser. So the page wants a
    key, which the address has when it is first opened and a cookie from then on; it answers only to a loopback name
    (another page may have pointed a name of its own here), and its socket only to itself.
    """

    def __init__(self, command: str, host: str, port: int) -> None:
        super().__init__(command, host=host, port=port, title="workbench")
        self._key = secrets.token_urlsafe(16)
        self._cookie = f"workbench-{port}"
        self._pages: set[asyncio.Task[object]] = set()
        self.address = f"http://{bracketed(host)}:{port}/?key={self._key}"

    def show(self, told: Callable[..., None]) -> None:
        """Serve until Ctrl-C or SIGTERM; ``told`` hears that it has begun. Raises OSError where the port is taken."""
        logging.basicConfig(level=logging.WARNING, format="%(message)s")
        web.run_app(self._make_app(), host=self.host, port=self.port, print=told, access_log=None)

    async def on_startup(self, app: web.Application) -> None:
        """Silent: the command says where the page is."""

    async def on_shutdown(self, app: web.Application) -> None:
        """Ends the screens of the pages that are open; aiohttp would wait a minute for somebody to close them."""
        for page in self._pages:
            page.cancel()
        await asyncio.gather(*self._pages, return_exceptions=True)
        # Textual-serve waits for what the screens say, not for their process: asyncio complains of one whose end it has
        # not seen when its loop is closed.
        end = time.monotonic() + PATIENCE
        while psutil.Process().children() and time.monotonic() < end:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.02)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        app.middlewares.append(guarded)
        return app

    async def handle_index(self, request: web.Request) -> web.Response:
        """The page, and the keyboard for it at once: textual-serve's wants a click first."""
        page = await super().handle_index(request)
        assert isinstance(page, web.Response)
        page.text = (page.text or "").replace("</body>", f"<script>{KEYBOARD}</script></body>")
        return page

    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not _loopback(request.host):
            raise web.HTTPForbidden(text="open this page as localhost")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text="asked for by another page")
        given = request.query.get("key", "")
        if not any(hmac.compare_digest(key, self._key) for key in (given, request.cookies.get(self._cookie, ""))):
            raise web.HTTPForbidden(text="open the whole address that workbench serve has printed, with its key")
        # Through ssh -L the page may have another port there than here: what it loads comes from where it came from.
        self.public_url = f"http://{request.host}"
        page = asyncio.current_task() if request.path == "/ws" else None
        if page is not None:
            self._pages.add(page)
            page.add_done_callback(self._pages.discard)
        response = await handler(request)
        if given and not response.prepared:
            response.set_cookie(self._cookie, self._key, httponly=True, samesite="Strict")
            response.headers["Content-Security-Policy"] = NOTHING_FROM_ELSEWHERE
            response.headers["Referrer-Policy"] = "no-referrer"
        return response


def _loopback(host: str) -> bool:
    """Whether a request was made under a name of this machine; host: with a port."""
    with contextlib.suppress(ValueError, InputError):
        need_loopback(urlsplit(f"//{host}").hostname or "")
        return True
    return False
