"""``python -m workbench.preview``: started by the terminal, ends with it."""

from __future__ import annotations

import contextlib
import os
import sys

from workbench.memory import keep_freed_memory


def main() -> None:
    """Answer requests from stdin on stdout; what libraries print goes to stderr."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    keep_freed_memory()

    import torch

    torch.set_num_threads(1)
    sys.setswitchinterval(0.001)  # the stages' threads share one interpreter; the quick ones shall not wait for it

    from workbench.preview.answers import Answers
    from workbench.preview.beside import split_off
    from workbench.preview.child import serve
    from workbench.preview.protocol import SLOW, STAGES

    answer = Answers()
    # No lower priority here: a thread that waits for the processor while it holds the interpreter holds up all stages.
    beside = split_off(lambda requests, out: serve(requests, out, answer, SLOW))
    quick = STAGES if beside is None else tuple(stage for stage in STAGES if stage not in SLOW)
    with contextlib.suppress(KeyboardInterrupt):
        serve(sys.stdin, replies, answer, quick, beside)
    # The reading thread may still hold stdin, which would stop an ordinary exit.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
