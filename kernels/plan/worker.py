"""The program that compiles kernels for another process: it reads tasks and says when each is done.

See ``machine.crew``.
"""

import json
import os
import sys

from ..machine import isa

__all__ = ["main"]


def main(path: list[str], level: str, root: str) -> None:
    """Compile for a level into the cache below ``root`` what standard input lists, until it closes.

    ``path`` is the ``sys.path`` in use. A task is one line of JSON: a place in ``calls.ALL``, a
    code, a dtype.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed is not an answer
    os.environ["FASTMLP_CACHE_DIR"] = root
    os.environ.pop("FASTMLP_KERNELS", None)
    isa.only_compile_for(level)
    from . import calls

    for line in sys.stdin.buffer:
        try:
            task = calls.task(*json.loads(line))
            task.kernel.compile(task.signature)
            done = task.kernel.is_kept_on_disk(task.signature)
        except Exception:  # the other process will see it for itself
            done = False
        answers.write(b"done\n" if done else b"failed\n")
        answers.flush()
