"""scikit-learn's cross-validation loops, with their fits in a pack.

scikit-learn hands every fit and its scoring as a task to ``joblib.Parallel``. `packed` gives its
functions `Pack` instead, which does the same tasks: it splits each fit in preparing, training and
finishing, and all trainings run side by side in the threads of this process. Everything else, from
the checks to the table of results, is scikit-learn's own code.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from types import FunctionType
from typing import Any, cast

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from fastmlp.sklearn._base import BaseMLP
from fastmlp.sklearn._pack import Job, can_pack, completed, n_threads_of
from fastmlp.sklearn._stochastic import Training

__all__ = ["packed"]

Task = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def packed(function: Callable[..., Any]) -> Any:
    """Return one of scikit-learn's functions, undecorated, with `Pack` in place of joblib.

    Only the copy sees another ``Parallel``; scikit-learn's own function stays as it is.
    """
    raw: Any = inspect.unwrap(function)
    names = raw.__globals__ | {"Parallel": Pack, "delayed": joblib.delayed}
    copy = FunctionType(raw.__code__, names, raw.__name__, raw.__defaults__, raw.__closure__)
    copy.__kwdefaults__ = raw.__kwdefaults__
    return functools.wraps(raw)(copy)


class Pack:
    """Does tasks that fit a clone of an estimator on some rows; see ``joblib.Parallel``."""

    def __init__(self, n_jobs: int | None = None, **_: Any):
        self.n_threads = n_threads_of(n_jobs)

    def __enter__(self) -> "Pack":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, tasks: Iterable[Task]) -> list[Any]:
        """Do the tasks and return their results in order.

        Those on the same rows follow each other, so that the other steps of a pipeline are fitted
        once for them all.
        """
        results: dict[int, Any] = {}
        folds: dict[Any, _Fold] = {}
        jobs = []
        for place, task in enumerate(tasks):
            fit = _Fit(place, *task)
            if fit.mlp is None:
                results[place] = fit.alone()
            else:
                fit.fold = folds.setdefault(fit.fold_key(), _Fold())
                fit.fold.n_left += 1
                jobs.append(fit)
        order = {fold: number for number, fold in enumerate(folds.values())}
        jobs.sort(key=lambda job: order[job.fold])
        with closing(completed(jobs, self.n_threads)) as found:
            for job in found:
                results[job.place] = job.result()
        return [results[place] for place in range(len(results))]


class _Fold:
    """What all fits on the same rows share: the other steps, fitted, and the last step's rows."""

    n_left = 0  # fits to prepare; after the last one nobody needs the rows
    steps: list[Any] | None = None
    arguments: tuple[tuple[Any, ...], dict[str, Any]] | None = None


class _Fit(Job):
    """A task: a call of scikit-learn's that fits an estimator and then scores it or predicts."""

    fold: _Fold

    def __init__(self, place: int, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]):
        super().__init__()
        self.place, self.function, self.kwargs = place, function, kwargs
        self.args: Any = args
        given = _signature(function).bind(*args, **kwargs).arguments
        self.estimator: Any = given["estimator"]
        self.X, self.y, self.train = given["X"], given["y"], given["train"]
        self.fit_params: dict[str, Any] = given["fit_params"] or {}
        self.parameters: dict[str, Any] = given.get("parameters") or {}
        self.mlp = self._trainable()

    def alone(self) -> Any:
        """Do the whole task here."""
        return self.function(*self.args, **self.kwargs)

    def fold_key(self) -> Any:
        """Return what must be equal for two fits to share their rows and other steps."""
        others = {}
        if isinstance(self.estimator, Pipeline):
            last = self.estimator.steps[-1][0]
            others = {n: v for n, v in self.parameters.items() if n.partition("__")[0] != last}
        return id(self.train), tuple(sorted((name, id(value)) for name, value in others.items()))

    def make(self, n_threads: int, listeners: Sequence[Any]) -> Training:
        fold, estimator = self.fold, self.estimator
        mlp: Any = self.mlp
        if fold.arguments is None:
            split: Any = cast(Any, _safe_split)(estimator, self.X, self.y, np.asarray(self.train))
            rows = [part for part in split if part is not None]
            params = _check_method_params(self.X, params=self.fit_params, indices=self.train)
            fold.arguments = _arguments_of_fit(estimator, mlp, rows, params)
            fold.steps = estimator.steps[:-1] if isinstance(estimator, Pipeline) else None
        if fold.steps is not None:
            estimator.steps = [*fold.steps, estimator.steps[-1]]
        args, kwargs = fold.arguments
        fold.n_left -= 1
        if fold.n_left == 0:
            fold.arguments = fold.steps = None
        return mlp._prepared(*args, **kwargs, n_threads=n_threads, listeners=listeners)

    def result(self) -> Any:
        """Do the rest of the task: scikit-learn's function, whose fit now only finishes."""
        estimator = self.estimator

        def fit(*_: Any, **__: Any) -> Any:
            del estimator.fit, estimator.set_params
            self.finish()
            return estimator

        estimator.fit, estimator.set_params = fit, lambda **_: estimator
        kwargs = self.kwargs
        if "train" in kwargs and not kwargs.get("return_train_score"):
            kwargs = kwargs | {"train": np.arange(0)}  # only a real fit needs these rows
        found = self.function(*self.args, **kwargs)
        self.estimator = self.mlp = self.args = None  # a trained network takes memory
        if isinstance(found, dict) and "fit_time" in found:
            found["fit_time"] += self.seconds
        return found

    def _trainable(self) -> BaseMLP | None:
        """Set the parameters, and return the network if a pack can train it."""
        values: Any = clone(self.parameters, safe=False)
        try:
            self.estimator.set_params(**values)
            last = _last(self.estimator)
        except Exception:  # it comes again where scikit-learn expects it
            return None
        return last if can_pack(last) else None


_signature = functools.cache(inspect.signature)


def _last(estimator: Any) -> Any:
    """Return the last step of a pipeline, or the estimator itself."""
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _arguments_of_fit(
    estimator: Any, mlp: Any, rows: Sequence[Any], params: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Fit the other steps, and return the arguments that the last step's ``fit`` then gets."""
    if estimator is mlp:
        return tuple(rows), params
    caught: list[Any] = []
    mlp.fit = lambda *args, **kwargs: caught.append((args, kwargs))
    try:
        estimator.fit(*rows, **params)
    finally:
        del mlp.fit
    return caught[0]
