"""The registries, asked from several threads at once."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import threading
from workbench.recipe.registries import TECHNIQUES

found, together = [], threading.Barrier(8)

def look():
    together.wait()
    found.append(len(TECHNIQUES.names()))

threads = [threading.Thread(target=look) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert len(set(found)) == 1 and found[0] > 30, found
"""


def test_nobody_sees_a_part_of_the_cards() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)
