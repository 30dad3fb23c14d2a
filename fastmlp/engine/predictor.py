"""Predictors: a model as it is now, with the memory for predictions of a few rows."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

import fastmlp.kernels as kernels
from fastmlp import ops
from fastmlp.common import capacity
from fastmlp.common.errors import counted
from fastmlp.common.numeric import as_numbers
from fastmlp.common.validation import as_data
from fastmlp.engine.lowering import fused
from fastmlp.engine.memory import (
    ArrayTable,
    enter_scaling,
    enter_state,
    expect_dtype,
    plan_memory,
)
from fastmlp.engine.plain import infer
from fastmlp.engine.protocols import Model
from fastmlp.engine.readiness import note_ready, use_kernels
from fastmlp.engine.steps import Step, steps_of
from fastmlp.engine.writing import write
from fastmlp.kernels.plan import op

__all__ = ["Predictor"]

_ROWS_AT_ONCE = 256  # at most: their memory stays in the L2 cache


class Predictor:
    """Predicts as a model did when this was made; made by `fastmlp.Sequential.predictor`.

    Any number of threads may call it at once. Each call runs on the thread that makes it.

    Parameters
    ----------
    model : Sequential
        Its arrays are copied.
    width : int
        Features of a row.
    max_rows : int
        The most rows of a call.
    exact : bool
        Whether rows must not be rounded before they are standardised.

    Attributes
    ----------
    width, n_outputs, max_rows : int

    """

    def __init__(self, model: Model, width: int, max_rows: int, exact: bool):
        self.width: int = width
        self.max_rows: int = max_rows
        dtype = np.dtype(np.float64) if exact else model.dtype
        self.dtype: np.dtype = np.dtype(dtype.type)  # the object that numpy's arrays share
        capacity.require(
            max_rows * width * self.dtype.itemsize,
            f"a predictor for {max_rows:,} rows",
            "choose a smaller max_rows",
        )
        compiled = use_kernels(model.dtype)
        self._make: Any = (_Compiled if compiled else _Plain)(model, width, max_rows, self.dtype)
        self.n_outputs: int = self._make.n_outputs
        self._free = [self._make()]  # memory that no call is using
        self._one_row = (1, width) if compiled else None

    def __call__(self, X: Any) -> np.ndarray:
        """Return the outputs of some rows.

        Parameters
        ----------
        X : array_like, shape (N, ...) or (D,)
            At most ``max_rows`` rows, or the features of a single one. A row-major array of the
            model's dtype and shape (N, D) is the fastest.

        Returns
        -------
        numpy.ndarray, shape (N, C) or (C,), the model's dtype

        """
        if type(X) is not np.ndarray or X.dtype is not self.dtype or X.ndim != 2:
            return self._convert(X)
        if X.shape != self._one_row:
            return self._run(X)
        try:  # one row takes a few microseconds, so it calls nothing but the kernel
            memory = self._free.pop()
        except IndexError:
            memory = self._make()
        memory.first_x[...] = X
        memory.infer_rows(memory.addresses, memory.zero, 0, 1)
        y = memory.first_y.copy()
        self._free.append(memory)
        return y

    def _run(self, X: np.ndarray) -> np.ndarray:
        """Return the outputs of rows (N, D) of the predictor's dtype."""
        n, width = X.shape
        if width != self.width or not 0 < n <= self.max_rows:
            raise self._refusal(X.shape)
        try:
            memory = self._free.pop()
        except IndexError:  # other threads use all there is, or an interrupted call lost it
            memory = self._make()
        y = memory.infer(X, n)
        self._free.append(memory)
        return y

    def _convert(self, X: Any) -> np.ndarray:
        """Return the outputs of rows that are not yet as the memory takes them."""
        array = as_numbers(X, "X")
        if not array.size:
            raise self._refusal(array.shape)
        single = array.ndim == 1
        rows = as_data(array[None] if single else array, self.dtype, finite=False)
        if math.prod(rows.shape[1:]) != self.width:
            raise self._refusal(array.shape)
        outputs = self._run(rows.reshape(len(rows), self.width).astype(self.dtype, copy=False))
        return outputs[0] if single else outputs

    def _refusal(self, shape: tuple[int, ...]) -> ValueError:
        told = (
            f"this predictor takes 1 to {self.max_rows} rows of {counted(self.width, 'feature')}, "
            f"got shape {shape}"
        )
        if shape and shape[0] > self.max_rows and math.prod(shape[1:]) == self.width:
            told += ": call model.predictor with a larger max_rows, or model.predict"
        return ValueError(told)


class _Compiled:
    """Makes memory for calls that run the plan of a model."""

    def __init__(self, model: Model, width: int, max_rows: int, dtype: np.dtype):
        self.operations, self.standardise = fused(model, width)
        rows_at_once = min(max_rows, _ROWS_AT_ONCE)
        self.plan = write(self.operations, model.slots, model.dtype, rows_at_once)
        expect_dtype(self.plan, dtype)
        self.theta = ops.aligned_zeros(model.theta.size, model.dtype)
        self.theta[...] = model.theta
        self.calls = kernels.plan.calls.addresses(self.plan.calls, model.dtype)
        self.width, self.max_rows, self.dtype = width, max_rows, dtype
        self.n_outputs = self.operations[-1].n_out
        self.first = self._table()
        if self.standardise is not None:
            enter_scaling(self.first, self.standardise, width)
        enter_state(self.first, self.plan, model.stages)
        note_ready(model.dtype)

    def __call__(self) -> "_CompiledMemory":
        table = self._table()
        for place in (op.SHIFT, op.SCALE, op.RUNNING_STATISTICS):
            table[place] = self.first[place]  # they are only read
        x = np.zeros((self.max_rows, self.width), self.dtype)
        y = np.zeros((self.max_rows, self.n_outputs), self.theta.dtype)
        return _CompiledMemory(table, x, y)

    def _table(self) -> ArrayTable:
        return plan_memory(self.plan, self.theta, self.calls)


class _CompiledMemory:
    """Memory of one call at a time."""

    __slots__ = ("addresses", "first_x", "first_y", "infer_rows", "table", "x", "y", "zero")

    def __init__(self, table: ArrayTable, x: np.ndarray, y: np.ndarray):
        table[op.RAW], table[op.OUTPUTS] = x, y
        self.table, self.addresses = table, table.addresses
        self.x, self.y, self.zero = x, y, y.dtype.type(0)
        self.first_x, self.first_y = x[:1], y[:1]
        self.infer_rows = kernels.engine.inference.infer_rows
        self.infer_rows(self.addresses, self.zero, 0, 0)  # no rows: this only compiles

    def infer(self, X: np.ndarray, n: int) -> np.ndarray:
        self.x[:n] = X
        self.infer_rows(self.addresses, self.zero, 0, n)
        return self.y[:n].copy()


class _Plain:
    """Stands for memory where predictions are made in plain numpy."""

    def __init__(self, model: Model, width: int, max_rows: int, dtype: np.dtype):
        self.steps = [_fixed(step) for step in steps_of(model.stages, width)]
        self.n_outputs = self.steps[-1].n_out if self.steps else width
        self.dtype = model.dtype

    def __call__(self) -> "_Plain":
        return self

    def infer(self, X: np.ndarray, n: int) -> np.ndarray:
        return infer(self.steps, X, self.dtype)


def _fixed(step: Step) -> Step:
    """Return a step with arrays of its own."""
    own = {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in step.arguments.items()
    }
    return replace(step, arguments=own)
