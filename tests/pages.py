"""Pages of ``docs`` that are made from the code: ``uv run python -m tests.pages`` writes them anew.

``techniques.md`` is so as a whole; of ``architecture.md`` the list of all files is.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

from workbench.hooks import Hooks, SingleHook
from workbench.recipe.parameters import parameters
from workbench.recipe.registries import TECHNIQUES
from workbench.techniques.base import GROUPS

ROOT = Path(__file__).resolve().parent.parent
TECHNIQUES_PAGE = ROOT / "docs" / "techniques.md"
ARCHITECTURE_PAGE = ROOT / "docs" / "architecture.md"
FILES = "## Every file\n"
"""The heading below which ``architecture.md`` is made from the first lines of the modules."""

HEAD = """\
# Techniques and hooks

Made from the classes in `workbench/techniques` and from `workbench/hooks.py` by `uv run python -m tests.pages`; a
test keeps it equal to them. `workbench techniques NAME` shows the same in a terminal.
"""


def techniques_page() -> str:
    """The whole text of ``techniques.md``."""
    built_in = [technique for technique in TECHNIQUES if technique.__module__.startswith("workbench.")]
    parts = [HEAD, _hooks()]
    for group in GROUPS:
        parts.append(f"## {group[0].upper()}{group[1:]}\n")
        parts += [_technique(technique) for technique in built_in if technique.group == group]
    return "\n".join(parts)


def _hooks() -> str:
    picture = textwrap.dedent((Hooks.__doc__ or "").split("::\n")[1].split("Each function knows")[0]).strip()
    rows = [
        f"| `{name}` | {'one' if isinstance(hook, SingleHook) else 'any'} | `{_signature(name)}` | {hook.about} |"
        for name, hook in Hooks().every()
    ]
    table = "\n".join(("| hook | functions | signature | what they do |", "|---|---|---|---|", *rows))
    return f"""\
## Hooks

A technique registers functions: `build.hooks.after_step.add(function)` in its `register`. Where several are registered
they are called in the order of their ranks, then of their techniques' names. This is a training with every hook in its
place:

```
{picture}
```

{table}
"""


def _signature(name: str) -> str:
    """``Hook[[Tensor, SampleRng], Tensor]`` as ``(Tensor, SampleRng) -> Tensor``."""
    found = re.fullmatch(r"\w+\[\[(.*)\], (.*)\]", Hooks.__annotations__[name])
    assert found is not None
    return f"({found[1]}) -> {found[2]}"


def _technique(technique: Any) -> str:
    lines = [f"### {technique.name}\n", f"{technique.about()}\n"]
    if technique.tradeoff:
        lines.append(f"Trade-off: {technique.tradeoff}\n")
    if technique.source:
        lines.append(f"Source: {technique.source}\n")
    lines += [f"Needs {need.technique or need.capability}: {need.why}\n" for need in technique.needs]
    lines += [f"Not with `{name}`: {why}\n" for name, why in technique.excludes.items()]
    own = [each for each in parameters(technique).values() if each.name != "enabled"]
    if own:
        lines += ["| parameter | default | expected | unit | meaning |", "|---|---|---|---|---|"]
        lines += [f"| `{p.name}` | `{p.default}` | {p.expected} | {p.unit} | {p.description} |" for p in own]
        lines.append("")
    where = Path(inspect.getfile(technique)).name
    lines.append(f"`workbench/techniques/{where}`\n")
    return "\n".join(lines)


def architecture_page() -> str:
    """``architecture.md`` with its list of files as they are."""
    written = ARCHITECTURE_PAGE.read_text(encoding="utf-8").partition(FILES)[0]
    return f"{written}{FILES}\n{''.join(_folder(folder) for folder in _folders())}"


def _folders() -> list[Path]:
    return sorted({path.parent for path in (ROOT / "workbench").rglob("*.py")})


def _folder(folder: Path) -> str:
    lines = [f"### {folder.relative_to(ROOT)}\n"]
    if about := _first_line(folder / "__init__.py"):
        lines.append(f"{about}\n")
    paths = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
    lines += [f"- `{path.name}`: {_first_line(path)}" for path in paths]
    return "\n".join(lines) + "\n\n"


def _first_line(path: Path) -> str:
    found = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(found.partition("\n\n")[0].split())


if __name__ == "__main__":
    TECHNIQUES_PAGE.write_text(techniques_page(), encoding="utf-8")
    ARCHITECTURE_PAGE.write_text(architecture_page(), encoding="utf-8")
