"""The slices of the screens: who may import whom, that nothing goes in circles, and where Textual's inside is used."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from functools import cache
from pathlib import Path

import pytest
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.timer import Timer

TUI = Path(__file__).resolve().parent.parent.parent / "workbench" / "tui"
SCREENS = ("compose", "run", "profile", "runs")
BELOW = {
    "compat": set[str](),
    "common": {"compat"},
    "charts": {"common", "compat"},
    **{screen: {"charts", "common", "compat"} for screen in SCREENS},
    "app": {*SCREENS, "charts", "common", "compat"},
}
"""Each folder may import those named beside it, and itself; inside functions and for type checking, too."""


def module(path: Path) -> str:
    return path.relative_to(TUI).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


MODULES = {module(path): path for path in sorted(TUI.rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """The modules of the screens that a file imports, wherever it does so."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(name if name.removeprefix("workbench.tui.") in MODULES else str(node.module) for name in names)
    return {name.removeprefix("workbench.tui.") for name in found if name.startswith("workbench.tui.")}


def test_every_folder_has_its_place() -> None:
    assert {path.name for path in TUI.iterdir() if (path / "__init__.py").exists()} == set(BELOW)


@pytest.mark.parametrize("folder", BELOW)
def test_a_slice_imports_neither_the_app_nor_another_slice(folder: str) -> None:
    for name, path in MODULES.items():
        if name.split(".")[0] == folder:
            for target in imports(path):
                assert target.split(".")[0] in BELOW[folder] | {folder}, f"{name} imports {target}"


def test_no_imports_in_circles() -> None:
    graph = {name: imports(path) & set(MODULES) for name, path in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join((*way[way.index(name) :], name))
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_threads_are_started_in_one_way() -> None:
    """The training is a plain thread of its own, which nothing of the screens waits for or is told by."""
    for name, path in MODULES.items():
        if name not in ("common.background", "app.training"):
            assert "Thread(" not in path.read_text(), name


def compat(name: str) -> bool:
    return name.split(".")[0] == "compat"


def test_private_modules_of_textual_are_imported_in_compat_alone() -> None:
    for name, path in MODULES.items():
        found = re.findall(r"(?:from|import) (textual(?:\.\w+)*\._\w+)", path.read_text())
        assert compat(name) or not found, f"{name} imports {found}"


@cache
def private(kind: type) -> frozenset[str]:
    """The private names that a class defines, or that its methods set or read of itself."""
    defined = r"\bself\.(_[a-z]\w*)|^    (?:async )?def (_[a-z]\w*)|^    (_[a-z]\w*) ?[:=]"
    return frozenset(filter(None, (n for found in re.findall(defined, inspect.getsource(kind), re.M) for n in found)))


def test_private_names_of_textuals_classes_are_used_in_compat_alone() -> None:
    """Nor is one of our own called like one of Textual's in the same object: it would take its place."""
    for name in MODULES:
        defined = vars(importlib.import_module(f"workbench.tui.{name}".rstrip("."))).values()
        for kind in {c for c in defined if inspect.isclass(c) and c.__module__ == f"workbench.tui.{name}"}:
            inside = {n for base in kind.__mro__ if base.__module__.startswith("textual.") for n in private(base)}
            if inside and not compat(name):
                assert not private(kind) & inside, f"{name}.{kind.__name__}: {private(kind) & inside}"


def test_private_names_of_textuals_objects_are_asked_for_in_compat_alone() -> None:
    inside = {n for kind in (App, Screen, ScrollView, LinuxDriver, Timer, Message) for base in kind.__mro__
              if base.__module__.startswith("textual.") for n in private(base)}  # fmt: skip
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in inside and not compat(name):
                assert ast.unparse(node.value) in ("self", "os"), f"{name}:{node.lineno}: {ast.unparse(node)}"
