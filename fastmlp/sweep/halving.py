"""Successive halving: train many candidates a little, keep the best, train these on."""

import copy
import inspect
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from fastmlp import losses, optimizers
from fastmlp.common.errors import counted, unknown
from fastmlp.common.messages import note
from fastmlp.common.validation import fraction, positive, positive_int, seed_int
from fastmlp.model import Sequential
from fastmlp.optimizers import Optimizer
from fastmlp.schedules import Schedule, Whole, as_schedule
from fastmlp.sweep.ranges import Settings, draw_settings, grid_settings
from fastmlp.sweep.result import FAILED, SCORES, Result, score, scored_by
from fastmlp.training.history import History
from fastmlp.training.pack import fit_many
from fastmlp.training.reasons import INTERRUPTED, TIME_LIMIT, failure, has_diverged

__all__ = ["search"]

_OF_FIT = ("batch_size", "class_weight", "l2", "label_smoothing", "matmul_precision")
_ENDS_ALL = (INTERRUPTED, TIME_LIMIT)


def search(
    make_model: Callable[..., Sequential],
    space: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    X: Any,
    y: Any,
    *,
    n_candidates: int | None = None,
    epochs: int = 27,
    first_epochs: int | None = None,
    factor: int = 3,
    loss: Any = "cross_entropy",
    optimizer: str | Optimizer = "adam",
    batch_size: int = 128,
    validation_data: Any = None,
    validation_fraction: float = 0.2,
    sample_weight: Any = None,
    seed: int = 0,
    n_threads: int | None = None,
    time_limit: float | None = None,
    verbose: bool | None = None,
) -> Result:
    """Find good settings by successive halving (Jamieson and Talwalkar, 2016), in one process.

    All candidates train for ``first_epochs``. The best of them, one in ``factor``, train on until
    they have had ``factor`` times as many epochs, and so on until the last have had ``epochs``. A
    candidate that trains on ends with the same bits as one that was never interrupted. Candidates
    train side by side, see `fastmlp.fit_many`.

    Parameters
    ----------
    make_model : callable
        ``make_model(**settings) -> Sequential``. It gets the settings that are among its
        parameters, and ``seed`` if that is one of them.
    space : dict or list of dict
        Name -> sequence of values, or `fastmlp.sweep.Uniform`, `fastmlp.sweep.LogUniform` or any
        function of a `numpy.random.Generator`. A list holds the candidates themselves. A name that
        is no parameter of ``make_model`` is one of the optimizer's (such as ``lr``),
        ``optimizer``, ``batch_size``, ``class_weight``, ``l2``, ``label_smoothing`` or
        ``matmul_precision``.
    X : array_like, shape (N, ...)
    y : array_like
        As in `fastmlp.Sequential.fit`.
    n_candidates : int, optional
        Number of random candidates. Default: a grid of all combinations.
    epochs : int, default 27
        Epochs of the candidates that train to the end.
    first_epochs : int, optional
        Epochs of all candidates. Default: so many that few, fewer than ``factor``, reach the end.
    factor : int, default 3
        One in so many candidates trains on; 2 halves them. At least 2.
    loss : str or Loss, default "cross_entropy"
    optimizer : str or Optimizer, default "adam"
        Its settings are the defaults of those that are searched.
    batch_size : int, default 128
    validation_data : tuple, optional
        (X, y) or (X, y, sample_weight): what candidates are compared on, by accuracy, or without
        accuracies by loss.
    validation_fraction : float, default 0.2
        Without ``validation_data``, the share of the rows that is set aside, at random.
    sample_weight : array_like, shape (N,), optional
    seed : int, default 0
        Seed of the draws, of the validation rows and of every run.
    n_threads : int, optional
        Default: as many as the process may use. Results do not depend on it.
    time_limit : float, optional
        After so many seconds no new epoch starts.
    verbose : bool, optional
        Whether to show progress. Default: only on a terminal.

    Returns
    -------
    Result
        ``result.best`` and ``result.best_model`` are the best candidate of those with the most
        epochs. ``result.runs`` holds all, and how many ``epochs`` each has had. Ctrl-C and the time
        limit end the search early, with what has been learned until then.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong, or nothing takes a name of the space.

    Examples
    --------
    >>> def make_model(units, dropout, seed):
    ...     return Sequential(Linear(64, units), ReLU(), Dropout(dropout), Linear(units, 10),
    ...                       seed=seed)
    >>> space = {"units": [32, 64, 128], "dropout": [0.0, 0.2], "lr": LogUniform(1e-4, 1e-2)}
    >>> result = fastmlp.search(make_model, space, X, y, n_candidates=81, epochs=81)
    >>> print(result.table())
    >>> model = result.best_model

    """
    seed, epochs = seed_int("seed", seed), positive_int("epochs", epochs)
    factor = positive_int("factor", factor)
    if factor < 2:
        raise ValueError(f"factor must be at least 2, got {factor}")
    settings, names = _candidates(space, n_candidates, seed)
    steps = _rungs(len(settings), epochs, first_epochs, factor)
    common = {"loss": losses.get(loss), "sample_weight": sample_weight, "n_threads": n_threads}
    common |= _validation(validation_data, validation_fraction, X, seed)
    makes = _Maker(make_model, optimizer, {"batch_size": batch_size}, seed, epochs)
    candidates = [makes(own) for own in settings]
    deadline = math.inf
    if time_limit is not None:
        deadline = time.monotonic() + positive("time_limit", time_limit)
    shown = bool(sys.stderr and sys.stderr.isatty()) if verbose is None else verbose
    alive = candidates
    for rung, until in enumerate(steps, start=1):
        ended = _train(alive, until, X, y, common, seed, deadline, shown)
        alive = sorted(
            (one for one in alive if FAILED not in one.record), key=_Candidate.score, reverse=True
        )
        if shown and alive:
            note(
                f"rung {rung} of {len(steps)}: {counted(len(alive), 'candidate')} at "
                f"{counted(until, 'epoch')}, the best "
                f"has {alive[0].described()}"
            )
        if ended is not None:
            note(f"the search ended early ({ended}), with what was learned until then")
            break
        if rung < len(steps):
            alive = alive[: max(1, len(alive) // factor)]
            for one in candidates:
                if one not in alive:
                    one.model = None  # only those that train on need memory
        if not alive:
            break
    runs = [one.settings | one.record for one in candidates]
    return Result(runs, names, alive[0].model if alive else None, order=_rank)


@dataclass(eq=False)
class _Candidate:
    """Settings, the model and optimizer that they describe, and what is known of them."""

    settings: Settings
    model: Sequential | None
    optimizer: Optimizer
    fit: dict[str, Any]
    record: dict[str, Any] = field(default_factory=lambda: {"epochs": 0})

    def score(self) -> tuple[Any, ...]:
        return _rank(self.record)

    def note_history(self, history: History) -> None:
        """Add what a call of fit has learned."""
        if has_diverged(history.stopped) or failure(history.stopped) is not None:
            self.record = {"epochs": self.record["epochs"], FAILED: history.stopped}
            self.model = None
        elif len(history):
            last = history.epochs[-1]
            self.record = {
                "epochs": self.record["epochs"] + len(history),
                **{name: last[name] for name in (*(one.name for one in SCORES), "loss")},
            }

    def described(self) -> str:
        return scored_by(self.record)


def _rank(run: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a sort key, higher for better runs; those that trained longer were better before."""
    return FAILED not in run, run["epochs"], score(run)


def _train(
    alive: Sequence[_Candidate],
    until: int,
    X: Any,
    y: Any,
    common: Mapping[str, Any],
    seed: int,
    deadline: float,
    verbose: bool,
) -> str | None:
    """Train candidates until they have had so many epochs; return why all ended early, if so."""
    left = deadline - time.monotonic()
    if left <= 0:
        return TIME_LIMIT
    histories = fit_many(
        [one.model for one in alive],
        X,
        y,
        optimizers=[one.optimizer for one in alive],
        epochs=[until - one.record["epochs"] for one in alive],
        seeds=seed,
        time_limit=None if math.isinf(left) else left,
        verbose=verbose,
        **{name: [one.fit.get(name, default) for one in alive] for name, default in _DEFAULTS},
        **common,
    )
    for one, history in zip(alive, histories, strict=True):
        one.note_history(history)
    return next((h.stopped for h in histories if h.stopped in _ENDS_ALL), None)


_DEFAULTS = [(name, inspect.signature(fit_many).parameters[name].default) for name in _OF_FIT]


class _Maker:
    """Makes candidates from settings, and knows who takes which of them."""

    def __init__(
        self,
        make_model: Callable[..., Any],
        optimizer: str | Optimizer,
        fit: dict[str, Any],
        seed: int,
        epochs: int,
    ):
        self.make_model, self.optimizer, self.fit = make_model, optimizer, fit
        self.seed, self.epochs = seed, epochs
        parameters = inspect.signature(make_model).parameters
        kinds = {parameter.kind for parameter in parameters.values()}
        self.takes = {name for name in parameters if parameters[name].kind not in _VARIABLE}
        self.takes_any = inspect.Parameter.VAR_KEYWORD in kinds

    def __call__(self, settings: Settings) -> _Candidate:
        of_model = {name: v for name, v in settings.items() if name in self.takes}
        rest = {name: v for name, v in settings.items() if name not in of_model}
        optimizer = self._new_optimizer(rest.pop("optimizer", self.optimizer))
        of_optimizer = inspect.signature(type(optimizer)).parameters
        fit = dict(self.fit)
        for name, value in rest.items():
            if name in of_optimizer:
                setattr(optimizer, name, value)
            elif name in _OF_FIT:
                fit[name] = value
            elif self.takes_any:
                of_model[name] = value
            else:
                known = [*self.takes, *of_optimizer, *_OF_FIT, "optimizer"]
                raise unknown("name in the space", name, known)
        if as_schedule(optimizer.lr) is optimizer.lr:
            optimizer.lr = Whole(self.epochs, cast("Schedule", optimizer.lr))
        if "seed" not in settings and ("seed" in self.takes or self.takes_any):
            of_model["seed"] = self.seed
        model = self.make_model(**of_model)
        if not isinstance(model, Sequential):
            raise TypeError(f"make_model must return a Sequential, got {model!r}")
        return _Candidate(settings, model, optimizer, fit)

    def _new_optimizer(self, given: Any) -> Optimizer:
        made = copy.copy(optimizers.get(given))
        made.reset()
        return made


_VARIABLE = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)


def _candidates(
    space: Any, n_candidates: int | None, seed: int
) -> tuple[list[Settings], tuple[str, ...]]:
    """Return the settings of all candidates, and the names in them."""
    if isinstance(space, Mapping):
        named = cast("Mapping[str, Any]", space)
        found = draw_settings(named, n_candidates, seed) if n_candidates else grid_settings(named)
        return found, tuple(named)
    given: list[Any] = [space]
    if isinstance(space, Sequence):
        given = list(cast("Sequence[Any]", space))
    if not all(isinstance(one, Mapping) for one in given):
        raise TypeError(f"space must be a dict of names and values or a list of dicts, got {space}")
    if not given:
        raise ValueError("space is empty: a search needs at least one candidate")
    if n_candidates is not None:
        raise ValueError("n_candidates draws from a dict, but space is a list of candidates")
    listed: list[Settings] = [dict(one) for one in given]
    return listed, tuple(dict.fromkeys(name for one in listed for name in one))


def _rungs(n: int, epochs: int, first_epochs: int | None, factor: int) -> list[int]:
    """Return how many epochs candidates have had at the end of each rung."""
    if first_epochs is None:
        n_drops = 0
        while n >= factor:
            n, n_drops = n // factor, n_drops + 1
        first_epochs = max(1, epochs // factor**n_drops)
    first_epochs = min(positive_int("first_epochs", first_epochs), epochs)
    found = [first_epochs]
    while found[-1] < epochs:
        found.append(min(epochs, found[-1] * factor))
    return found


def _validation(data: Any, share: float, X: Any, seed: int) -> dict[str, Any]:
    """Return the arguments of ``fit_many`` that say which rows to train on and to compare by."""
    if data is not None:
        return {"validation_data": data}
    n_rows = len(X)
    n_kept = round(n_rows * positive("validation_fraction", fraction("validation_fraction", share)))
    if not 0 < n_kept < n_rows:
        raise ValueError(
            f"validation_fraction={share} of {n_rows} rows leaves nothing to train on or to "
            "compare by: pass validation_data"
        )
    order = np.random.default_rng(seed).permutation(n_rows)
    return {"rows": np.sort(order[n_kept:]), "validation_rows": np.sort(order[:n_kept])}
