"""``workbench serve``: the screens in a browser."""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import sys
from typing import Annotated

import typer

from workbench.commands import options
from workbench.commands.loopback import bracketed, need_loopback
from workbench.commands.options import Settings, settings_of
from workbench.commands.output import complain, say
from workbench.recipe.errors import InputError
from workbench.runs.find.resolve import resolve_recipe
from workbench.runs.launch import child_environment

PORT = 8000


def serve(
    context: typer.Context,
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECIPE]", help="A recipe to open the screens on.", autocompletion=options.complete_recipe
        ),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where the page is.")] = PORT,
    host: Annotated[str, typer.Option("--host", help="A loopback address of this machine, no other.")] = "localhost",
    device: options.Device = None,
    runs: options.Runs = None,
    data_root: options.DataRoot = None,
    plugin: options.PluginFiles = None,
    debug: options.Debug = False,
) -> None:
    """Show the screens in a browser, on this machine alone; from another one through ssh -L.

    Runs are trained in the background: closing the page, or ending this command, ends none. Whoever has the address,
    which holds a key, can do what you can; other users of this machine cannot read it.

    \b
    Examples:
      workbench serve
      workbench serve mine.toml --port 8080
    """
    settings = settings_of(context, runs=runs, data_root=data_root, device=device, plugin=plugin, debug=debug)
    need_loopback(host)
    path = None if recipe is None else resolve_recipe(recipe, settings.runs, complain)
    try:
        from workbench.commands.browser import Page
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "workbench":
            raise
        raise InputError(
            f"the screens in a browser need textual-serve ({error.name} is missing); "
            "install it with: pip install 'textual-serve>=1.1'"
        ) from None
    os.environ.update(child_environment())  # the pages' processes find this workbench, too
    page = Page(command_line(settings, None if path is None else str(path)), host, port)

    def told(_: str) -> None:
        say(f"the screens are on {page.address} (Ctrl-C ends that; runs go on)")
        say(f"from another machine: ssh -L {port}:{bracketed(host)}:{port} {getpass.getuser()}@{socket.gethostname()}")
        say("and then the same address there")

    try:
        page.show(told)
    except OSError as error:
        raise InputError(f"--port {port}: {os.strerror(error.errno or 0)}; choose another one") from None


def command_line(settings: Settings, recipe: str | None) -> str:
    """What a page starts, for a shell: the screens with the same settings."""
    words = [sys.executable, "-P", "-m", "workbench", "--device", settings.device]
    words += ["--runs", str(settings.runs), "--data-root", str(settings.data_root)]
    given = settings.plugins[len(settings.user.defaults.plugins) :]  # a page reads the user's settings itself
    for plugin in given:
        words += ["--plugin", str(plugin)]
    if recipe is not None:
        words += ["--recipe", recipe]
    return f"exec {shlex.join(words)}"
