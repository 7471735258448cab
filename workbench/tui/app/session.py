"""What was on the screens when the workbench was left, kept for each folder that it is used in."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from workbench.filesystem import absolute, why
from workbench.recipe import Recipe, RecipeError, read_recipe, read_recipe_file, write_recipe
from workbench.runs.errors import RunError, replace_text
from workbench.settings import Screens
from workbench.storage.regular import MIDDLING, read_bytes
from workbench.tui.common.editor import Editor


@dataclass(frozen=True)
class Session:
    """Recipes are TOML texts; ``path`` is the recipe's file, "" without one; ``screens`` what each screen remembers.

    text, draft, origin: those of the editor, see :class:`workbench.tui.common.editor.Editor`.

    theme: one that was chosen on the screens, "" where it is that of the settings. chosen_over: what the settings said
    then; once they say something else, that is the newer word.
    """

    recipe: str = ""
    loaded: str = ""
    saved: str = ""
    path: str = ""
    origin: str = ""
    text: str = ""
    draft: str = ""
    theme: str = ""
    chosen_over: str = ""
    screens: dict[str, dict[str, Any]] = field(default_factory=dict)


NO_SESSION = Session()


def session_file(folder: Path) -> Path:
    """Where the session of a folder is kept: in the platform's state folder."""
    import platformdirs

    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return Path(platformdirs.user_state_dir("workbench", appauthor=False)) / "sessions" / f"{name}.json"


def read_session(path: Path) -> Session:
    """The session in a file; an empty one if there is none or it cannot be understood."""
    try:
        found = json.loads(read_bytes(path, MIDDLING))
        session = Session(**{key: value for key, value in found.items() if key in {f.name for f in fields(Session)}})
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return Session()
    texts = [getattr(session, field.name) for field in fields(Session) if field.name != "screens"]
    whole = all(isinstance(text, str) for text in texts) and isinstance(session.screens, dict)
    return session if whole and all(isinstance(state, dict) for state in session.screens.values()) else Session()


def chosen_theme(session: Session, settings: Screens) -> str:
    """The theme that was chosen on the screens; "" where the settings have the last word."""
    return session.theme if session.chosen_over == settings.theme else ""


def to_text(session: Session) -> str:
    """A session as its file holds it."""
    return json.dumps(asdict(session)) + "\n"


def write_session(path: Path, text: str) -> str:
    """Keep a session; returns why it could not be kept, in one line, "" if it was."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, text)
    except OSError as error:
        return f"{path.parent}: cannot be written: {why(error, path.parent)}"
    except RunError as error:
        return str(error).partition(";")[0]
    return ""


class SessionFile:
    """Where sessions are written, each time that something is another than before; None: nowhere."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._text = self._problem = ""

    def keep(self, session: Session) -> str:
        """Write a session; returns why it could not be kept, in one line, where that was not said just before."""
        text = to_text(session)
        if self._path is None or text == self._text:
            return ""
        self._text = text
        before, self._problem = self._problem, write_session(self._path, text)
        return self._problem if not before else ""


def of_editor(editor: Editor) -> Session:
    """The part of a session that is the recipe."""
    return Session(
        recipe=write_recipe(editor.recipe),
        loaded=write_recipe(editor.loaded),
        saved=write_recipe(editor.on_disk),
        path=str(editor.path or ""),
        origin=str(editor.origin or ""),
        text=editor.text,
        draft=editor.draft,
    )


def editor_of(session: Session) -> Editor | None:
    """The recipe as it was left, with its changes; None if there was none or it cannot be read any more.

    A file that was changed meanwhile is read anew, unless there are changes here that are not saved.
    """
    path = Path(session.path) if session.path else None
    recipe, loaded, saved = _read(session.recipe), _read(session.loaded), _read(session.saved)
    if recipe is None or loaded is None or saved is None:
        return None
    if path is not None:
        try:
            now = read_recipe_file(path, consistent=False)
        except RecipeError:
            now = None
        if now is not None and now != saved:
            if recipe == saved and not session.text and not session.draft:
                return Editor(now, path)
            saved = now
    editor = Editor(loaded, path, Path(session.origin) if session.origin else None)
    editor.restore(recipe, saved)
    editor.text, editor.draft = session.text, session.draft
    return editor


def editor_on(session: Session, recipe: Recipe, path: Path | None, origin: Path | None) -> Editor:
    """A recipe that was asked for, from its file; with the changes that were left there unsaved, if it is that file.

    path: where saving writes; origin: whose comments it has.
    """
    if path is not None and session.path and absolute(Path(session.path)) == absolute(path):
        return editor_of(session) or Editor(recipe, path, origin)
    return Editor(recipe, path, origin)


def _read(text: str) -> Recipe | None:
    try:
        return read_recipe(text, consistent=False) if text else None
    except RecipeError:
        return None
