"""Recipes v0, v1, v2 beside plain scripts of the same settings: two epochs of CIFAR-10, five seeds, interleaved.

    python tests/benchmarks/ladder_against_plain.py --data-root FOLDER [--seeds 42 43 44 45 46] [--results FILE]

Every measurement is a process of its own; which of the two goes first alternates. Results are appended to FILE as JSON
lines, and what stands there already is not measured again. Prints a table of means and standard deviations.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
EPOCHS = 2


def plain(rung: str, seed: int, data_root: str) -> dict[str, Any]:
    """One run of the plain script."""
    command = [sys.executable, str(HERE / "plain_ladder.py"), rung, "--seed", str(seed), "--epochs", str(EPOCHS)]
    return dict(json.loads(_output([*command, "--data-root", data_root])))


def ours(rung: str, seed: int, data_root: str) -> dict[str, Any]:
    """One headless run of the recipe."""
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "workbench", "run", rung, "--json", "--device", "cpu", "--runs", runs]
        settings = [f"train.epochs={EPOCHS}", f"train.eval_every={EPOCHS}", f"seed={seed}"]
        for setting in settings:
            command += ["--set", setting]
        end = json.loads(_output([*command, "--data-root", data_root]).strip().splitlines()[-1])
    images = EPOCHS * 50_000
    return {
        "test_accuracy": end["test_accuracy"],
        "images_per_second": images / end["seconds"],
        "seconds": end["seconds"],
    }


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE.parent.parent).stdout


def main() -> None:
    """Measure what is missing, print the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--data-root", required=True)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44, 45, 46])
    arguments.add_argument("--rungs", nargs="+", default=["v0", "v1", "v2"])
    arguments.add_argument("--results", type=Path, default=Path("ladder_against_plain.jsonl"))
    given = arguments.parse_args()

    lines = given.results.read_text().splitlines() if given.results.exists() else []
    done = {(r["rung"], r["seed"], r["who"]): r for r in map(json.loads, lines)}
    for turn, seed in enumerate(given.seeds):
        for rung in given.rungs:
            pair = [("ours", ours), ("plain", plain)]
            for who, measure in pair if turn % 2 == 0 else reversed(pair):
                if (rung, seed, who) not in done:
                    result = {"rung": rung, "seed": seed, "who": who, **measure(rung, seed, given.data_root)}
                    done[rung, seed, who] = result
                    with given.results.open("a") as file:
                        file.write(json.dumps(result) + "\n")
                    print(json.dumps(result), file=sys.stderr, flush=True)

    print("| recipe | who | test accuracy, mean ± std | images/s, median (min to max) | seeds |\n|---|---|---|---|---|")
    for rung in given.rungs:
        for who in ("ours", "plain"):
            rows = [r for (g, _, w), r in sorted(done.items()) if (g, w) == (rung, who)]
            accuracy = [r["test_accuracy"] for r in rows]
            rate = [r["images_per_second"] for r in rows]
            deviation = statistics.stdev(accuracy) if len(accuracy) > 1 else float("nan")
            print(
                f"| {rung} | {who} | {statistics.mean(accuracy):.4f} ± {deviation:.4f} "
                f"| {statistics.median(rate):,.0f} ({min(rate):,.0f} to {max(rate):,.0f}) | {len(rows)} |"
            )


if __name__ == "__main__":
    main()
