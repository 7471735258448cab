"""TOML in, recipe out, or a RecipeError with every problem found in one pass."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from workbench.filesystem import why
from workbench.recipe.consistency import clashes, conflicts
from workbench.recipe.earlier_names import EarlierNames
from workbench.recipe.errors import Problem, RecipeError, quoted
from workbench.recipe.lines import Lines
from workbench.recipe.plugins import loaded_plugins
from workbench.recipe.registries import CHECKS, MODELS, SOURCES, TECHNIQUES
from workbench.recipe.schema import FORMAT, MAX_SEED, Data, Expect, Recipe, Train
from workbench.recipe.specs import Registry, Spec, Table
from workbench.recipe.validation import meant, parse, shown, validate
from workbench.storage.regular import read_text

T = TypeVar("T", bound=Table)

Say = Callable[[str], object]
"""Hears a line for whoever gave the recipe."""


def ignored(line: str) -> None:
    """Nobody hears it."""


TOP_LEVEL = ("format", "name", "about", "seed", "plugins", "data", "model", "train", "techniques", "checks", "expect")


def read_recipe(
    text: str, where: str = "", overrides: Sequence[str] = (), *, consistent: bool = True, say: Say = ignored
) -> Recipe:
    """The recipe that a TOML text describes.

    where: the file's name for messages. overrides: ``section.key=value`` texts that win over the file.
    consistent: also refuse what cannot be trained (two optimizers, a missing need); editors pass False.
    say: hears one line where names of earlier versions stand in it.
    Raises RecipeError with all problems; never anything else.
    """
    text = text.removeprefix("\ufeff")  # a byte order mark, as some editors write
    tables = parse(text, where)
    if isinstance(tables, Problem):
        raise RecipeError([tables])
    reader = _Reader(tables)
    for override in overrides:
        reader.override(override)
    try:
        recipe = reader.recipe(consistent)
    except RecursionError:
        raise RecipeError([Problem("", "lists nested too deeply", None, where)]) from None
    if reader.problems or recipe is None:
        lines = Lines(text)
        raise RecipeError(
            p
            if p.where
            else p.at("--set", None)
            if reader.overrode(p.path)
            else p.at(where, lines.find(reader.names.written(p.path)))
            for p in dict.fromkeys(reader.problems)
        )
    if reader.names.earlier:
        say(reader.names.sentence(where))
    return recipe


def read_recipe_file(
    path: Path, overrides: Sequence[str] = (), *, consistent: bool = True, say: Say = ignored
) -> Recipe:
    """Like :func:`read_recipe`, from a file."""
    try:
        text = read_text(path)
    except OSError as error:
        raise RecipeError([Problem("", f"cannot be read: {why(error, path)}", None, str(path))]) from None
    except UnicodeDecodeError:
        raise RecipeError([Problem("", "is not a UTF-8 text", None, str(path))]) from None
    return read_recipe(text, str(path), overrides, consistent=consistent, say=say)


class _Reader:
    def __init__(self, tables: dict[str, Any]) -> None:
        self.names = EarlierNames()
        self.tables = self.names.replaced(tables)
        self.problems: list[Problem] = []
        self._overrides: list[str] = []
        self._refused: set[str] = set()  # tables with a value that their spec refuses

    def overrode(self, path: str) -> bool:
        """Whether what stands at a dotted path came from an override."""
        return any(path == override or path.startswith(override + ".") for override in self._overrides)

    def complain(self, path: str, message: str, where: str = "") -> None:
        self.problems.append(Problem(path, message, None, where))

    def override(self, text: str) -> None:
        """Apply one ``section.key=value``; the value is TOML, or a plain word taken as text."""
        path, equals, raw = text.partition("=")
        keys = [key.strip() for key in path.split(".")]
        if not equals or not all(keys):
            self.complain("", f"{quoted(text)} is not of the form section.key=value", "--set")
            return
        try:
            value = tomllib.loads(f"value = {raw}")["value"] if "\n" not in raw else raw
        except (tomllib.TOMLDecodeError, RecursionError, ValueError):
            value = raw.strip()
        if len(keys) == 2 and keys[0] in ("techniques", "checks") and value in (True, False, "on", "off"):
            path, keys, value = f"{path.strip()}.enabled", [*keys, "enabled"], value in (True, "on")
        keys = self.names.of_now(keys)
        table = self.tables
        for key in keys[:-1]:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                self.complain(path.strip(), f"{quoted(key)} is not a table", "--set")
                return
        table[keys[-1]] = value
        self._overrides.append(".".join(keys))

    def recipe(self, consistent: bool) -> Recipe | None:
        tables = self.tables
        for key in tables:
            if key not in TOP_LEVEL:
                self.complain(key, f"unknown key {quoted(key)}{meant(key, TOP_LEVEL, _elsewhere)}")
        if tables.get("format", FORMAT) != FORMAT or isinstance(tables.get("format", FORMAT), bool):
            self.complain("format", f"this workbench reads format {FORMAT}, not {shown(tables['format'])}")
        top = self.top()
        data_table = self.table("data")
        source_name = data_table.get("source", Data.model_fields["source"].default)
        data = self.validate(Data, "data", {k: v for k, v in data_table.items() if k in Data.model_fields})
        rest = {k: v for k, v in data_table.items() if k not in Data.model_fields}
        data_source = self.spec(SOURCES, source_name, "data", "data.source", rest, tuple(Data.model_fields))
        model_table = self.table("model")
        if "model" in tables and "name" not in model_table:
            self.complain("model.name", f"missing; known: {', '.join(MODELS.names())}")
            model = None
        else:
            rest = {k: v for k, v in model_table.items() if k != "name"}
            model = self.spec(MODELS, model_table.get("name", "cnn"), "model", "model.name", rest, ("name",))
        train = self.validate(Train, "train", self.table("train"))
        techniques = self.specs("techniques", TECHNIQUES)
        checks = self.specs("checks", CHECKS)
        expect = self.validate(Expect, "expect", self.table("expect"))
        recipe = None
        if not (data is None or data_source is None or model is None or train is None or expect is None or top is None):
            recipe = Recipe(
                **top, data=data, data_source=data_source, model=model, train=train,
                techniques=techniques, checks=checks, expect=expect,
            )  # fmt: skip
        if consistent:
            name = model_table.get("name", "cnn" if "model" not in tables else None)
            kind = MODELS[name] if isinstance(name, str) and name in MODELS else None
            self.problems += self.conflicts(techniques, recipe, kind)
        return recipe

    def conflicts(self, techniques: dict[str, Spec], recipe: Recipe | None, model: type[Spec] | None) -> list[Problem]:
        """What cannot stand together, as far as it can be told beside what is wrong already.

        recipe: None where some value outside the techniques is wrong; what depends on values is not judged then.
        """
        techniques = dict(techniques)
        for name, values in self.table("techniques").items():
            if name not in techniques and name in TECHNIQUES:  # its own parameters are wrong, but it is meant to be on
                off = isinstance(values, dict) and values.get("enabled") is False
                techniques[name] = TECHNIQUES[name].model_construct(enabled=not off)
        if recipe is not None:
            found = conflicts(recipe.model_copy(update={"techniques": techniques}))
        else:
            on = [technique for _, technique in sorted(techniques.items()) if technique.enabled]  # type: ignore[attr-defined]
            found = clashes(on, model)
        mistyped = any(problem.path.startswith("techniques.") for problem in self.problems)
        return [
            problem
            for problem in found
            if problem.path.rpartition(".")[0] not in self._refused and not (mistyped and problem.path == "techniques")
        ]

    def top(self) -> dict[str, Any] | None:
        """The keys outside every table: name, about, seed, plugins."""
        before = len(self.problems)
        name = self.tables.get("name", "untitled")
        about = self.tables.get("about", "")
        seed = self.tables.get("seed", 0)
        plugins = self.tables.get("plugins", [])
        for key, value in (("name", name), ("about", about)):
            if not isinstance(value, str):
                self.complain(key, f"expected a text in quotes, found {shown(value)}")
        if isinstance(name, str) and not _plain(name):
            self.complain("name", f"{shown(name)} cannot name files: use 1–80 letters, digits, '-', '_' or '.'")
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
            self.complain("seed", f"expected a whole number ≥ 0, ≤ {MAX_SEED}, found {shown(seed)}")
        if not isinstance(plugins, list) or not all(isinstance(p, str) for p in plugins):
            self.complain("plugins", f"expected a list of file names, found {shown(plugins)}")
        if len(self.problems) > before:
            return None
        known = {plugin.path.name for plugin in loaded_plugins()}
        for plugin in plugins:
            if plugin not in known:
                self.complain("plugins", f"needs the plugin '{plugin}': pass --plugin {plugin}")
        return {"name": name, "about": about, "seed": seed, "plugins": tuple(plugins)}

    def table(self, key: str) -> dict[str, Any]:
        value = self.tables.get(key, {})
        if isinstance(value, dict):
            return value
        self.complain(key, f"expected a table, written [{key}], found {shown(value)}")
        return {}

    def specs(self, section: str, registry: Registry[Any]) -> dict[str, Spec]:
        """The tables of a section, each the spec of its name."""
        found: dict[str, Spec] = {}
        for name, values in self.table(section).items():
            path = f"{section}.{name}"
            if name not in registry:
                self.complain(path, registry.unknown(name))
            elif registry.current(name) != name:
                now = registry.current(name)
                self.complain(path, f"is called {now} now, and both are given; leave one of them out")
            elif not isinstance(values, dict):
                self.complain(path, f"expected a table, written [{path}], found {shown(values)}")
            else:
                spec = self.validate(registry[name], path, values)
                if spec is not None:
                    found[name] = spec
        return found

    def spec(
        self, registry: Registry[Any], name: Any, path: str, name_path: str, values: dict[str, Any], also: Sequence[str]
    ) -> Spec | None:
        if not isinstance(name, str):
            self.complain(name_path, f"expected a text in quotes, found {shown(name)}")
            return None
        if name not in registry:
            self.complain(name_path, registry.unknown(name))
            return None
        return self.validate(registry[name], path, values, also)

    def validate(self, kind: type[T], path: str, values: dict[str, Any], also: Sequence[str] = ()) -> T | None:
        spec = validate(kind, path, values, self.complain, also, _elsewhere)
        if spec is None:
            self._refused.add(path)
        return spec


def _elsewhere(key: str) -> str:
    """Where a key would be at home, if exactly some other table knows it."""
    homes = [
        f"[{name}]" for name, kind in (("data", Data), ("train", Train), ("expect", Expect)) if key in kind.model_fields
    ]
    homes += [f"[techniques.{spec.name}]" for spec in TECHNIQUES if key in spec.model_fields and key != "enabled"]
    if key in TECHNIQUES:
        homes = [f"[techniques.{key}]"]
    elif key in CHECKS:
        homes = [f"[checks.{key}]"]
    return f"; it belongs in {' or '.join(homes)}" if 0 < len(homes) <= 4 else ""


def _plain(name: str) -> bool:
    return (
        0 < len(name) <= 80 and name.strip(".") != "" and all(c.isascii() and (c.isalnum() or c in "-_.") for c in name)
    )
