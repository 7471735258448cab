"""What a spec's fields say about themselves, for forms, help texts and error messages."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_BOUNDS = (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))


@dataclass(frozen=True)
class Parameter:
    """One parameter of a spec.

    kind is one of ``"switch"``, ``"choice"``, ``"integer"``, ``"number"``, ``"text"``, ``"list"``;
    ``optional`` says that it may be left out altogether (its value is then None). ``label`` is its name in few words.
    ``path``: whether it is a text that names a folder. ``members``: what a list has, ``"numbers"``, ``"texts"``, ….
    """

    name: str
    kind: str
    default: Any
    required: bool
    optional: bool
    bounds: str
    choices: tuple[Any, ...]
    unit: str
    description: str
    length: str = ""
    label: str = ""
    path: bool = False
    members: str = ""

    @property
    def expected(self) -> str:
        """What to write, in words: ``a number ≥ 0, < 1``."""
        if self.choices:
            return "one of " + ", ".join(repr(c) if isinstance(c, str) else str(c) for c in self.choices)
        word = {
            "switch": "true or false",
            "integer": "a whole number",
            "number": "a number",
            "text": "a text in quotes",
            "list": "a list in brackets",
        }[self.kind]
        return word + self._limits()

    @property
    def asked(self) -> str:
        """The same for whoever fills in a form and writes no TOML: ``a path``, ``numbers with commas between``."""
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        if self.kind == "list":
            return f"{self.members} with commas between{self._limits()}"
        words = {"switch": "yes or no", "text": "a path" if self.path else "a text"}
        return words[self.kind] + self._limits() if self.kind in words else self.expected

    def _limits(self) -> str:
        return (f" {self.bounds}" if self.bounds else "") + (f", {self.length}" if self.length else "")


def parameters(spec: type[BaseModel]) -> dict[str, Parameter]:
    """The parameters of a spec class in the order of their definition."""
    return {name: _parameter(name, info) for name, info in spec.model_fields.items()}


def _parameter(name: str, info: FieldInfo) -> Parameter:
    annotation: Any = info.annotation
    optional = False
    if get_origin(annotation) in (Union, types.UnionType):
        members = [a for a in get_args(annotation) if a is not type(None)]
        optional = len(members) < len(get_args(annotation))
        annotation = members[0]
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    kind = _kind(annotation, choices)
    return Parameter(
        name=name,
        kind=kind,
        default=None if info.default is PydanticUndefined else info.default,
        required=info.is_required(),
        optional=optional,
        bounds=_bounds(info),
        choices=choices,
        unit=str(extra.get("unit", "")),
        description=info.description or "",
        length=_length(info) if get_origin(annotation) in (tuple, list) else "",
        label=str(extra.get("label", "")) or name.replace("_", " "),
        path=bool(extra.get("path")),
        members=_members(annotation) if kind == "list" else "",
    )


def _kind(annotation: Any, choices: tuple[Any, ...]) -> str:
    if choices:
        return "choice"
    if get_origin(annotation) in (tuple, list):
        return "list"
    return {bool: "switch", int: "integer", float: "number"}.get(annotation, "text")


def _members(annotation: Any) -> str:
    kinds = {_kind(member, ()) for member in get_args(annotation) if member is not ...}
    words = {"integer": "whole numbers", "number": "numbers", "text": "texts", "list": "lists in brackets"}
    return words.get(kinds.pop(), "values") if len(kinds) == 1 else "values"


def _length(info: FieldInfo) -> str:
    least = max((getattr(c, "min_length", None) or 0 for c in info.metadata), default=0)
    most = [m for c in info.metadata if (m := getattr(c, "max_length", None)) is not None]
    if not most:
        return f"at least {least} long" if least else ""
    return f"{least} to {min(most)} long" if least else f"at most {min(most)} long"


def _bounds(info: FieldInfo) -> str:
    found = []
    for attribute, sign in _BOUNDS:
        for constraint in info.metadata:
            value = getattr(constraint, attribute, None)
            if value is not None:
                found.append(f"{sign} {value}")
    return ", ".join(found)
