"""The floors of the house: who may import whom, and what may never be imported early."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "workbench"

# Each floor may import those named after it (and itself), at module level or inside functions.
FLOORS = {
    "visible": set(),
    "printing": {"visible"},
    "format": {"visible"},
    "filesystem": {"format"},
    "storage": {"filesystem", "format", "visible"},
    "recipe": {"filesystem", "format", "storage", "visible"},
    "graphics": set(),
    "step": set(),
    "randomness": {"torch_compat"},
    "events": {"storage"},
    "control": set(),
    "cores": set(),
    "memory": set(),
    "out_of_memory": set(),
    "device_lost": {"out_of_memory"},
    "torch_compat": set(),
    "precision": {"torch_compat"},
    "tensors": {"torch_compat"},
    "registered": {"device_lost", "out_of_memory"},
    "hooks": {"models", "precision", "randomness", "recipe", "registered", "step"},
    "sentences": {"events", "format"},
    "evaluation": {"filesystem", "format", "storage"},
    "models": {"recipe", "device_lost", "out_of_memory"},
    "image_operations": {"randomness"},
    "optimizers": {"torch_compat"},
    "techniques": {
        "recipe",
        "image_operations",
        "optimizers",
        "step",
        "randomness",
        "models",
        "hooks",
        "registered",
        "precision",
        "tensors",
        "torch_compat",
    },
    "data": {
        "cores",
        "filesystem",
        "recipe",
        "storage",
        "step",
        "randomness",
        "hooks",
        "registered",
        "out_of_memory",
        "torch_compat",
    },
    "engine": {
        "format",
        "recipe",
        "storage",
        "step",
        "randomness",
        "events",
        "control",
        "hooks",
        "registered",
        "precision",
        "tensors",
        "torch_compat",
        "models",
        "data",
        "memory",
        "device_lost",
        "out_of_memory",
    },
    "checks": {
        "format",
        "recipe",
        "storage",
        "torch_compat",
        "events",
        "step",
        "data",
        "engine",
        "evaluation",
        "device_lost",
    },
    "profiling": {
        "cores",
        "recipe",
        "storage",
        "step",
        "randomness",
        "events",
        "control",
        "engine",
        "data",
        "devices",
        "precision",
        "tensors",
        "torch_compat",
        "out_of_memory",
        "device_lost",
    },
    "paths": {"recipe", "storage", "filesystem"},
    "nvml": set(),
    "gpu_signs": {"nvml"},
    "devices": {"filesystem", "format", "nvml", "gpu_signs"},
    "first_frame": set(),
    "arguments": set(),
    "entry": {"first_frame", "arguments", "cli", "tui", "commands", "memory"},
    "settings": {"filesystem", "recipe", "storage", "devices"},
    "runs": {
        "cores",
        "filesystem",
        "format",
        "out_of_memory",
        "recipe",
        "storage",
        "events",
        "control",
        "hooks",
        "registered",
        "evaluation",
        "engine",
        "checks",
        "data",
        "paths",
        "devices",
        "profiling",
        "visible",
        "device_lost",
    },
    "runs/store": {
        "cores",
        "devices",
        "engine",
        "evaluation",
        "events",
        "filesystem",
        "format",
        "recipe",
        "runs.errors",
        "storage",
        "visible",
    },
    "runs/find": {"events", "filesystem", "format", "paths", "recipe", "runs.errors", "runs.store", "storage"},
    "runs/queue": {"devices", "filesystem", "runs.errors", "runs.find", "runs.launch", "runs.store", "storage"},
    "doctor": {
        "graphics",
        "cores",
        "memory",
        "out_of_memory",
        "printing",
        "filesystem",
        "format",
        "nvml",
        "gpu_signs",
        "devices",
        "storage",
        "data",
        "recipe",
        "control",
        "events",
        "precision",
        "engine",
        "runs.launch",
    },
    "commands": {
        "cores",
        "doctor",
        "filesystem",
        "visible",
        "printing",
        "recipe",
        "storage",
        "runs",
        "paths",
        "devices",
        "settings",
        "events",
        "format",
        "evaluation",
        "sentences",
        "control",
        "data",
        "techniques",
        "checks",
        "profiling",
        "tui",
        "first_frame",
        "device_lost",
    },
    "preview": {"memory", "recipe", "events", "engine", "checks", "data", "paths", "devices", "models"},
    "tui": {
        "graphics",
        "doctor",
        "filesystem",
        "format",
        "evaluation",
        "visible",
        "printing",
        "recipe",
        "storage",
        "memory",
        "events",
        "sentences",
        "runs",
        "control",
        "paths",
        "devices",
        "settings",
        "preview",
        "profiling.report",
        "profiling.operators",
        "profiling.saved",
        "profiling.stack_tree",
        "profiling.suggestions",
        "techniques",
        "models",
        "data",
        "first_frame",
    },
}
HEAVY = {"torch", "torchvision", "sklearn", "textual", "plotext"}
MAY_IMPORT_TORCH_EARLY = (
    "engine/",
    "precision.py",
    "tensors.py",
    "torch_compat.py",
    "image_operations/",
    "optimizers/",
    "models/layers/",
    "data/",
    "doctor/trials.py",
    *(
        f"profiling/{name}.py"
        for name in (
            "bench",
            "ceilings",
            "costs",
            "floor",
            "parts",
            "profile",
            "syncs",
            "throughput",
            "timelines",
            "trial",
        )
    ),
)


def imports(path: Path, *, early: bool, members: bool = False) -> set[str]:
    """Names of the modules that a file imports; ``early`` leaves out functions, TYPE_CHECKING blocks are always.

    members: with what is imported from them, as ``module.name``.
    """
    found: set[str] = set()

    def walk(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if early and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            if isinstance(child, ast.Import):
                found.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                whole = [f"{child.module}.{alias.name}" for alias in child.names]
                found.update(whole if members or child.module == "workbench" else [child.module])
            walk(child)

    walk(ast.parse(path.read_text()))
    return found


def files(floor: str) -> list[Path]:
    single = PACKAGE / f"{floor}.py"
    return [single] if single.exists() else sorted((PACKAGE / floor).rglob("*.py"))


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_imports_only_what_lies_below(floor: str) -> None:
    allowed = FLOORS[floor] | {floor.replace("/", ".")}
    for path in files(floor):
        for module in imports(path, early=False):
            if not module.startswith("workbench."):
                continue
            target = module.removeprefix("workbench.")
            if target == "__version__":
                continue
            assert any(target == a or target.startswith(a + ".") for a in allowed), f"{path} imports {module}"


def modules() -> dict[str, set[str]]:
    """Every module of the package with those of it that it imports, at any level of its code."""
    names = {
        ".".join(("workbench", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }
    found: dict[str, set[str]] = {}
    for name, path in names.items():
        of = imports(path, early=False, members=True)
        # ``from package import module`` imports the module; ``from module import name`` is the module itself.
        found[name] = {module if module in names else module.rpartition(".")[0] for module in of} & names.keys()
    return found


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """The modules that reach themselves by way of others, each group once."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = list(graph[start])
        while ahead:
            if (module := ahead.pop()) not in seen:
                seen.add(module)
                ahead += graph.get(module, ())
        return seen

    known = {module: reached(module) for module in graph}
    groups = {frozenset(o for o in known[m] if m in known.get(o, ())) for m in graph if m in known[m]}
    return sorted(sorted(group) for group in groups)


def test_no_import_runs_in_a_circle() -> None:
    graph = modules()
    assert len(graph) > 300
    assert circles(graph) == []


def test_circles_are_found() -> None:
    graph = {"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": {"e"}, "e": set(), "f": {"f"}}
    assert circles(graph) == [["a", "b", "c"], ["f"]]


def test_torch_and_textual_are_imported_late() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE).as_posix()
        heavy = {module.split(".")[0] for module in imports(path, early=True)} & HEAVY
        if relative.startswith(MAY_IMPORT_TORCH_EARLY):
            heavy -= {"torch"}
        if relative.startswith("tui/"):
            heavy -= {"textual", "plotext"}
        assert not heavy, f"{relative} imports {heavy} when it is loaded"


def test_the_training_loop_knows_no_technique() -> None:
    text = (PACKAGE / "engine" / "train.py").read_text() + (PACKAGE / "engine" / "between_steps.py").read_text()
    for path in (PACKAGE / "techniques").glob("*.py"):
        if path.stem not in ("__init__", "base"):
            assert not re.search(rf"\b{path.stem}\b", text)


@pytest.mark.parametrize(
    "code",
    [
        "import workbench.recipe, workbench.events, workbench.runs.training.execute",
        "from workbench.recipe.registries import *; [list(r) for r in (TECHNIQUES, MODELS, SOURCES, CHECKS)]",
        "import workbench.cli",
    ],
)
def test_no_torch_before_it_is_needed(code: str) -> None:
    check = "import sys; assert not {'torch', 'torchvision', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"{code}; {check}"], check=True)


def _statements(folder: str) -> Iterator[tuple[str, ast.AST]]:
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            yield path.relative_to(PACKAGE).as_posix(), node


def test_everything_printed_passes_the_gate() -> None:
    """What is not ours must not command a terminal: see workbench.printing."""
    of_its_own = ("preview/", "runs/training/execute.py", "tui/app/training.py")  # what they print goes to a log
    for name, node in _statements("."):
        if isinstance(node, ast.Call) and not name.startswith(of_its_own):
            called = ast.unparse(node.func)
            assert called not in ("print", "typer.echo", "click.echo", "traceback.print_exc"), f"{name} uses {called}"
            assert called != "Console", f"{name}: make a VisibleConsole"


def test_titles_of_panes_take_no_markup() -> None:
    """Textual reads a title that is a text as markup; a run's name may have square brackets."""
    for name, node in _statements("tui"):
        if isinstance(node, ast.Assign):
            titled = [t for t in node.targets if isinstance(t, ast.Attribute) and t.attr.startswith("border_")]
            ours = isinstance(node.value, ast.Constant) or "Content(" in ast.unparse(node.value)
            assert not titled or ours or ast.unparse(node.value).startswith("title"), f"{name}:{node.lineno}"
