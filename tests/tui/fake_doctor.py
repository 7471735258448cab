"""In place of ``workbench doctor --json-lines``: two groups and a word too many."""

from __future__ import annotations

import json
import sys
import time


def line(group: str, name: str, level: str, found: str, meaning: str = "", remedy: str = "") -> None:
    finding = {"group": group, "name": name, "level": level, "found": found, "meaning": meaning, "remedy": remedy}
    print(json.dumps({"group": group, "findings": [finding]}), flush=True)


line("GPUs", "GPU 0", "ok", "NVIDIA H100, 78.0 of 80.0 GiB free", "nobody else uses it")
print("something that a library prints")
line("disks", "runs", "broken", "/runs\x1b[2J: no answer within 10 s", "every run hangs there", "take another folder")
line("terminal", "terminal", "note", "not a terminal")
if "--runs" not in sys.argv:
    sys.exit("which runs?")
time.sleep(1000 if "hang" in sys.argv else 0)
sys.exit(3)
