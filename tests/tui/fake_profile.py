"""A ``workbench profile`` without torch, for tests: progress, then a report; ``--try`` adds a trial.

In the recipe's about: ``refuse`` ends it with an error, ``slow`` lets it stay at half way, ``many`` says a lot. With
``--report`` it repeats that report with the trial, as one of no windows.
"""

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workbench.profiling.report import (
    Found,
    MeasuringProgress,
    Phases,
    Process,
    Report,
    Suggestion,
    Throughput,
    Transform,
    Trial,
    from_plain,
    to_plain,
)
from workbench.recipe import read_recipe_file

CHANGES = {"data.workers": 2, "data.persistent_workers": True}


def report(name: str, device: str, *, trying: bool) -> Report:
    before = Throughput(1190.4, 1150.0, 1205.2, 5)
    return Report(
        recipe=name, device=device, machine="2 cores, 3.8 GB, torch 2.15", pipeline="loader", workers=0, batch_size=64,
        end_to_end=before, loader=Throughput(1304.0, 1280.0, 1321.0, 5), compute=Throughput(3400.0, 3350.0, 3420.0, 5),
        phases=Phases(
            0.0538,
            {"data wait": 0.0301, "transfer": 0.0002, "augment": 0.0, "forward": 0.0081, "backward": 0.0117,
             "optimizer": 0.0026, "other": 0.0006},
            48, 1, 0.004,
        ),
        bound="loader",
        sentence="Loading limits training: 56 % of a step waits for data; the network alone goes "
        "2.9× as fast as both together.",
        suggestion=Suggestion("Let two workers prepare batches while the network computes.", CHANGES, 2480.0),
        loader_alone=Throughput(1240.0, 1220.0, 1260.0, 3),
        transforms=[
            Transform("reading", 0.0000121, 0.02), Transform("random_crop", 0.000151, 0.2),
            Transform("color_jitter", 0.00059, 0.78),
        ],
        processes=[Process("training", 4711, 0.98, 612_000_000), Process("worker 1", 4712, 0.91, 210_000_000)],
        evaluation_share=0.061,
        notes=["a core is shared with other programs: the load was 1.2 before"],
        trials=[Trial(CHANGES, before, Throughput(2166.0, 2050.0, 2230.0, 5), 1.82, 1.75, 1.9,
                      "1,190 → 2,166 images/s: 1.82× (median of 5 pairs, 1.75–1.90), faster.")] if trying else [],
    )  # fmt: skip


def say(kind: str, values: dict[str, object]) -> None:
    print(json.dumps({"kind": kind, **values}), flush=True)


def main() -> None:
    recipe = read_recipe_file(Path(sys.argv[1]))
    assert "--json-lines" in sys.argv
    if "refuse" in recipe.about:
        print("a library's warning", file=sys.stderr)
        print("error: the data set is not there; get it with: workbench data get cifar10", file=sys.stderr)
        sys.exit(1)
    far = [
        Found("loader alone", Throughput(1304.0, 1280.0, 1321.0, 2)),
        Found("end to end", Throughput(1190.4, 1150.0, 1205.2, 2)),
    ]
    say("progress", to_plain(MeasuringProgress("loader alone", 0.25, far)))
    print("not a line of JSON")
    if "slow" in recipe.about:
        gains = [1.75, 1.9] if "--try" in sys.argv else []
        say("progress", to_plain(MeasuringProgress(f"loader alone, pid {os.getpid()}", 0.5, [], gains)))
        time.sleep(60)
    say("progress", to_plain(MeasuringProgress("end to end", 0.75)))
    device = sys.argv[sys.argv.index("--device") + 1]
    found = report(recipe.name, device, trying="--try" in sys.argv)
    if "--report" in sys.argv:
        known = from_plain(Report, json.loads(Path(sys.argv[sys.argv.index("--report") + 1]).read_text()))
        found = replace(known, trials=found.trials, end_to_end=replace(known.end_to_end, windows=0))
    say("report", to_plain(found))


if __name__ == "__main__":
    main()
