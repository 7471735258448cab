"""A user's own techniques, models and data sources, from files that the user names. A recipe alone never loads one."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workbench.storage.regular import MIDDLING, read_text


class PluginError(Exception):
    """A plugin file that cannot be read or that fails while it is loaded."""


@dataclass(frozen=True)
class Plugin:
    """A loaded plugin file; run directories keep its source and hash."""

    path: Path
    text: str

    @property
    def sha256(self) -> str:
        """Hex digest of the file's text as it was loaded."""
        return hashlib.sha256(self.text.encode()).hexdigest()


_loaded: dict[Path, Plugin] = {}


def load_plugin(path: Path) -> Plugin:
    """Execute a plugin file; the specs that it defines register themselves. Loading one twice does nothing."""
    path = path.resolve()
    if path in _loaded:
        return _loaded[path]
    try:
        text = read_text(path, MIDDLING)
    except (OSError, UnicodeDecodeError) as error:
        raise PluginError(f"plugin {path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return _execute(Plugin(path, text))


def adopt_plugins(plugins: Iterable[Plugin]) -> None:
    """Load what another process has loaded, as it was loaded there: its files may have changed or gone since.

    What that process pickled by the name of a plugin's module can be unpickled here afterwards.
    """
    for plugin in plugins:
        if plugin.path not in _loaded:
            _execute(plugin)


def _execute(plugin: Plugin) -> Plugin:
    path = plugin.path
    name = f"workbench_plugin_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"plugin {path}: is not a Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        exec(compile(plugin.text, path, "exec"), module.__dict__)
    except SystemExit as left:  # a script that takes our arguments for its own
        del sys.modules[name]
        raise PluginError(
            f"plugin {path}: it calls sys.exit({left.code!r}) while it is loaded; "
            'put what a script does under: if __name__ == "__main__":'
        ) from left
    except Exception as error:
        del sys.modules[name]
        raise PluginError(f"plugin {path}{_line(error, path)}: {type(error).__name__}: {_words(error)}") from error
    _loaded[path] = plugin
    return plugin


def _line(error: Exception, path: Path) -> str:
    """The line of the file that an error is about, as ``:12``; "" where none can be told."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f":{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f":{lines[-1]}" if lines else ""


def _words(error: Exception) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)


def load_plugins(names: Iterable[str]) -> list[Path]:
    """Load several files, ``~`` understood; their paths. Raises PluginError for the first that cannot be loaded."""
    paths = [Path(name).expanduser() for name in names]
    for path in paths:
        load_plugin(path)
    return paths


def loaded_plugins() -> tuple[Plugin, ...]:
    """The plugins of this process, in the order of loading."""
    return tuple(_loaded.values())
