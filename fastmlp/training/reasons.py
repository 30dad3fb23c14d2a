"""Why training ended early: what ``history.stopped`` says, and how to tell it apart."""

__all__ = [
    "EARLY_STOPPING",
    "INTERRUPTED",
    "TIME_LIMIT",
    "diverged",
    "failed",
    "failure",
    "has_diverged",
]

EARLY_STOPPING = "early stopping"
"""The validation loss no longer improved."""

INTERRUPTED = "interrupted"
"""Ctrl-C was pressed."""

TIME_LIMIT = "time limit"
"""A `TimeLimit` ran out."""

_DIVERGED = "diverged "
_FAILED = "failed: "


def diverged(where: str) -> str:
    """Return the reason of a loss that is not finite, with its place: ``"at step 7"``."""
    return f"{_DIVERGED}{where}"


def has_diverged(stopped: str | None) -> bool:
    """Tell whether the loss was not finite."""
    return (stopped or "").startswith(_DIVERGED)


def failed(error: BaseException) -> str:
    """Return the reason of a model of a pack whose training raised an error."""
    return f"{_FAILED}{type(error).__name__}: {error}"


def failure(stopped: str | None) -> str | None:
    """Return the error of a model whose training raised one, else None."""
    has_failed = (stopped or "").startswith(_FAILED)
    return (stopped or "").removeprefix(_FAILED) if has_failed else None
