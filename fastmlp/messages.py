"""One line to standard error, for what is no error."""

import contextlib
import sys

__all__ = ["note"]


def note(text: str) -> None:
    """Write ``fastmlp: text``; where nobody listens any more, work goes on all the same."""
    with contextlib.suppress(OSError, ValueError):  # a full disk, a gone reader, a closed file
        print(f"fastmlp: {text}", file=sys.stderr, flush=True)
