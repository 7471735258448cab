"""How long a headless run takes to its first training step, stage by stage, on the embedded digits and the CPU.

    python tests/benchmarks/start_up.py [--turns 5] [--recipe digits]

Prints medians and ranges in seconds. Each stage has a process of its own and holds those above it: a bare interpreter,
the command line's imports, torch's import (without the command line), then in one run of ``workbench run``: the run's
first event (data and network are there), the last check, and the end of the first training step. The file caches are
warm: a first turn is not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time

IMPORTS = {"interpreter": "pass", "workbench.cli": "import workbench.cli", "torch": "import torch"}


def imports(code: str) -> float:
    """Seconds of a process that only runs this code."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def run(recipe: str) -> dict[str, float]:
    """Seconds from the start of ``workbench run`` to its first event, its last check and its first step."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "workbench", "run", recipe, "--device", "cpu", "--json", "--runs", runs]
        command += ["--epochs", "1", "--set", "train.log_every=1"]
        start = time.time()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        found: dict[str, float] = {}
        for line in process.stdout:
            event = json.loads(line)
            stages = {"run_started": "first event", "check_finished": "last check", "trained": "first step"}
            if (stage := stages.get(event["kind"])) and "first step" not in found:
                found[stage] = event["time"] - start
        if process.wait() != 0:
            raise SystemExit(f"the run ended with {process.returncode}")
    return found


def main() -> None:
    """Measure in turns, print the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--turns", type=int, default=5)
    arguments.add_argument("--recipe", default="digits")
    given = arguments.parse_args()
    measured: dict[str, list[float]] = {}
    for turn in range(given.turns + 1):
        seconds = {stage: imports(code) for stage, code in IMPORTS.items()} | run(given.recipe)
        if turn:
            for stage, value in seconds.items():
                measured.setdefault(stage, []).append(value)
    print("| stage | seconds, median (min to max) |\n|---|---|")
    for stage, values in measured.items():
        print(f"| {stage} | {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f}) |")


if __name__ == "__main__":
    main()
