"""What parts of a recipe were called in earlier versions: recipes may go on calling them so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.recipe.registries import CHECKS, TECHNIQUES
from workbench.recipe.specs import Registry, Spec, renamed

_SECTIONS: dict[str, Registry[Any]] = {"techniques": TECHNIQUES, "checks": CHECKS}


class EarlierNames:
    """The earlier names in a recipe and its overrides. ``earlier``: dotted paths of now → as they were written."""

    def __init__(self) -> None:
        self.earlier: dict[str, str] = {}

    def replaced(self, tables: dict[str, Any]) -> dict[str, Any]:
        """The tables of a recipe in the names of now. What is given under both names stays, to be refused."""
        tables = dict(tables)
        for section, registry in _SECTIONS.items():
            if isinstance(tables.get(section), dict):
                tables[section] = self._section(section, registry, tables[section])
        return tables

    def _section(self, section: str, registry: Registry[Any], given: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for written, values in given.items():
            name = registry.current(written)
            if name in given:  # both, which the reader refuses
                name = written
            path, before = f"{section}.{name}", f"{section}.{written}"
            if name != written:
                self.earlier[path] = before
            found[name] = values
            if isinstance(values, dict) and name in registry:
                found[name] = self._keys(path, before, registry[name], values)
        return found

    def _keys(self, path: str, written: str, spec: type[Spec], values: dict[str, Any]) -> dict[str, Any]:
        values, found = renamed(spec, values)
        self.earlier |= {f"{path}.{key}": f"{written}.{earlier}" for key, earlier in found.items()}
        return values

    def of_now(self, keys: Sequence[str]) -> list[str]:
        """The keys of an override's path in the names of now."""
        keys = list(keys)
        registry = _SECTIONS.get(keys[0])
        if registry is None or len(keys) < 2 or keys[1] not in registry:
            return keys
        written, spec = list(keys), registry[keys[1]]
        keys[1] = spec.name
        if len(keys) > 2:
            keys[2] = next((key for key, earlier in spec.earlier_keys.items() if earlier == keys[2]), keys[2])
        for length in (2, 3):
            if len(keys) >= length and keys[length - 1] != written[length - 1]:
                self.earlier[".".join(keys[:length])] = ".".join(written[:length])
        return keys

    def written(self, path: str) -> str:
        """A path of now as it was written."""
        for now, earlier in sorted(self.earlier.items(), key=lambda pair: -len(pair[0])):
            if path == now or path.startswith(f"{now}."):
                return earlier + path.removeprefix(now)
        return path

    def kept(self, tables: dict[str, Any]) -> dict[str, Any]:
        """Tables in the names of now, as they were written."""
        tables = dict(tables)
        for section in _SECTIONS:
            if section in tables:
                tables[section] = {
                    self._last(f"{section}.{name}"): {self._last(f"{section}.{name}.{key}"): v for key, v in of.items()}
                    for name, of in tables[section].items()
                }
        return tables

    def _last(self, path: str) -> str:
        return self.written(path).rpartition(".")[2]

    def sentence(self, where: str) -> str:
        """What is called otherwise now, in one line."""
        called = ", ".join(f"{written} is {now.rpartition('.')[2]}" for now, written in sorted(self.earlier.items()))
        return f"{where or 'the recipe'}: names of an earlier version, which go on meaning the same: {called} now"
