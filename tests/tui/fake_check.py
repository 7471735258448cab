"""In place of ``workbench check``: figures, a check with a chart, or what is wrong."""

from __future__ import annotations

import sys
import time
import tomllib
from pathlib import Path

from workbench.commands.check import overfit_chart

recipe = tomllib.loads(Path(sys.argv[-1]).read_text())
name = sys.argv[sys.argv.index("--only") + 1]
if recipe["seed"] == 13:
    print("download: 10 %\nerror: small.toml: the data set is not there", file=sys.stderr)
    sys.exit(1)
print(f"recipe  {recipe['name']}\nparameters  3", flush=True)
if name == "overfit_batch":
    losses = [2.5 * 0.93**step + 0.02 for step in range(62)]
    found = f"found {losses[-1]:.3f} after {len(losses) - 1} steps, from {losses[0]:.3f}"
    print(f"check one batch by heart ({name}): pass: expected loss below 0.05 within 200 steps, {found}\n")
    print("\n".join(overfit_chart(losses, 0.05)), flush=True)
    sys.exit(0)
print(f"check something ({name}): fail: found {recipe['techniques']['sgd']['learning_rate']}\x1b[2J\n", flush=True)
print("   2.82 │⢳⣀⣀⣠⣄⡀", flush=True)
time.sleep(1000 if recipe["seed"] == 14 else 0)
sys.exit(3)
