"""Specs: the small frozen classes that techniques, models, data sources and checks consist of, and the registries
that find them.

A spec's fields are its parameters, its docstring is what a person reads about it. Defining a subclass with a ``name``
registers it; a registry finds the classes of its own package, of entry points and of plugin files. No torch here.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workbench.recipe.errors import nearest, quoted

NAME = re.compile(r"\w[\w-]{0,79}")
"""What a spec can be called."""


class SpecError(Exception):
    """A spec's class is wrong, or two specs claim one name."""


def parameter(default: Any = ..., *, description: str, unit: str = "", label: str = "", **bounds: Any) -> Any:
    """A spec's parameter: a pydantic Field that also knows its unit. ``bounds`` are pydantic's (ge, gt, le, lt, …).

    label: what people call it where there is little room, such as ``lr``; without one, its name with spaces.
    """
    extra = {key: text for key, text in (("unit", unit), ("label", label)) if text}
    return Field(default, description=description, json_schema_extra=extra or None, **bounds)  # type: ignore[arg-type]


def _tuples(value: Any) -> Any:
    """TOML knows only lists; specs are frozen all the way down."""
    if isinstance(value, list):
        return tuple(_tuples(v) for v in value)
    return value


class Table(BaseModel):
    """A TOML table with strict keys and types; frozen once read."""

    # Validators are built when first used: of the many specs a recipe needs few, and a person waits for the screens.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _lists_to_tuples(cls, values: Any) -> Any:
        return {k: _tuples(v) for k, v in values.items()} if isinstance(values, dict) else values


class Spec(Table):
    """Base of techniques, models, data sources and checks."""

    name: ClassVar[str]
    registry: ClassVar[Registry[Any]]
    source: ClassVar[str] = ""
    synonyms: ClassVar[tuple[str, ...]] = ()
    """What other programs call it."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "name" in cls.__dict__:
            cls.registry.add(cls)

    @classmethod
    def about(cls) -> str:
        """The spec's text: the class's docstring."""
        return inspect.cleandoc(cls.__doc__ or "").replace("``", "`")

    @classmethod
    def summary(cls) -> str:
        """The first line of the spec's text."""
        return cls.about().partition("\n")[0]


C = TypeVar("C", bound=Spec)


class Registry(Generic[C]):
    """All specs of one kind, by name; the package is searched when first asked."""

    def __init__(self, kind: str, package: str, entry_points: str) -> None:
        self.kind = kind
        self.package = package
        self.entry_points = entry_points
        self._specs: dict[str, type[C]] = {}
        self._searched = self._searching = False
        self._lock = threading.RLock()

    def add(self, spec: type[C]) -> None:
        """Register a spec; the same class loaded again replaces itself, another one under its name is an error.

        Names stand in dotted paths, on command lines and in files: they are plain words. Raises SpecError.
        """
        if NAME.fullmatch(spec.name) is None:
            raise SpecError(f"{quoted(spec.name)} cannot name a {self.kind}: use letters, digits, '_' and '-'")
        known = self._specs.get(spec.name)
        if known is not None and _file(known) != _file(spec):
            raise SpecError(
                f"two {self.kind}s are called '{spec.name}': {_file(known)} and {_file(spec)}; rename one of them"
            )
        self._specs[spec.name] = spec

    def _search(self) -> None:
        """Import every spec once; who asks from another thread meanwhile waits until all are there."""
        if self._searched:
            return
        with self._lock:
            if self._searched or self._searching:  # asked again by what is being imported
                return
            self._searching = True
            try:
                package = importlib.import_module(self.package)
                for module in pkgutil.iter_modules(package.__path__):
                    if not module.ispkg:
                        importlib.import_module(f"{self.package}.{module.name}")
                for entry in entry_points(group=self.entry_points):
                    entry.load()
            finally:
                self._searched, self._searching = True, False

    def __getitem__(self, name: str) -> type[C]:
        self._search()
        return self._specs[name]

    def __contains__(self, name: object) -> bool:
        self._search()
        return name in self._specs

    def __iter__(self) -> Iterator[type[C]]:
        self._search()
        return iter(sorted(self._specs.values(), key=lambda spec: spec.name))

    def names(self) -> list[str]:
        """Every registered name, sorted."""
        return [spec.name for spec in self]

    def unknown(self, name: object) -> str:
        """One sentence about a name that no spec has, with the nearest one or the command that lists them."""
        listing = "data" if self.kind == "data source" else f"{self.kind}s"
        meant = next((spec.name for spec in self if str(name).lower() in spec.synonyms), "")
        known = f"; did you mean '{meant}'?" if meant else ""
        hint = known or nearest(name, self.names()) or f"; workbench {listing} lists them"
        return f"unknown {self.kind} {quoted(name)}{hint}"


def _file(spec: type[Spec]) -> str:
    module = sys.modules.get(spec.__module__)
    return str(getattr(module, "__file__", None) or spec.__module__)
