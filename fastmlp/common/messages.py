"""Notes on standard error, for what is not an error."""

import contextlib
import sys

__all__ = ["note"]


def note(text: str) -> None:
    """Write ``fastmlp: text`` to standard error; never fail, even if it is closed."""
    with contextlib.suppress(OSError, ValueError):  # full disk, broken pipe, closed file
        print(f"fastmlp: {text}", file=sys.stderr, flush=True)
