"""What every loader worker needs, imported once by the process from which all of them are forked.

A worker is one of several: libraries that would start threads of their own as soon as they are imported shall not, and
a process that has only one thread can be forked without danger.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import workbench.data.splits
import workbench.data.worker_images  # noqa: F401
