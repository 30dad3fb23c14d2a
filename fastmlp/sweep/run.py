"""One run of a search: call train, and return the result or the error as an outcome."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Failed", "Outcome", "Train", "TrainMany", "as_outcome", "attempt", "reason"]

Train = Callable[..., tuple[Any, Mapping[str, Any]]]
TrainMany = Callable[..., None]


@dataclass(frozen=True)
class Failed:
    """A failed run and the reason."""

    why: str


Outcome = tuple[Any, Mapping[str, Any]] | Failed

_SELF_EXPLAINING = (ValueError, ArithmeticError, OSError, MemoryError)


def attempt(train: Train, settings: Mapping[str, Any], seed: int, n_threads: int) -> Outcome:
    """Return the result of train, or the reason it failed."""
    try:
        return train(seed=seed, n_threads=n_threads, **settings)
    except (Exception, SystemExit) as error:
        return Failed(reason(error))


def as_outcome(found: Any) -> Outcome:
    """Return a result as it is, and an error as the reason why a run failed."""
    return Failed(reason(found)) if isinstance(found, BaseException) else found


def reason(error: BaseException) -> str:
    """Return the error as one line, with its location if it looks like a bug in the code."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return text or "not enough memory"
    if isinstance(error, _SELF_EXPLAINING) and text:
        return text
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    steps = traceback.extract_tb(error.__traceback__)
    return f"{text} ({Path(steps[-1].filename).name}, line {steps[-1].lineno})" if steps else text
