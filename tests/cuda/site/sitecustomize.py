"""Python runs this when it starts: in a process of its own that the stand-in is loaded in, CUDA tensors compute too."""

from __future__ import annotations

import atexit
import importlib.abc
import importlib.util
import os
import sys


class _AfterTorch(importlib.abc.MetaPathFinder):
    """Switches the numbers on as soon as torch has been imported."""

    def find_spec(self, name, path, target=None):
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec("torch")
        finally:
            sys.meta_path.insert(0, self)  # somebody may only look for it, and import it later
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_switch_on(module):
                load(module)
                from tests.cuda.numbers import computing

                switched_on = computing()
                switched_on.__enter__()
                atexit.register(switched_on.__exit__, None, None, None)

            spec.loader.exec_module = load_and_switch_on
        return spec


if os.environ.get("STANDIN_COMPUTES") == "1" and "libcuda.so.1" in os.environ.get("LD_PRELOAD", ""):
    sys.meta_path.insert(0, _AfterTorch())
