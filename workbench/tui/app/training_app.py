"""The runs of the app: the one that it trains in a thread, and the one that it follows on the Run screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from textual.message import Message
from textual.notifications import SeverityLevel
from textual.widgets import Input

from workbench.filesystem import absolute
from workbench.runs.errors import RunError
from workbench.runs.extend import Plan, begin
from workbench.runs.find.listing import newest_live_run
from workbench.runs.launch import await_heartbeat
from workbench.runs.queue.jobs import remove
from workbench.runs.store.control_file import Action as Request
from workbench.runs.store.control_file import ask
from workbench.runs.store.directory import RunDirectory, create_run
from workbench.tui.app.ending import EndingApp
from workbench.tui.app.recipe_app import Outside
from workbench.tui.app.training import QueueMoved, Training, begin_apart, device_used, free_device, hand_over
from workbench.tui.common.background import aside
from workbench.tui.common.editor import Editor
from workbench.tui.common.screens import ConfirmScreen
from workbench.tui.common.services import Settings
from workbench.tui.compose import conflicts
from workbench.tui.run.tracking import Tracked

Make = Callable[[], RunDirectory]
QUEUE, BESIDE = "queue", "beside"


class TrainingMoved(Message):
    """The training thread has made its run, or has ended.

    state: of the training when it said so, None while it goes on; it may have ended until somebody hears it.
    """

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training
        self.state = training.state


class TrainingApp(EndingApp):
    """training: of this process, the last one. tracked: the run on the Run screen, whoever trains it."""

    def __init__(
        self, settings: Settings, editor: Editor, outside: Outside, theme: str = "", poll: float = 1.0
    ) -> None:
        super().__init__(settings, editor, outside, theme, poll)
        self.training: Training | None = None
        self.tracked: Tracked | None = None
        self._begun_in = ""
        self._begun: Callable[[], None] = lambda: None
        self._beginning = False

    @property
    def trains(self) -> bool:
        """Whether a run is being trained here."""
        return self.training is not None and self.training.alive

    @property
    def trained_here(self) -> RunDirectory | None:
        """The run that is being trained here; None while it is made, too."""
        return self.training.run if self.training is not None and self.training.alive else None

    # Training in this process

    def start_run(self) -> None:
        """Train the recipe that is being composed, unless something speaks against it."""
        problems = self.editor.conflicts()
        if problems:
            reasons = "\n".join(f"{p.path}: {p.message}" for p in problems)
            if offer := conflicts.offer(self.editor.fixes(problems[0])):
                reasons += f"\nkey {self.key('compose.fix')}: {offer}"
            self.notify(reasons, title="This recipe cannot be trained", severity="error", timeout=10)
            return
        recipe = self.editor.recipe
        self._train(lambda: create_run(self.settings.runs, recipe), resume=False)

    def resume_run(self, run: RunDirectory) -> None:
        """Go on with a run that ended before its time, from its last checkpoint, in this process."""
        self._train(lambda: run, resume=True)

    def train_on(self, wanted: Plan) -> None:
        """Train a run that is over on, as a new run, in this process."""
        self._train(lambda: begin(wanted, self.settings.runs), resume=True)

    def _train(self, make: Make, *, resume: bool) -> None:
        at_work = self._at_work()
        if self.trains or self._beginning or at_work is not None:
            self._offer_queue(make, at_work)
            return
        if reason := self.refusal:
            how = f"{reason}, or go on without it: {self.key('compose.devices')} in Compose, cpu."
            self.notify(how, title="The GPU cannot be used", severity="error", timeout=20, markup=False)
            return
        self._begun_in, self._begun = self.current_mode, self.hold_input()
        if self.settings.in_browser:
            self._train_apart(make)
            return
        self.training = Training(
            make,
            lambda training: self.post_message(TrainingMoved(training)),
            device=self.device,
            data_root=self.settings.data_root,
            resume=resume,
            descriptors=self._outside.descriptors,
            execute=self._outside.execute,
        )
        self.training.start()

    def _at_work(self) -> RunDirectory | None:
        """The run that a new one would have to share its device with, as far as the screens know; None for none."""
        if not self.settings.in_browser:
            return self.trained_here
        tracked = self.tracked
        return tracked.run if tracked is not None and tracked.live else None

    def _train_apart(self, make: Make) -> None:
        """Begin a run in a process of its own, which goes on when the page is closed."""

        def begun(started: tuple[RunDirectory, int]) -> None:
            self._beginning = False
            self._show_begun(started[0])
            self._begun()
            aside(self, "a run's first words", lambda: await_heartbeat(*started), failed=failed)

        def failed(error: RunError) -> None:
            self._beginning = False
            self._begun()
            self.notify(str(error), title="The run broke", severity="error", timeout=10)

        self._beginning = True
        device, settings = self.device, self.settings
        aside(self, "starting a run", lambda: begin_apart(make, device, settings), begun, failed)

    def on_training_moved(self, message: TrainingMoved) -> None:
        """Watch a new run; say how one ended."""
        training, state = message.training, message.state
        if not self.is_running:  # leaving: the screens may be gone already
            return
        if state is None:
            if training.run is not None:
                self._show_begun(training.run)
            self._begun()
            return
        self._begun()
        self.read_speeds()
        if training.error:
            self.notify(training.error, title="The run broke", severity="error", timeout=10)
        elif self.current_mode != "run" and training.run is not None:
            severity: SeverityLevel = "information" if state in ("finished", "stopped") else "error"
            self.notify(f"{training.run.name}: {state}", severity=severity)
        if self.tracked is not None:
            self.tracked.hurry()
        if (run := training.run) is not None:  # where the Run screen follows it, that is first and knows the result
            seconds = training.seconds
            self.set_timer(3 * self.poll, lambda: self.tell_end(run, state, seconds))
        self.training_ended()

    def _show_begun(self, run: RunDirectory) -> None:
        """Go to the Run screen, unless somebody has gone on to something else while the run was made."""
        typing = len(self.screen_stack) > 1 or isinstance(self.screen.focused, Input)
        if self.current_mode == self._begun_in and not typing:
            self.watch_run(run)
        else:
            self.track(run)
            self.notify(f"{run.name} is being trained; 2 shows it.")

    def training_ended(self) -> None:
        """The training of this process is over; whoever waits for that overrides this."""

    # The queue

    def _offer_queue(self, make: Make, training: RunDirectory | None) -> None:
        """A run is wanted while another one is trained here: ask, at once, and find out where else it could be trained.

        Queue the run, train it on another device, or neither. No second training in this process. training: the other
        one; None while it is made.
        """
        name = training.name if training is not None else "the present run"
        question = (
            f"{name} is being trained here. A queued run waits for it, and trains even if this terminal is closed."
        )
        answers = [(QUEUE, "Queue it: it begins when its device is free")]
        dialog = ConfirmScreen("A run is being trained", question, answers)
        other = ""

        def found(device: str) -> None:
            nonlocal other
            if device:
                other = device
                dialog.offer(BESIDE, f"Train it now on {device}, in the background")

        def answered(answer: str | None) -> None:
            if answer == QUEUE:
                device = self.device
                send(lambda: hand_over(make, device_used(training) or device, settings, queued=True))
            elif answer == BESIDE:
                send(lambda: hand_over(make, other, settings, queued=False))

        def send(work: Callable[[], str]) -> None:
            aside(self, "sending a run", work, self.notify, lambda error: self.notify(str(error), severity="error"))

        settings = self.settings
        self.push_screen(dialog, answered)
        aside(self, "devices", lambda: free_device(settings.runs), found)

    def on_queue_moved(self, message: QueueMoved) -> None:
        """Say what the queue did, unless the Run screen shows it anyway."""
        if self.tracked is not None and self.tracked.run == message.run:
            self.tracked.hurry()
        elif self.is_running:
            self.notify(message.text, severity="error" if message.failed else "information")

    # The run on the Run screen

    def look_for_live_run(self) -> None:
        """Follow the newest run that is at work already, such as one whose terminal was lost."""

        def look() -> RunDirectory | None:
            try:
                return newest_live_run(self.settings.runs)
            except (RunError, OSError):
                return None

        aside(self, "live runs", look, self.live_run_seen)

    def live_run_seen(self, run: RunDirectory | None) -> None:
        """Follow a run that goes on, unless there is another one to look at already."""
        if run is not None and self.tracked is None:
            self.track(run)
            self.notify(f"{run.name} is being trained; 2 shows it.")

    def watch_run(self, run: RunDirectory) -> None:
        """Show a run, whoever trains it, on the Run screen."""
        self.track(run)
        self.action_show("run")

    def track(self, run: RunDirectory) -> None:
        """Follow a run from now on."""
        if self.tracked is not None:
            if self.tracked.run == run:
                self.tracked.hurry()
                return
            self.tracked.stop()
        self.tracked = Tracked(run, self.data_seconds)
        self.tracked.start()
        self.show_run()
        self.set_timer(min(0.2, self.poll), self._tick)  # the first reading is there before the first turn

    def forget_runs(self, gone: Iterable[RunDirectory]) -> None:
        """Runs were deleted; the Run screen shows none of them any more."""
        if self.tracked is not None and absolute(self.tracked.run.path) in {absolute(run.path) for run in gone}:
            self.tracked.stop()
            self.tracked = None
            self.show_run()

    def ask_run(self, what: Request) -> None:
        """Ask the run on screen for something, wherever it is trained."""
        tracked = self.tracked
        if tracked is None:
            return
        if tracked.waiting and what == "stop":
            if not remove(tracked.run):
                self.notify(f"{tracked.run.name} is not in the queue any more.")
            tracked.hurry()
            return
        if self.training is not None and self.trained_here == tracked.run:
            control = self.training.control
            {
                "pause": control.pause,
                "continue": control.go_on,
                "stop": control.stop,
                "checkpoint": control.checkpoint,
            }[what]()
        else:
            try:
                ask(tracked.run, what)
            except RunError as error:
                self.notify(str(error), severity="error")
                return
        tracked.ask(what)
        self.show_run()

    def _tick(self) -> None:
        """Once a second: take in what the run said; whoever has the screens overrides this."""

    def show_run(self) -> None:
        """Show what is known of the run on screen; whoever has the screens overrides this."""
