"""A run is a directory. Where each of its files lies, and how a new one is made."""

from __future__ import annotations

import re
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.recipe import Recipe, read_recipe_file, save_whole
from workbench.recipe.plugins import Plugin, loaded_plugins
from workbench.runs.errors import RunError, cannot_write, replace_text
from workbench.runs.store.environment import environment
from workbench.storage.json_text import dumps

NAME = re.compile(r"^(\d{8}-\d{6})-(.+)-([0-9a-f]{4})$")


@dataclass(frozen=True)
class RunDirectory:
    """One run. Nothing is read before it is asked for; ``path`` need not exist."""

    path: Path

    @property
    def name(self) -> str:
        """The run's name: that of its directory."""
        return self.path.name

    @property
    def recipe_name(self) -> str:
        """The name of the recipe, as far as the run's name tells it."""
        match = NAME.match(self.name)
        return match[2] if match else self.name

    @property
    def created(self) -> float:
        """When the run was made, in seconds since 1970: from its name, else from its files."""
        if match := NAME.match(self.name):
            try:
                return time.mktime(time.strptime(match[1], "%Y%m%d-%H%M%S"))
            except (ValueError, OverflowError):
                pass
        try:
            return self.recipe_file.stat().st_mtime
        except OSError:
            return 0.0

    @property
    def recipe_file(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.toml"

    @property
    def env_file(self) -> Path:
        """Versions, machine and command line."""
        return self.path / "env.json"

    @property
    def events_file(self) -> Path:
        """The truth: one event a line."""
        return self.path / "events.jsonl"

    @property
    def results_file(self) -> Path:
        """What the last evaluation said, image by image: see :mod:`workbench.evaluation.results`."""
        return self.path / "evaluation.json"

    @property
    def machine_file(self) -> Path:
        """What the machine did meanwhile: one sample a line."""
        return self.path / "machine.jsonl"

    @property
    def status_file(self) -> Path:
        """The present state, replaced in one step."""
        return self.path / "status.json"

    @property
    def control_file(self) -> Path:
        """Requests that nobody has answered yet."""
        return self.path / "control.json"

    @property
    def notes_file(self) -> Path:
        """What a person wrote about the run: tags and a note."""
        return self.path / "user.toml"

    @property
    def continues_file(self) -> Path:
        """Which run this one goes on from, and how; only where there is such a one."""
        return self.path / "continues.json"

    @property
    def lock_file(self) -> Path:
        """Held by the process that trains the run."""
        return self.path / ".lock"

    @property
    def checkpoints(self) -> Path:
        """The folder of ``last.pt`` and ``best.pt``."""
        return self.path / "checkpoints"

    @property
    def log_file(self) -> Path:
        """What libraries wrote to the terminal."""
        return self.path / "log.txt"

    @property
    def profile(self) -> Path:
        """The folder of what was measured: phases, stacks, traces."""
        return self.path / "profile"

    @property
    def plugins(self) -> Path:
        """The folder with the sources of the plugins that the run was started with."""
        return self.path / "plugins"

    def exists(self) -> bool:
        """Whether there is a run here that can be looked at; ``holds_run`` of the listing says why not."""
        try:
            return self.recipe_file.is_file()
        except OSError:
            return False

    def started(self) -> bool:
        """Whether the run has said anything yet."""
        try:
            return self.events_file.stat().st_size > 0
        except OSError:
            return False

    def recipe(self) -> Recipe:
        """The run's recipe. Raises RecipeError."""
        return read_recipe_file(self.recipe_file)


def create_run(runs_root: Path, recipe: Recipe, argv: Sequence[str] | None = None) -> RunDirectory:
    """Make the directory of a new run: resolved recipe, environment and the sources of its plugins.

    argv: the command line to write down; this process's own if left out. Raises RunError.
    """
    plugins = used_plugins(recipe)
    names = [plugin.path.name for plugin in plugins]
    for name in names:
        if names.count(name) > 1:
            raise RunError(f"two plugins are called '{name}'; rename one, a run keeps their sources side by side")
    recipe = recipe.model_copy(update={"plugins": tuple(dict.fromkeys((*recipe.plugins, *names)))})
    run = _new_directory(runs_root, recipe.name)
    try:
        save_whole(recipe, run.recipe_file)
        for plugin in plugins:
            run.plugins.mkdir(exist_ok=True)
            (run.plugins / plugin.path.name).write_text(plugin.text, encoding="utf-8")
    except OSError as error:
        raise cannot_write(run.path, error) from error
    found = environment(sys.argv if argv is None else argv)
    found["plugins"] = [{"file": p.path.name, "path": str(p.path), "sha256": p.sha256} for p in plugins]
    replace_text(run.env_file, dumps(found, indent=2) + "\n")
    return run


def used_plugins(recipe: Recipe) -> list[Plugin]:
    """The loaded plugins that a recipe names or whose specs it uses."""
    specs = (recipe.model, recipe.data_source, *recipe.techniques.values(), *recipe.checks.values())
    files = {getattr(sys.modules.get(type(spec).__module__), "__file__", None) for spec in specs}
    return [p for p in loaded_plugins() if p.path.name in recipe.plugins or str(p.path) in files]


def _new_directory(root: Path, recipe: str) -> RunDirectory:
    while True:
        path = root / f"{time.strftime('%Y%m%d-%H%M%S')}-{recipe}-{secrets.token_hex(2)}"
        try:
            path.mkdir(parents=True)
        except OSError as error:
            if isinstance(error, FileExistsError) and root.is_dir():
                continue  # the same second and the same four digits
            raise cannot_write(root, error) from error
        return RunDirectory(path)
