"""What a form edits: the parameters of one part of a recipe, as text, checked by the code that reads recipe files."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import tomli_w

from workbench.format import bare
from workbench.recipe import Data, Expect, Problem, Recipe, RecipeError, Train, conflicts, read_recipe
from workbench.recipe.parameters import Parameter, parameters
from workbench.recipe.registries import CHECKS, MODELS, SOURCES, TECHNIQUES
from workbench.recipe.schema import to_tables
from workbench.recipe.specs import Registry

Entry = str | bool
"""What stands in a field: text, a choice as text, or a switch."""

SECTIONS = {
    "recipe": "What the recipe is called, and the seed that every random draw starts from.",
    "data": "Where the images come from and how they are fed.",
    "model": "The network.",
    "train": "How long to train, and what to report and keep on the way.",
    "expect": "What the recipe's source claims; checks compare a run with it.",
    "new": "A recipe from a data source and a model, with what trains any of them: no augmentation, no claims.",
}


@dataclass(frozen=True)
class Field:
    """One line of a form. ``value`` is None where a parameter is left out or not given yet.

    cards: what is said of each choice.
    """

    parameter: Parameter
    value: Any
    cards: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The parameter's name in its table."""
        return self.parameter.name

    @property
    def entry(self) -> Entry:
        """The value as it stands in the field."""
        return as_entry(self.parameter, self.value)

    def about(self, entry: Entry) -> str:
        """What the parameter is, or what was chosen."""
        return self.cards.get(str(entry), self.parameter.description)

    @property
    def default_entry(self) -> Entry | None:
        """The default as it stands in the field; None if there is none."""
        return None if self.parameter.required else as_entry(self.parameter, self.parameter.default)


@dataclass(frozen=True)
class Subject:
    """A part of a recipe with its parameters. ``place`` is its path: ``data``, ``model``, ``techniques.sgd``, …

    ``chooser`` names the field whose value decides which other fields there are: ``source`` in data, ``name`` in model.
    """

    place: str
    title: str
    about: str
    fields: tuple[Field, ...]
    chooser: str = ""


def subject(recipe: Recipe, place: str, choice: str | None = None) -> Subject:
    """What a form for this place edits; ``choice`` takes another data source or model than the recipe has."""
    if place.startswith("techniques."):
        name = place.removeprefix("techniques.")
        spec = TECHNIQUES[name]
        fields = _fields(spec, recipe.techniques.get(name))
        return Subject(place, name, spec.about(), fields)
    if place.startswith("checks."):
        name = place.removeprefix("checks.")
        return Subject(place, name, CHECKS[name].about(), _fields(CHECKS[name], recipe.checks.get(name)))
    if place == "data":
        name = choice or recipe.data.source
        spec = SOURCES[name]
        own = recipe.data_source if name == recipe.data.source else None
        general = _fields(Data, recipe.data, leave_out=("source",))
        fields = (_choice("source", SOURCES.names(), name, "data source"), *_fields(spec, own), *general)
        return Subject(place, place, spec.about(), fields, chooser="source")
    if place == "model":
        name = choice or recipe.model.name
        spec = MODELS[name]
        own = recipe.model if name == recipe.model.name else None
        fields = (_choice("name", MODELS.names(), name, "network family"), *_fields(spec, own))
        return Subject(place, place, spec.about(), fields, chooser="name")
    if place == "new":
        name = choice or recipe.data.source
        own = recipe.data_source if name == recipe.data.source else None
        needed = tuple(f for f in _fields(SOURCES[name], own) if f.parameter.required)
        source = _choice("source", SOURCES.names(), name, "data source", _cards(SOURCES))
        model = _choice("model", MODELS.names(), recipe.model.name, "network family", _cards(MODELS))
        return Subject(place, "New recipe", SECTIONS[place], (source, *needed, model), chooser="source")
    if place == "train":
        return Subject(place, place, SECTIONS[place], _fields(Train, recipe.train))
    if place == "expect":
        return Subject(place, place, SECTIONS[place], _fields(Expect, recipe.expect))
    return Subject("recipe", "recipe", SECTIONS["recipe"], _top_fields(recipe))


def apply(recipe: Recipe, form: Subject, entries: Mapping[str, Entry]) -> tuple[Recipe | None, dict[str, str]]:
    """The recipe with a form's entries, and what is wrong with them by key; a recipe comes only without problems."""
    tables = to_tables(recipe)
    given = {f.key: as_value(f.parameter, entries[f.key]) for f in form.fields if f.key in entries}
    values = {key: value for key, value in given.items() if value != ""}
    missing = {
        f.key: f"expected {f.parameter.asked}, found nothing"
        for f in form.fields
        if f.key not in values and not f.parameter.optional and (f.parameter.kind != "text" or f.parameter.required)
    }
    _place(tables, form, values)
    try:
        changed = read_recipe(tomli_w.dumps(tables), consistent=False)
    except RecipeError as error:
        return None, _for_people(form, _by_key(form, error.problems)) | missing
    if missing:
        return None, missing
    section, _, name = form.place.partition(".")
    return (changed.with_check(changed.checks[name]) if section == "checks" else changed), {}


def warnings(recipe: Recipe, form: Subject) -> dict[str, str]:
    """What cannot stand together in a recipe, as far as it concerns this form; the key is "" for the whole of it."""
    return _by_key(form, conflicts(recipe)) if form.place != "new" else {}  # what it needs is still to be added


def as_entry(parameter: Parameter, value: Any) -> Entry:
    """A value as a field shows it."""
    if parameter.kind == "switch":
        return bool(value)
    if value is None:
        return ""
    text = bare(value)
    flat = parameter.kind == "list" and "[" not in text[1:] and parameter.members != "texts"
    return text[1:-1] if flat else text


def as_value(parameter: Parameter, entry: Entry) -> Any:
    """What a field's text means, "" if nothing. What is no value stays text: the reader says what is wrong with it.

    An empty list that may not be left out is a list without members.
    """
    if isinstance(entry, bool):
        return entry
    if parameter.kind == "text":
        return _unquoted(entry.strip())
    text = entry.strip()
    if not text:
        return [] if parameter.kind == "list" and not parameter.optional else ""
    if parameter.kind in ("integer", "number"):
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
        return text
    if parameter.kind == "list" and not text.startswith("["):
        text = f"[{text}]"
    elif parameter.kind == "choice" and text in parameter.choices:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return entry


def _unquoted(text: str) -> str:
    """A text without the quotes around it, as files and shells want them."""
    for quote in ("'", '"'):
        if len(text) > 1 and text[0] == text[-1] == quote and quote not in text[1:-1]:
            return text[1:-1]
    return text


def _for_people(form: Subject, wrong: dict[str, str]) -> dict[str, str]:
    """What the reader of files says, without what only files have: quotes and brackets."""
    parameters = {field.key: field.parameter for field in form.fields}
    for key in wrong.keys() & parameters.keys():
        wrong[key] = wrong[key].replace(parameters[key].expected, parameters[key].asked)
    return wrong


def _fields(spec: Any, values: Any, leave_out: tuple[str, ...] = ()) -> tuple[Field, ...]:
    return tuple(
        Field(p, p.default if values is None else getattr(values, name))
        for name, p in parameters(spec).items()
        if name not in leave_out
    )


def _choice(key: str, names: list[str], value: str, description: str, cards: Mapping[str, str] = {}) -> Field:
    parameter = _parameter(key, "choice", names[0], description, choices=tuple(names), required=True)
    return Field(parameter, value, cards)


def _cards(registry: Registry[Any]) -> dict[str, str]:
    return {spec.name: spec.summary() for spec in registry}


def _top_fields(recipe: Recipe) -> tuple[Field, ...]:
    return (
        Field(_parameter("name", "text", "untitled", "names files and runs"), recipe.name),
        Field(_parameter("about", "text", "", "a sentence for the list of recipes"), recipe.about),
        Field(_parameter("seed", "integer", 0, "every random draw starts from it", bounds="≥ 0"), recipe.seed),
    )


def _parameter(
    name: str,
    kind: str,
    default: Any,
    description: str,
    *,
    bounds: str = "",
    choices: tuple[Any, ...] = (),
    required: bool = False,
) -> Parameter:
    return Parameter(
        name=name,
        kind=kind,
        default=default,
        required=required,
        optional=False,
        bounds=bounds,
        choices=choices,
        unit="",
        description=description,
    )


def _place(tables: dict[str, Any], form: Subject, values: dict[str, Any]) -> None:
    """Put a form's values where they stand in a recipe file."""
    if form.place == "recipe":
        for key in ("name", "about", "seed"):
            tables.pop(key, None)
        tables |= {key: value for key, value in values.items() if value != ""}
    elif form.place == "new":
        tables["data"] = {key: value for key, value in values.items() if key != "model"}
        tables["model"] = {"name": values["model"]}
    elif form.place.startswith(("techniques.", "checks.")):
        section, _, name = form.place.partition(".")
        tables.setdefault(section, {})[name] = values
    else:
        tables[form.place] = values


def _by_key(form: Subject, problems: tuple[Problem, ...] | list[Problem]) -> dict[str, str]:
    keys = {field.key for field in form.fields}
    found: dict[str, str] = {}
    for problem in problems:
        if form.place == "recipe":
            key = problem.path if problem.path in keys else None
        elif form.place == "new":
            key = last if (last := problem.path.rpartition(".")[2]) in keys else ""
        elif problem.path == form.place:
            key = ""
        else:
            place, _, last = problem.path.rpartition(".")
            key = last if place == form.place and last in keys else None
        if key is not None:
            found.setdefault(key, problem.message)
    return found
