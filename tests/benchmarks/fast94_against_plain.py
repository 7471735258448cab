"""fast94-cpu beside a plain script of airbench94_muon, in turns on one machine that should do nothing else.

    python tests/benchmarks/fast94_against_plain.py --data-root FOLDER [--recipe fast94-cpu] [--seeds 0 1 2]
        [--device cpu] [--results FILE]

For each seed: one epoch of the plain script (``plain_airbench.py``; all of its epochs take the same time, so eight of
them count as a whole training), then a whole training of ours (``workbench bench --to 94``). Prints the times, the
accuracies with six views and the ratio of the mean times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
EPOCHS, STEPS = 8, 25
"""Of the plain script: its epochs, and the steps of one."""


def last_line(command: list[str]) -> dict[str, Any]:
    """The last JSON object that a command prints. 3 means that the accuracy was not reached."""
    done = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, text=True, cwd=HERE.parent.parent)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    """Measure in turns, say what was found."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--data-root", required=True)
    arguments.add_argument("--recipe", default="fast94-cpu")
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--results", type=Path, default=Path("fast94.jsonl"))
    given = arguments.parse_args()
    place = ["--data-root", given.data_root]
    plain, ours = [], []
    for seed in given.seeds:
        script = [str(HERE / "plain_airbench.py"), "--seed", str(seed), "--device", given.device]
        plain.append(EPOCHS * last_line([*script, "--steps", str(STEPS), *place])["seconds"])
        bench = ["-m", "workbench", "--device", given.device, *place, "bench", given.recipe, "--to", "94", "--json"]
        ours.append(last_line([*bench, "--seeds", "1", "--set", f"seed={seed}"])["runs"][0])
        line = {"plain_seconds": plain[-1], **ours[-1]}
        with given.results.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)
    accuracy = [run["accuracy"] for run in ours]
    mean, theirs = statistics.mean(run["seconds"] for run in ours), statistics.mean(plain)
    print(f"ours {mean:.0f} s, plain {theirs:.0f} s ({EPOCHS} times an epoch), ratio {mean / theirs:.3f}")
    print(f"accuracy with six views: mean {statistics.mean(accuracy):.2%} of {', '.join(f'{a:.2%}' for a in accuracy)}")


if __name__ == "__main__":
    main()
