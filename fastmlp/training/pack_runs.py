"""The arguments of ``fastmlp.fit_many``, checked and divided into one run for each model."""

import copy
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from fastmlp.common.errors import instead_of_object
from fastmlp.common.rows import Rows
from fastmlp.common.trainable import Trainable
from fastmlp.common.validation import as_weights
from fastmlp.layers.stack import Stack
from fastmlp.losses import is_built_in
from fastmlp.optimizers import Optimizer
from fastmlp.training.batches import Batches
from fastmlp.training.checkpoint import Checkpoint
from fastmlp.training.fitting import checked_monitor
from fastmlp.training.history import History
from fastmlp.training.options import FitOptions
from fastmlp.training.stopping import Monitor

__all__ = ["Run", "as_pack_callbacks", "runs_of"]

_HOOK = "on_run_end"


@dataclass(eq=False)
class Run:
    """The training of one model of a pack.

    Attributes
    ----------
    number : int
        The model's index in the pack.
    model : Sequential
    options : FitOptions
    monitor : Monitor or None
    rows : Rows
        All rows of the pack's arrays; the index says which of them are used.
    validation : Rows or None
    sample_weight : numpy.ndarray or None
        A checked weight for each row used.
    checkpoint : Checkpoint or None
    history : History
        Without epochs until the run has begun.

    """

    number: int
    model: Trainable
    options: FitOptions
    monitor: Monitor | None
    rows: Rows
    validation: Rows | None
    sample_weight: np.ndarray | None
    checkpoint: Checkpoint | None = None
    history: History = field(default_factory=History)

    @property
    def n_steps(self) -> int:
        """The number of steps, if nothing ends the run early."""
        n_rows = len(self.rows)
        batch_size = min(self.options.batch_size, n_rows)
        return self.options.epochs * Batches.of(self.model, n_rows, batch_size).count

    @property
    def kind(self) -> Hashable:
        """Runs of the same kind need the same kernels."""
        options, model = self.options, self.model
        return (
            tuple(type(stage) for stage in model.stages),
            model.dtype,
            type(options.loss),
            type(options.optimizer),
            options.matmul_precision,
            self.validation is None,
            self.checkpoint is None,
        )

    def weighted(self) -> Rows:
        """Return the rows with weights; only a run that is under way needs them."""
        rows = self.rows
        if self.sample_weight is not None:
            rows = rows.reweighted(self.sample_weight)
        n_outputs = self.model.check_inputs(rows.X)
        return self.options.weighted(rows, n_outputs, self.model.dtype)


def runs_of(
    models: Any,
    X: Any,
    y: Any,
    *,
    optimizers: Any,
    rows: Any,
    validation_rows: Any,
    validation_data: Any,
    sample_weight: Any,
    seeds: Any,
    **settings: Any,
) -> list[Run]:
    """Check the arguments of ``fit_many``, before anything changes, and return its runs.

    ``settings`` are arguments that ``fit`` has too.
    """
    models = _as_models(models)
    n = len(models)
    each = {name: _each(name, value, n) for name, value in settings.items()}
    each_optimizer = _each_optimizer(optimizers, models)
    each_seed = _each("seeds", 0 if seeds is None else seeds, n)
    each_rows = _each("rows", rows, n, of_arrays=True)
    each_validation_rows = _each("validation_rows", validation_rows, n, of_arrays=True)
    each_validation = _each("validation_data", validation_data, n, of_tuples=True)
    each_weight = _each("sample_weight", sample_weight, n, of_arrays=True)
    data = _Data(X, y)
    runs: list[Run] = []
    for i, model in enumerate(models):
        options = FitOptions.checked(
            optimizer=each_optimizer[i],
            seed=each_seed[i],
            n_threads=1,
            callbacks=(),
            time_limit=None,
            verbose=False,
            **{name: values[i] for name, values in each.items()},
        )
        found = data.rows(model, options)
        index = data.index("rows", each_rows[i])
        validation = data.validation(model, options, each_validation[i])
        if each_validation_rows[i] is not None:
            if validation is not None:
                raise ValueError("give either validation_rows or validation_data, not both")
            validation = replace(
                found, index=data.index("validation_rows", each_validation_rows[i])
            )
        weight = data.weight(model, each_weight[i], index)
        monitor = checked_monitor(model, options, validates=validation is not None)
        run = Run(i, model, options, monitor, replace(found, index=index), validation, weight)
        if options.class_weight is not None:
            run.weighted()  # raises if the classes or the weights are wrong
        runs.append(run)
    return runs


def as_pack_callbacks(callbacks: Any) -> tuple[Any, ...]:
    """Check that each callback has the hook of packs; return all but a `Checkpoint`."""
    if not isinstance(callbacks, Sequence):
        raise TypeError(f"callbacks must be a list or tuple of callbacks, got {callbacks!r}")
    listeners = [each for each in callbacks if not isinstance(each, Checkpoint)]
    for callback in listeners:
        if isinstance(callback, type) or not callable(getattr(callback, _HOOK, None)):
            raise TypeError(
                f"each callback of fit_many must be an object with {_HOOK}(index, history, model), "
                f"got {instead_of_object(callback)}"
            )
    return tuple(listeners)


class _Data:
    """The arrays that the runs share, checked once for each kind of model that reads them."""

    def __init__(self, X: Any, y: Any):
        self.X, self.y = X, y
        self._inputs: dict[Any, np.ndarray] = {}
        self._rows: dict[Any, Rows] = {}
        self._weights: dict[Any, np.ndarray] = {}
        self._validation: dict[Any, tuple[Any, Rows | None]] = {}
        self._index: dict[Any, tuple[Any, np.ndarray]] = {}

    def rows(self, model: Trainable, options: FitOptions) -> Rows:
        """Return all rows in the form that a model takes."""
        dtype = model.dtype, model.takes_exactly()
        if dtype not in self._inputs:
            self._inputs[dtype] = model.check_data(options.loss, self.X, self.y).X
        X = self._inputs[dtype]
        key = (*dtype, _kind(options.loss), model.check_inputs(X))
        if key not in self._rows:
            self._rows[key] = model.check_data(options.loss, X, self.y)
        options.loss.require_dtype(model.dtype)
        return self._rows[key]

    def index(self, name: str, rows: Any) -> np.ndarray | None:
        """Return row numbers as int64; None for all rows."""
        if rows is None:
            return None
        if id(rows) not in self._index:
            n_rows = len(next(iter(self._inputs.values())))
            self._index[id(rows)] = rows, _as_index(name, rows, n_rows)
        return self._index[id(rows)][1]

    def validation(self, model: Trainable, options: FitOptions, data: Any) -> Rows | None:
        """Return a run's validation data in the form that its model takes."""
        key = id(data), model.dtype, model.takes_exactly(), _kind(options.loss), self._width(model)
        if key not in self._validation:
            self._validation[key] = data, model.check_validation(options.loss, data)
        return self._validation[key][1]

    def weight(self, model: Trainable, weight: Any, index: np.ndarray | None) -> np.ndarray | None:
        """Return the checked weights of the rows that a run uses."""
        if weight is None:
            return None
        key = id(weight), id(index), model.dtype
        if key not in self._weights:
            n_rows = len(next(iter(self._inputs.values())))
            checked = as_weights(weight, n_rows, model.dtype)
            if index is not None:
                checked = as_weights(np.asarray(weight)[index], len(index), model.dtype)
            self._weights[key] = checked
        return self._weights[key]

    def _width(self, model: Trainable) -> int:
        return model.check_inputs(self._inputs[model.dtype, model.takes_exactly()])


def _kind(loss: Any) -> Any:
    """Return what tells whether two losses take the same targets."""
    return loss.kind if is_built_in(loss) else id(loss)


def _as_models(models: Any) -> list[Any]:
    if isinstance(models, Stack) or not isinstance(models, Sequence) or not models:
        raise TypeError(f"models must be a list of models, at least one, got {models!r}")
    for model in models:
        if not isinstance(model, Stack):
            raise TypeError(f"each model must be a Sequential, got {model!r}")
    if len({id(model) for model in models}) < len(models):
        raise ValueError("models must all be different: train copy.deepcopy(model) beside a model")
    return list(models)


def _each(
    name: str, value: Any, n: int, of_arrays: bool = False, of_tuples: bool = False
) -> list[Any]:
    """Return a value for each of n models."""
    listed: tuple[type, ...] = (list,) if of_tuples else (list, tuple, range)
    if isinstance(value, np.ndarray) and value.ndim == 1 and not of_arrays:
        value = value.tolist()
    if not isinstance(value, listed):
        return [value] * n
    if len(value) != n:
        raise ValueError(
            f"{name} must be one value for all {n} models or a list of {n}, one for each, got a "
            f"list of {len(value)}"
        )
    if of_arrays and any(v is not None and np.ndim(v) == 0 for v in value):
        raise TypeError(
            f"{name} must be one array for all models or a list of arrays, one for each: pass "
            f"np.array({name})"
        )
    return list(value)


def _each_optimizer(optimizers: Any, models: list[Any]) -> list[Optimizer]:
    """Return an optimizer of its own for each model."""
    each = _each("optimizers", optimizers, len(models))
    if isinstance(optimizers, Optimizer):
        each = [copy.copy(optimizers) for _ in models]
        for optimizer in each:
            optimizer.reset()
    found = [model.own_optimizer(each[i]) for i, model in enumerate(models)]
    if len({id(optimizer) for optimizer in found}) < len(models):
        raise ValueError("optimizers must all be different: give each model its own optimizer")
    return found


def _as_index(name: str, rows: Any, n_rows: int) -> np.ndarray:
    """Check row numbers or a mask, and return row numbers."""
    index = np.asarray(rows)
    if index.ndim != 1 or index.dtype.kind not in "iub":
        raise TypeError(
            f"{name} must be an array of row numbers or a mask, got {index.dtype} of shape "
            f"{index.shape}"
        )
    if index.dtype == bool:
        if len(index) != n_rows:
            raise ValueError(f"{name} as a mask must have length {n_rows}, got {len(index)}")
        index = np.flatnonzero(index)
    if index.size == 0:
        raise ValueError(f"{name} is empty: name at least one row")
    if index.min() < 0 or index.max() >= n_rows:
        wrong = index.min() if index.min() < 0 else index.max()
        raise ValueError(f"{name} must lie between 0 and {n_rows - 1}, got {wrong}")
    return np.ascontiguousarray(index, np.int64)
