"""Versions of Python and of what the workbench stands on, against those that it was tested with."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from dataclasses import dataclass, field

from workbench.doctor.finding import Finding, numbers
from workbench.doctor.worker import Failure

GROUP = "versions"

TESTED = {
    "python": ("3.11", "3.14"),
    "torch": ("2.11", "2.15"),
    "torchvision": ("0.26", "0.29"),
    "textual": ("8.2", "8.2"),
    "pydantic": ("2.9", "2.14"),
    "numpy": ("1.26", "2.5"),
    "pillow": ("10.4", "13.0"),
    "scikit-learn": ("1.5", "1.9"),
    "scipy": ("1.11", "1.18"),
    "safetensors": ("0.4.5", "0.8"),
    "typer": ("0.20", "0.29"),
    "rich": ("13.9", "15.0"),
}
"""The lowest and the highest version of each that the tests have passed with."""


@dataclass(frozen=True)
class Versions:
    """Installed versions by name, None where one is missing; wants: torchvision's wish of torch, such as ">=2.14"."""

    installed: dict[str, str | None] = field(default_factory=dict)
    wants: str = ""


def look() -> Versions:
    """What is installed, without importing any of it."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in TESTED:
        if name != "python":
            try:
                found[name] = importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                found[name] = None
    wants = ""
    if found["torchvision"]:
        asked = [text for text in importlib.metadata.requires("torchvision") or () if re.match(r"torch\b(?!v)", text)]
        wants = asked[0].removeprefix("torch").strip(" ()") if asked else ""
    return Versions(found, wants)


def judge(found: Versions | Failure) -> list[Finding]:
    """One line for all that lies within, and one for each that does not."""
    if isinstance(found, Failure):
        return [Finding(GROUP, "packages", "warn", found.reason, "versions are not known", INSTALL)]
    lines, inside = [], []
    for name, text in found.installed.items():
        low, high = TESTED.get(name, ("0", "999999"))
        if text is None:
            lines.append(Finding(GROUP, name, "broken", "not installed", "the workbench needs it", INSTALL))
        elif _parts(text) < _parts(low):
            meaning = f"older than {low}, the lowest that works"
            lines.append(Finding(GROUP, name, "broken", text, meaning, f"uv pip install '{name}>={low}'"))
        elif _parts(text)[: len(_parts(high))] > _parts(high):
            lines.append(Finding(GROUP, name, "note", text, f"newer than {high}, the newest that was tested"))
        else:
            inside.append(f"{name} {text}")
    torch, vision = found.installed.get("torch"), found.installed.get("torchvision")
    if torch and vision and not _suits(torch, found.wants):
        text = f"torchvision {vision} wants torch {found.wants}, here is {torch}"
        remedy = "install both together: uv pip install --torch-backend=auto torch torchvision"
        lines.append(Finding(GROUP, "torchvision", "broken", text, "it may not even be imported", remedy))
    if inside:
        lines.insert(0, Finding(GROUP, "packages", "ok", ", ".join(inside), "within the tested versions"))
    return lines


INSTALL = "install the workbench anew (uv sync, or uv pip install -e .)"


def _suits(version: str, wants: str) -> bool:
    """Whether a version is what ``>=2.14`` or ``==2.11.0`` asks for; anything else is taken to be so."""
    match = re.fullmatch(r"(>=|==)\s*([\d.]+)", wants)
    if match is None:
        return True
    here, there = _parts(version), _parts(match[2])
    return here >= there if match[1] == ">=" else here[: len(there)] == there


def _parts(version: str) -> tuple[int, ...]:
    return numbers(re.split(r"[+a-z]", version)[0])
