"""A session for tests in a real terminal: the app as a user gets it, with a training that needs no torch.

``session.py STEPS`` trains that many points, ten a second, and writes past Python to descriptor 2 as C++ libraries do.
``session.py STEPS WHERE`` breaks there: see tests/tui/broken.py.
While the folder has a file ``hold``, the last step is not taken.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.tui.broken import plant
from tests.tui.fakes import CHECKS, FAKE_PREVIEW, started, trained
from workbench.commands.errors import report
from workbench.control import Control
from workbench.events import Finished, Stopped
from workbench.runs.store.directory import RunDirectory
from workbench.runs.training.writer import RunWriter
from workbench.tui.app import lifecycle, training
from workbench.tui.app.workbench import Workbench
from workbench.tui.compose import preview_client

STEPS = int(sys.argv[1])


def execute(run: RunDirectory, *, device: str, data_root: Path, resume: bool, control: Control) -> str:
    with RunWriter(run, control) as writer:
        for event in (started(STEPS), *CHECKS):
            writer.write(event)
        for step in range(1, STEPS + 1):
            os.write(2, b"a library's warning\n")
            print("a print")
            writer.write(trained(step))
            control.wait(0.1)
            while step == STEPS - 1 and Path("hold").exists():
                control.wait(0.1)
            if control.stop_requested:
                writer.write(Stopped(step=step))
                return "stopped"
        writer.write(Finished(step=STEPS, seconds=1.0, test_loss=0.1, test_accuracy=0.9))
    return "finished"


training._execute = lambda: execute
Workbench.__init__.__kwdefaults__["preview_command"] = FAKE_PREVIEW
assert preview_client.COMMAND != FAKE_PREVIEW
if len(sys.argv) > 2:
    plant(sys.argv[2])
try:
    lifecycle.run_app(runs=Path("runs"), data_root=Path("data"), device="cpu")
except Exception as error:
    sys.exit(report(error))
