"""``docs/techniques.md``, made from what the classes say: ``python -m tests.techniques_page`` writes it anew."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

from workbench.hooks import Hooks, SingleHook
from workbench.recipe.parameters import parameters
from workbench.recipe.registries import TECHNIQUES
from workbench.techniques.base import GROUPS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "techniques.md"

HEAD = """\
# Techniques and hooks

Made from the classes in `workbench/techniques` and from `workbench/hooks.py` by `python -m tests.techniques_page`; a
test keeps it equal to them. `workbench techniques NAME` shows the same in a terminal.
"""


def page() -> str:
    """The whole text."""
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
        lines.append(f"Price and gain: {technique.tradeoff}\n")
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


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
