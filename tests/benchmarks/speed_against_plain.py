"""How fast recipes train beside plain scripts of the same settings on CIFAR-10, on a CPU or a GPU.

    python tests/benchmarks/speed_against_plain.py --data-root FOLDER [--recipes resnet20 ninety-four] [--turns 5]

The plain script (``plain_recipes.py``) has a DataLoader with four workers, torchvision's transforms and torch.autocast.
Ours is ``workbench run`` of the packaged recipe as it is, its number formats apart. Each is measured in each precision,
one after the other in turns, as a process of its own that trains for STEPS steps after a few that do not count; nothing
is evaluated. Prints a table and the ratios within each precision; the machine should do nothing else.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
WARM_UP = 4
STEPS = {"ninety-four": 12, "resnet18": 20, "dreamfire": 16}
"""Steps that are timed, for large networks; others 80."""
FORMATS = {
    "fp32": ("techniques.mixed_precision.enabled=false", "techniques.half_weights.enabled=false"),
    "bf16": ("techniques.mixed_precision.dtype=bf16", "techniques.half_weights.enabled=false"),
    "fp16": (),
}
"""Changes to our recipes for each precision; the plain script knows fp32, bf16 and, on a GPU, fp16."""


def plain(recipe: str, precision: str, steps: int, device: str, data_root: str) -> float:
    """Images per second of the plain script."""
    command = [sys.executable, str(HERE / "plain_recipes.py"), recipe, "--steps", str(WARM_UP + steps)]
    command += ["--workers", "4", "--precision", precision, "--device", device, "--data-root", data_root]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(json.loads(done.stdout)["images_per_second"])


def ours(recipe: str, precision: str, steps: int, device: str, data_root: str) -> float:
    """Images per second of ``workbench run``."""
    text = (HERE.parent.parent / "recipes" / f"{recipe}.toml").read_text()
    settings = [f"train.log_every={WARM_UP}", "train.eval_every=1000", "train.checkpoint_every=1000"]
    settings += [s for s in FORMATS[precision] if not s.endswith("false") or s.split(".")[1] in text]
    command = [sys.executable, "-m", "workbench", "run", recipe, "--json", "--no-checks", "--device", device]
    command += [part for setting in settings for part in ("--set", setting)]
    seconds: dict[int, float] = {}
    batch_size = 0
    with tempfile.TemporaryDirectory() as runs:
        command += ["--runs", runs, "--data-root", data_root]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["kind"] == "run_started":
                batch_size = event["batch_size"]
            elif event["kind"] == "trained":
                seconds[event["step"]] = event["seconds"]
                if event["step"] >= WARM_UP + steps:
                    process.send_signal(signal.SIGKILL)
        process.wait()
    first, last = min(seconds), max(seconds)
    return (last - first) * batch_size / (seconds[last] - seconds[first])


def main() -> None:
    """Measure in turns, print the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--data-root", required=True)
    arguments.add_argument("--recipes", nargs="+", default=["resnet20", "ninety-four"])
    arguments.add_argument("--precisions", nargs="+", default=["fp32", "bf16"])
    arguments.add_argument("--turns", type=int, default=5)
    arguments.add_argument("--device", default="cpu")
    given = arguments.parse_args()
    print("| recipe | precision | plain images/s, median (min to max) | ours | ours ÷ plain | turns |")
    print("|---|---|---|---|---|---|")
    for recipe in given.recipes:
        found: dict[tuple[str, str], list[float]] = {}
        for turn in range(given.turns):
            for precision in given.precisions:
                pair = [plain, ours] if turn % 2 == 0 else [ours, plain]
                for measure in pair:
                    rate = measure(recipe, precision, STEPS.get(recipe, 80), given.device, given.data_root)
                    found.setdefault((measure.__name__, precision), []).append(rate)
        for precision in given.precisions:
            theirs, mine = found["plain", precision], found["ours", precision]
            shown = [f"{statistics.median(r):,.0f} ({min(r):,.0f} to {max(r):,.0f})" for r in (theirs, mine)]
            gain = statistics.median(b / a for a, b in zip(theirs, mine, strict=True))
            row = [recipe, precision, *shown, f"{gain:.2f}", str(given.turns)]
            print(f"| {' | '.join(row)} |", flush=True)
        if {("ours", "bf16"), ("plain", "fp32")} <= set(found):
            pairs = zip(found["plain", "fp32"], found["ours", "bf16"], strict=True)
            print(f"{recipe}: ours in bf16 ÷ plain in fp32 = {statistics.median(b / a for a, b in pairs):.2f}")


if __name__ == "__main__":
    main()
