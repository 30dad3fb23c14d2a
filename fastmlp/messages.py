"""One line to standard error, for what is no error."""

import sys

__all__ = ["note"]


def note(text: str) -> None:
    """Write ``fastmlp: text``; where nobody listens any more, work goes on all the same."""
    try:
        print(f"fastmlp: {text}", file=sys.stderr, flush=True)
    except (OSError, ValueError):  # a full disk, a reader that left, a closed file
        pass
