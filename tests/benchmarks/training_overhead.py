"""What the screens cost a training: steps per second with them attached, divided by those of the same run headless.

    python tests/benchmarks/training_overhead.py [--pairs 5] [--steps 1500] [--data-root FOLDER] [--threads N]

Pairs of runs of one recipe, in turns: headless (`workbench run`), and started in the screens in a pseudo-terminal of
160×48 that is read all the time, the Run screen in front. A network so small that launching its operations is all its
work ("tiny"), and a ResNet-20 ("real": on CIFAR-10 where --data-root has it, else on digits). Steps per second are
counted from the run's own events, between a tenth of its steps and the last; evaluations are left out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from tests.benchmarks.terminal_latency import Terminal
from workbench.events import Finished, Trained
from workbench.runs.store.directory import RunDirectory
from workbench.runs.store.events import read_events

TINY = """
name = "tiny"
[data]
source = "digits"
batch_size = 16
[model]
name = "cnn"
widths = [4]
hidden = []
[train]
epochs = {epochs}
eval_every = 100000
checkpoint_every = 100000
{threads}
[techniques.sgd]
learning_rate = 0.001
"""

REAL = """
name = "real"
[data]
source = "{source}"
batch_size = 64
[model]
name = "resnet"
channels = [16, 32, 64]
blocks = [3, 3, 3]
[train]
epochs = {epochs}
eval_every = 100000
checkpoint_every = 100000
{threads}
[techniques.batch_norm]
[techniques.residual]
[techniques.sgd]
"""


def headless(recipe: Path, folder: Path, data_root: Path) -> RunDirectory:
    command = [sys.executable, "-m", "workbench", "run", str(recipe), "--quiet", "--device", "cpu"]
    subprocess.run([*command, "--data-root", str(data_root)], cwd=folder, check=True, capture_output=True)
    return newest(folder)


def in_the_screens(recipe: Path, folder: Path, data_root: Path) -> RunDirectory:
    command = [sys.executable, "-m", "workbench", "--recipe", str(recipe), "--device", "cpu"]
    before = set((folder / "runs").iterdir()) if (folder / "runs").exists() else set()
    with Terminal([*command, "--data-root", str(data_root)], folder, 160, 48) as terminal:
        terminal.wait_for("batch_norm")
        terminal.drain(5)
        os.write(terminal.master, b"r")
        over = threading.Event()

        def read() -> None:
            while not over.is_set():
                terminal.read(0.2)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            while True:
                over.wait(0.5)
                made = set((folder / "runs").iterdir()) - before if (folder / "runs").exists() else set()
                if made and any(isinstance(e, Finished) for e in read_events(RunDirectory(next(iter(made))))):
                    return RunDirectory(next(iter(made)))
        finally:
            over.set()
            reader.join()


def newest(folder: Path) -> RunDirectory:
    return RunDirectory(max((folder / "runs").iterdir(), key=lambda path: path.stat().st_ctime))


def pace(run: RunDirectory) -> float:
    """Steps per second from a tenth of the run on."""
    points = [event for event in read_events(run) if isinstance(event, Trained)]
    last = points[-1]
    first = next(event for event in points if event.step >= last.step / 10)
    return (last.step - first.step) / (last.seconds - first.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6000, help="of the tiny network; the real one does a fortieth")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", choices=["tiny", "real"])
    options = parser.parse_args()
    threads = f"threads = {options.threads}" if options.threads else ""
    images = 1437  # of digits
    source, real_images = ("cifar10", 50_000) if options.data_root else ("digits", images)
    recipes = {
        "tiny": TINY.format(epochs=options.steps * 16 / images, threads=threads),
        "real": REAL.format(source=source, epochs=options.steps / 40 * 64 / real_images, threads=threads),
    }
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, threads {options.threads or 'default'}")
    for name, text in recipes.items():
        if options.only not in (None, name):
            continue
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            recipe = folder / f"{name}.toml"
            recipe.write_text(text)
            data_root = options.data_root.resolve() if options.data_root else folder
            ratios = []
            for _ in range(options.pairs):
                alone = pace(headless(recipe, folder, data_root))
                shown = pace(in_the_screens(recipe, folder, data_root))
                ratios.append(shown / alone)
                print(
                    f"  {name}: headless {alone:8.1f}, in the screens {shown:8.1f} steps/s, ratio {shown / alone:.3f}"
                )
            print(f"{name}: median ratio {statistics.median(ratios):.3f} ({min(ratios):.3f}–{max(ratios):.3f})")


if __name__ == "__main__":
    main()
