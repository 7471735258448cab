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
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workbench.recipe.errors import nearest, quoted

NAME = re.compile(r"\w[\w-]{0,79}")
"""What a spec can be called."""


class SpecError(Exception):
    """A spec's class is wrong, or two specs claim one name."""


def parameter(
    default: Any = ..., *, description: str, unit: str = "", label: str = "", path: bool = False, **bounds: Any
) -> Any:
    """A spec's parameter: a pydantic Field that also knows its unit. ``bounds`` are pydantic's (ge, gt, le, lt, …).

    label: what people call it where there is little room, such as ``lr``; without one, its name with spaces.
    path: a text that names a folder, which forms complete.
    """
    extra = {key: said for key, said in (("unit", unit), ("label", label), ("path", path)) if said}
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
    earlier_name: ClassVar[str] = ""
    """Its name in earlier versions: recipes may go on using it, and digests of recipes are taken with it."""
    earlier_keys: ClassVar[dict[str, str]] = {}
    """What parameters were called in earlier versions, by their names: as ``earlier_name``."""

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, values: Any) -> Any:
        return renamed(cls, values)[0] if isinstance(values, dict) and cls.earlier_keys else values

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """A parameter under its earlier name, for plugins that ask so."""
            for key, earlier in type(self).earlier_keys.items():
                if name == earlier:
                    return getattr(self, key)
            return super().__getattr__(name)

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

    @classmethod
    def first_name(cls) -> str:
        """The name that it had in the version that it came with."""
        return str(cls.__dict__.get("earlier_name") or cls.name)  # not a base class's


def renamed(spec: type[Spec], values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """A spec's table with the names of now, and the earlier ones that stood in it, by those of now.

    Where both names of a parameter are given, the earlier one stays: it is refused as a key that is not known.
    """
    now = {earlier: key for key, earlier in spec.earlier_keys.items()}
    found = {now[key]: key for key in values if key in now and now[key] not in values}
    return {now[key] if key in found.values() else key: value for key, value in values.items()}, found


C = TypeVar("C", bound=Spec)


class Registry(Generic[C]):
    """All specs of one kind, by name; the package is searched when first asked."""

    def __init__(self, kind: str, package: str, entry_points: str) -> None:
        self.kind = kind
        self.package = package
        self.entry_points = entry_points
        self._specs: dict[str, type[C]] = {}
        self._earlier: dict[str, str] = {}
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
        if spec.first_name() != spec.name:
            self._earlier[spec.first_name()] = spec.name

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
        return self._specs[self.current(name)]

    def __contains__(self, name: object) -> bool:
        self._search()
        return name in self._specs or name in self._earlier

    def current(self, name: str) -> str:
        """The name of now of a spec that may be called by its earlier one; other texts stay as they are."""
        self._search()
        return name if name in self._specs else self._earlier.get(name, name)

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
