"""In place of ``workbench check``: figures, a check with a chart, or what is wrong."""

from __future__ import annotations

import sys
import time
import tomllib
from pathlib import Path

recipe = tomllib.loads(Path(sys.argv[-1]).read_text())
name = sys.argv[sys.argv.index("--only") + 1]
if recipe["seed"] == 13:
    print("download: 10 %\nerror: small.toml: the data set is not there", file=sys.stderr)
    sys.exit(1)
print(f"recipe  {recipe['name']}\nparameters  3", flush=True)
print(f"check something ({name}): fail: found {recipe['techniques']['sgd']['learning_rate']}\x1b[2J\n", flush=True)
print("   2.82 │⢳⣀⣀⣠⣄⡀", flush=True)
time.sleep(1000 if recipe["seed"] == 14 else 0)
sys.exit(3)
