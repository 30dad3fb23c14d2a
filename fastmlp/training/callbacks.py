"""Callbacks: objects that watch training and may stop it."""

import difflib
import inspect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastmlp.common.errors import instead_of_object
from fastmlp.training.history import History
from fastmlp.training.reasons import TIME_LIMIT

__all__ = [
    "Callback",
    "Callbacks",
    "TimeLimit",
    "TrainingInfo",
    "as_callbacks",
]


@dataclass(frozen=True)
class TrainingInfo:
    """Facts about the training run, passed to `on_train_begin`.

    Attributes
    ----------
    model : object
        The model being trained.
    epochs : int
        The number of epochs this call of ``fit`` will run if nothing stops it.
    steps_per_epoch : int
        Optimizer steps per epoch.
    n_samples : int
        The number of training rows N; each epoch visits every row once.
    steps_done : callable
        ``steps_done() -> int`` returns the steps taken since this call of ``fit`` began. It is
        cheap and may be called while the workers run.

    """

    model: Any
    epochs: int
    steps_per_epoch: int
    n_samples: int
    steps_done: Callable[[], int]


class Callback:
    """Base of all callbacks; override the hooks that you need.

    ``fit`` calls the hooks on its caller's thread, in the order in which the callbacks are listed.
    The rules are the same for models and estimators:

    - The return value of `on_epoch_end` decides whether training continues. A true value stops it;
      a string also becomes the reason in ``history.stopped`` (an estimator's ``stopped_``). None,
      False, 0 and an empty string let it continue. Return values of other hooks are ignored.
    - An error in a hook stops training: all threads end, the model keeps the parameters from the
      end of the last complete epoch (with ``restore_best``, of the best epoch), and ``fit`` raises
      the error.
    - KeyboardInterrupt does not count as an error: it stops training and ``fit`` returns as usual.
    - `on_train_end` runs for every callback whose `on_train_begin` was called, however training
      ended. If several hooks raise, ``fit`` raises the first error, with the others added as notes.

    With the solver "lbfgs" each iteration counts as an epoch, and `poll` is never called.
    """

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Run once before the first epoch."""

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> bool | str | None:
        """Run after every epoch; a true value stops training, a string also says why.

        Parameters
        ----------
        epoch : int
            Counted from 0 in each call of ``fit``.
        record : mapping
            ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy`` (None if not
            available), ``seconds`` and ``learning_rate``; with an estimator also ``val_score``.
            A key that a callback adds becomes a column of the history.
        model : Sequential
            A callback may evaluate it, and may change its parameters and settings.

        """

    def on_train_end(self, history: History) -> None:
        """Run once at the end, even if training was interrupted or failed."""

    def poll(self) -> None:
        """Run about ten times a second during an epoch; must be quick."""


class TimeLimit(Callback):
    """Stop at the end of the first epoch that exceeds a time limit.

    Parameters
    ----------
    seconds : float
        Time since the start of training, without compilation; > 0.

    Raises
    ------
    ValueError
        If ``seconds`` is not a positive number.

    """

    def __init__(self, seconds: float):
        if not seconds > 0:
            raise ValueError(
                f"the time limit must be a positive number of seconds, got {seconds!r}"
            )
        self.seconds = seconds
        self._deadline = math.inf

    def on_train_begin(self, info: TrainingInfo) -> None:
        """Start the clock."""
        self._deadline = time.monotonic() + self.seconds

    def seconds_left(self) -> float:
        """Return after how many seconds no new epoch starts."""
        return self._deadline - time.monotonic()

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> str | None:
        """Stop when the clock has run out."""
        return TIME_LIMIT if self.seconds_left() <= 0 else None


class Callbacks:
    """The callbacks of one call of ``fit``; each method calls one hook of them all.

    Parameters
    ----------
    callbacks : sequence
        Objects with at least one of the hooks of `Callback`.

    Attributes
    ----------
    polled : bool
        Whether any of them overrides `poll`.

    """

    def __init__(self, callbacks: Sequence[Any]):
        self._callbacks = tuple(callbacks)
        self._begun: list[Any] = []
        polls = (getattr(callback, "poll", None) for callback in callbacks)
        self._polls = [p for p in polls if p and getattr(p, "__func__", p) is not Callback.poll]
        self.polled: bool = bool(self._polls)

    def __len__(self) -> int:
        """Return the number of callbacks."""
        return len(self._callbacks)

    def begin(self, info: TrainingInfo) -> None:
        """Call every callback's `on_train_begin`."""
        for callback in self._callbacks:
            self._begun.append(callback)
            _call(callback, "on_train_begin", info)

    def end_epoch(self, record: Mapping[str, Any], model: Any) -> str | None:
        """Call every `on_epoch_end`; return the first reason to stop, or None."""
        answers = [
            _reason(_call(callback, "on_epoch_end", record["epoch"], record, model), callback)
            for callback in self._callbacks
        ]
        return next((answer for answer in answers if answer), None)

    def end(self, history: History, error: BaseException | None) -> BaseException | None:
        """Call `on_train_end` of each callback that has begun; return the first error, if any.

        Parameters
        ----------
        history : History
        error : BaseException, optional
            The error that ended training; it counts as the first.

        """
        for callback in self._begun:
            try:
                _call(callback, "on_train_end", history)
            except BaseException as another:
                if error is None:
                    error = another
                else:
                    error.add_note(f"then on_train_end of {callback!r} raised {another!r}")
        return error

    def poll(self) -> None:
        """Call every overridden `poll`."""
        for poll in self._polls:
            poll()


def _call(callback: Any, hook: str, *arguments: Any) -> Any:
    method = getattr(callback, hook, None)
    return None if method is None else method(*arguments)


def _reason(answer: Any, callback: Any) -> str | None:
    try:
        stops = bool(answer)
    except ValueError:  # an array
        raise TypeError(
            f"on_epoch_end of {callback!r} must return None, a bool or a string, got "
            f"{type(answer).__name__}"
        ) from None
    if not stops:
        return None
    return answer if isinstance(answer, str) else "stopped by a callback"


_HOOKS = ("on_train_begin", "on_epoch_end", "on_train_end", "poll")


def as_callbacks(callbacks: Any) -> tuple[Any, ...]:
    """Check that each callback is an object with at least one hook, and return them as a tuple.

    Raises
    ------
    TypeError
        If a callback has no hook, or has a method that looks like a misspelt hook.

    """
    if not isinstance(callbacks, Sequence):
        raise TypeError(f"callbacks must be a list or tuple of callbacks, got {callbacks!r}")
    for callback in callbacks:
        if isinstance(callback, type) or not any(hasattr(callback, hook) for hook in _HOOKS):
            raise TypeError(
                f"each callback must be an object with {' or '.join(_HOOKS)}, "
                f"got {instead_of_object(callback)}"
            )
        for name in dir(callback):
            if _is_meant_as_hook(name) and callable(inspect.getattr_static(callback, name)):
                raise TypeError(
                    f"the callback {callback!r} has {name}, which nothing would call: the hooks "
                    f"are {', '.join(_HOOKS)}"
                )
    return tuple(callbacks)


def _is_meant_as_hook(name: str) -> bool:
    """Return whether a name looks like a hook but is not one."""
    if name in _HOOKS or name.startswith("_"):
        return False
    return name.startswith("on_") or bool(difflib.get_close_matches(name.lower(), _HOOKS, 1, 0.85))
