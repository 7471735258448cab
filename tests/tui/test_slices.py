"""The slices of the screens: who may import whom, that nothing goes in circles, and where Textual's inside is used."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

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
