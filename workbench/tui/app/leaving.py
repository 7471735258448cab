"""Leaving the workbench, for good or for a while: what is kept for the next time, what becomes of a training."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from workbench.filesystem import absolute, why
from workbench.recipe import Recipe, RecipeError, read_recipe, read_recipe_file, write_recipe
from workbench.runs.errors import RunError, replace_text
from workbench.runs.queue.jobs import hold
from workbench.settings import Screens
from workbench.storage.locks import Claim
from workbench.storage.regular import MIDDLING, read_bytes
from workbench.tui.app.training_app import TrainingApp
from workbench.tui.common import clipboard
from workbench.tui.common.background import start_thread
from workbench.tui.common.editor import Editor
from workbench.tui.common.screens import ConfirmScreen

STOP, BACKGROUND, ABANDON, LOST = "stop", "background", "abandon", "lost"
QUIT, SUSPEND = "quit", "suspend"


class LeavingApp(TrainingApp):
    """leaving: what becomes of the training, once that is decided; "" before. It is also what the app returns then.

    queue_hold: keeps queued runs from the device of a training that is to go on in the background.
    """

    leaving = ""
    queue_hold: Claim | None = None

    def action_leave(self) -> None:
        """Ask what has to be asked, then leave. Asked again while a checkpoint is being saved, offer the way out."""
        if self.leaving:
            self._wait_for_training()
        else:
            self.unless_unsaved("quit", self._leave_training)

    def action_interrupt(self) -> None:
        """Ctrl-C: copy what is selected, else leave, but never without a question."""
        if text := self.screen.get_selected_text():
            clipboard.send(self, text)
            self.notify("copied")
            return
        if self.leaving or self.editor.unsaved or self.trains:
            self.action_leave()
            return

        def answered(answer: str | None) -> None:
            if answer == QUIT:
                self.action_leave()

        question = "Nothing is being trained here, and nothing is unsaved."
        self.push_screen(ConfirmScreen("Quit the workbench?", question, [(QUIT, "Quit")]), answered)

    def _leave_training(self) -> None:
        if self.training is None or not self.training.alive:
            self.exit("")
            return

        def answered(answer: str | None) -> None:
            if answer in (STOP, BACKGROUND) and self.training is not None:
                self.leaving = answer
                if answer == BACKGROUND:
                    start_thread("stopping", self._hold_queue_and_stop)
                else:
                    self.training.control.stop()
                self._wait_for_training()

        name = self.training.run.name if self.training.run else "A run"
        answers = [(STOP, "Stop at a checkpoint and quit"), (BACKGROUND, "Go on in the background and quit")]
        question = f"{name} is being trained here."
        self.push_screen(ConfirmScreen("A run is being trained", question, answers, loses={STOP}), answered)

    def _hold_queue_and_stop(self) -> None:
        """Stop the training, after seeing that no queued run takes its device before it goes on in the background."""
        with contextlib.suppress(OSError, RunError):  # what cannot be held has no queue that could start anything
            self.queue_hold = hold(self.settings.runs)
        if self.training is not None:
            self.training.control.stop()

    def _wait_for_training(self) -> None:
        """:meth:`leave_if_stopped` leaves when the training has ended; this is the way out if it takes too long."""

        def answered(answer: str | None) -> None:
            if answer == ABANDON:
                self.exit(ABANDON)

        question = "The run finishes its step and saves a checkpoint; then the workbench closes."
        answers = [(ABANDON, "Quit now, losing the steps since the last checkpoint")]
        self.push_screen(ConfirmScreen("Stopping…", question, answers, cancel="Wait", loses={ABANDON}), answered)

    def leave_if_stopped(self) -> None:
        """Leave if that is all that was waited for; a timer calls this."""
        if self.leaving and not self.trains:
            self.exit(self.leaving)

    def training_ended(self) -> None:
        """It may be all that leaving has waited for."""
        self.leave_if_stopped()

    def action_suspend(self) -> None:
        """Ctrl-Z: back to the shell, if there is one. It stops a training too, so that is asked about."""
        if self.settings.in_browser or not shell_waits():
            self.notify(
                "There is no shell behind this terminal that could bring the workbench back.", severity="warning"
            )
            return
        if not self.trains:
            self.action_suspend_process()
            return

        def answered(answer: str | None) -> None:
            if answer == SUSPEND:
                self.action_suspend_process()

        question = (
            "Suspending freezes the training too, until fg brings it back. "
            "To have the shell while it goes on, quit (q) and let it go on in the background."
        )
        self.push_screen(ConfirmScreen("Suspend?", question, [(SUSPEND, "Suspend anyway")], loses={SUSPEND}), answered)


def shell_waits() -> bool:
    """Whether somebody in our session, outside our job, can continue us: a shell with job control."""
    import psutil

    try:
        for parent in psutil.Process().parents():
            if os.getsid(parent.pid) != os.getsid(0):
                return False
            if os.getpgid(parent.pid) != os.getpgid(0):
                return True
    except (OSError, psutil.Error):
        pass
    return False


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
