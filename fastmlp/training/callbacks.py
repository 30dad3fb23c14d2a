"""Callbacks: what may watch or stop training."""

import difflib
import inspect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastmlp.training.history import History

__all__ = ["Callback", "Callbacks", "TimeLimit", "TrainingInfo", "as_callbacks"]


@dataclass(frozen=True)
class TrainingInfo:
    """What a callback is told when training begins.

    Attributes
    ----------
    model : object
        The model that is trained.
    epochs : int
        Epochs that this call of ``fit`` will make if nothing stops it.
    steps_per_epoch : int
        Optimizer steps an epoch.
    n_samples : int
        Training rows N, all visited once an epoch.
    steps_done : callable
        ``steps_done() -> int``: steps made since this call of ``fit`` began; cheap, may be asked
        while the workers run.

    """

    model: Any
    epochs: int
    steps_per_epoch: int
    n_samples: int
    steps_done: Callable[[], int]


class Callback:
    """Base of all callbacks; override the hooks that you need.

    ``fit`` of a model and of every estimator calls the hooks, in the order of the list of
    callbacks, on the thread that called ``fit``. All mean the same everywhere:

    - What `on_epoch_end` returns decides whether training goes on. A true value stops it, and a
      string becomes the reason in ``history.stopped`` (``stopped_`` of an estimator). None, False,
      0 and an empty string let it go on. What other hooks return is ignored.
    - An error in a hook stops training: all threads end, the model keeps its parameters from the
      end of the last complete epoch (with ``restore_best``, of the best one), and the error reaches
      the caller of ``fit``.
    - KeyboardInterrupt is no error but a way to stop: ``fit`` returns as usual.
    - `on_train_end` runs for every callback whose `on_train_begin` was called, whatever ended
      training. If several hooks raise, the first error is the one that the caller gets; it has
      notes of the others.

    With the solver "lbfgs" an epoch is an iteration, and `poll` is never called.
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
            ``epoch``, ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy`` (None where there is
            none), ``seconds`` and ``learning_rate``; with an estimator also ``val_score``. What a
            callback adds becomes a column of the history.
        model : Sequential
            It may be evaluated, and its parameters and settings may be changed.

        """

    def on_train_end(self, history: History) -> None:
        """Run once at the end, also when training was interrupted or failed."""

    def poll(self) -> None:
        """Run about ten times a second while an epoch is computed; must be quick."""


class TimeLimit(Callback):
    """Stop after the first epoch at whose end the time is up.

    Parameters
    ----------
    seconds : float
        Time from the start of training, compilation excluded; > 0.

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

    def on_epoch_end(self, epoch: int, record: Mapping[str, Any], model: Any) -> str | None:
        """Stop when the clock has run out."""
        return "time limit" if time.monotonic() >= self._deadline else None


class Callbacks:
    """The callbacks of one call of ``fit``, told together.

    Parameters
    ----------
    callbacks : sequence
        Objects with at least one of the hooks of `Callback`.

    Attributes
    ----------
    polled : bool
        Whether any of them has a `poll` of its own.

    """

    def __init__(self, callbacks: Sequence[Any]):
        self._callbacks = tuple(callbacks)
        self._begun: list[Any] = []
        polls = (getattr(callback, "poll", None) for callback in callbacks)
        self._polls = [p for p in polls if p and getattr(p, "__func__", p) is not Callback.poll]
        self.polled: bool = bool(self._polls)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._callbacks)

    def begin(self, info: TrainingInfo) -> None:
        """Call `on_train_begin`."""
        for callback in self._callbacks:
            self._begun.append(callback)
            _call(callback, "on_train_begin", info)

    def end_epoch(self, record: Mapping[str, Any], model: Any) -> str | None:
        """Call `on_epoch_end`; return why to stop, as the first one that wants to says it."""
        answers = [
            _reason(_call(callback, "on_epoch_end", record["epoch"], record, model), callback)
            for callback in self._callbacks
        ]
        return next((answer for answer in answers if answer), None)

    def end(self, history: History, error: BaseException | None) -> BaseException | None:
        """Call `on_train_end` of all that have begun; return the first error, ``error`` or later.

        Parameters
        ----------
        history : History
        error : BaseException, optional
            What ended training.

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
        """Call `poll`."""
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
    """Return the callbacks, checked: each is an object with one of the hooks.

    Raises
    ------
    TypeError
        If one is no such object, or has a method that looks like a hook and is none.

    """
    if not isinstance(callbacks, Sequence):
        raise TypeError(f"callbacks must be a list or tuple of callbacks, got {callbacks!r}")
    for callback in callbacks:
        if isinstance(callback, type) or not any(hasattr(callback, hook) for hook in _HOOKS):
            raise TypeError(
                f"each callback must be an object with {' or '.join(_HOOKS)}, got {callback!r}"
            )
        for name in dir(callback):
            if _is_meant_as_hook(name) and callable(inspect.getattr_static(callback, name)):
                raise TypeError(
                    f"the callback {callback!r} has {name}, which nothing would call: the hooks "
                    f"are {', '.join(_HOOKS)}"
                )
    return tuple(callbacks)


def _is_meant_as_hook(name: str) -> bool:
    """Tell whether a name is no hook but looks like one."""
    if name in _HOOKS or name.startswith("_"):
        return False
    return name.startswith("on_") or bool(difflib.get_close_matches(name.lower(), _HOOKS, 1, 0.85))
