"""Recipes v0, v1, v2 beside plain scripts of the same settings on CIFAR-10.

    python tests/benchmarks/ladder_against_plain.py accuracy --data-root FOLDER [--seeds 42 43 44 45 46]
    python tests/benchmarks/ladder_against_plain.py speed --data-root FOLDER

accuracy: two epochs; ours and the plain script run at the same time, one thread and one core each, cores swapped from
seed to seed. speed: 0.2 epochs with two threads, one after the other in turns. Every measurement is a process of its
own and a JSON line in ``--results``; what stands there is not measured again. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RUNGS = ("v0", "v1", "v2")
WHO = ("ours", "plain")
IMAGES = 50_000


class Measurement:
    """One training in a process of its own, on given cores with as many threads."""

    def __init__(self, who: str, rung: str, seed: int, epochs: float, cores: set[int], data_root: str) -> None:
        self.who, self.epochs = who, epochs
        self._folder = tempfile.TemporaryDirectory()
        if who == "plain":
            command = [
                sys.executable,
                str(HERE / "plain_ladder.py"),
                rung,
                "--seed",
                str(seed),
                "--epochs",
                str(epochs),
            ]
            command += ["--threads", str(len(cores))]
        else:
            command = [sys.executable, "-m", "workbench", "run", rung, "--json", "--device", "cpu"]
            command += ["--runs", self._folder.name, "--seed", str(seed), "--epochs", str(epochs)]
            command += ["--set", f"train.eval_every={epochs}", "--set", f"train.threads={len(cores)}"]
        command += ["--data-root", data_root]
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE.parent.parent,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )

    def result(self) -> dict[str, Any]:
        """Wait for it: test_accuracy, images_per_second, seconds."""
        output, _ = self._process.communicate()
        self._folder.cleanup()
        if self._process.returncode:
            raise SystemExit(f"{self.who} failed")
        lines = [json.loads(line) for line in output.splitlines()]
        end: dict[str, Any] = lines[-1]
        if self.who == "plain":
            return end
        batch_size = next(line["batch_size"] for line in lines if line["kind"] == "run_started")
        images = min(end["step"] * batch_size, self.epochs * IMAGES)
        seconds = end["seconds"]
        return {"test_accuracy": end["test_accuracy"], "images_per_second": images / seconds, "seconds": seconds}


def main() -> None:
    """Measure what is missing, print the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("what", choices=["accuracy", "speed"])
    arguments.add_argument("--data-root", required=True)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44, 45, 46])
    arguments.add_argument("--results", type=Path)
    given = arguments.parse_args()
    results: Path = given.results or Path(f"ladder_{given.what}.jsonl")

    lines = results.read_text().splitlines() if results.exists() else []
    done = {(r["rung"], r["seed"], r["who"]): r for r in map(json.loads, lines)}
    cores = sorted(os.sched_getaffinity(0))[:2]
    for turn, seed in enumerate(given.seeds):
        for rung in RUNGS:
            pair = WHO if turn % 2 == 0 else WHO[::-1]
            if given.what == "accuracy":
                running = [
                    Measurement(who, rung, seed, 2, {core}, given.data_root)
                    for who, core in zip(pair, cores, strict=True)
                    if (rung, seed, who) not in done
                ]
                measured = [(one.who, one.result()) for one in running]
            else:
                measured = [
                    (who, Measurement(who, rung, seed, 0.2, set(cores), given.data_root).result())
                    for who in pair
                    if (rung, seed, who) not in done
                ]
            for who, result in measured:
                done[rung, seed, who] = {"rung": rung, "seed": seed, "who": who, **result}
                with results.open("a") as file:
                    file.write(json.dumps(done[rung, seed, who]) + "\n")
                print(json.dumps(done[rung, seed, who]), file=sys.stderr, flush=True)
    table(done, given.what)


def table(done: dict[tuple[str, int, str], dict[str, Any]], what: str) -> None:
    """Means and deviations of the accuracy, or medians and ranges of the speed."""
    column = "test accuracy, mean ± std" if what == "accuracy" else "images/s, median (min to max)"
    print(f"| recipe | who | {column} | seeds |\n|---|---|---|---|")
    for rung in RUNGS:
        for who in WHO:
            rows = [r for (g, _, w), r in sorted(done.items()) if (g, w) == (rung, who)]
            accuracy = [r["test_accuracy"] for r in rows]
            rate = [r["images_per_second"] for r in rows]
            deviation = statistics.stdev(accuracy) if len(rows) > 1 else float("nan")
            speed = f"{statistics.median(rate):,.0f} ({min(rate):,.0f} to {max(rate):,.0f})"
            shown = f"{statistics.mean(accuracy):.4f} ± {deviation:.4f}" if what == "accuracy" else speed
            print(f"| {rung} | {who} | {shown} | {len(rows)} |")


if __name__ == "__main__":
    main()
