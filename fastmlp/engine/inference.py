"""Inference: the forward half of a plan. Each thread has its own memory.

It is compiled, or plain numpy where the kernels would have to be compiled first.
"""

import numpy as np

import fastmlp.kernels as kernels
from fastmlp.common.addresses import address_of
from fastmlp.engine import threads
from fastmlp.engine.lowering import fuse, fused
from fastmlp.engine.memory import (
    ArrayTable,
    enter_scaling,
    enter_state,
    expect_dtype,
    plan_memory,
)
from fastmlp.engine.plain import PlainPredictor
from fastmlp.engine.plan import Standardise
from fastmlp.engine.protocols import Loss, Model
from fastmlp.engine.readiness import note_ready, use_kernels
from fastmlp.engine.writing import write
from fastmlp.kernels.plan import op

__all__ = ["can_infer", "evaluate", "predict"]

_ROWS_AT_ONCE = 256  # at most, per thread: their memory stays in the L2 cache
_ROWS_WORTH_A_THREAD = 32
_FLOPS_WORTH_A_HELPER = 4_000_000  # per thread
_GRAIN = 8  # rows
_RAW, _OUTPUTS = (int(op.RAW), 0), (int(op.OUTPUTS), 0)


def can_infer(model: Model) -> bool:
    """Return whether the model's layers can be turned into a plan."""
    return fuse(model.stages, 1) is not None


def predict(model: Model, X: np.ndarray, n_threads: int | None = None) -> np.ndarray:
    """Return outputs (N, C) in inference mode; safe to call from several threads at once.

    X is a row-major uint8, float32 or float64 array whose rows have the model's input size.
    """
    width = X.size // len(X)
    predictor = getattr(model.per_thread, "predictor", None)
    if predictor is None or not predictor.fits(model, width):
        make = _Predictor if use_kernels(model.dtype) else PlainPredictor
        predictor = model.per_thread.predictor = make(model, width)
    return predictor(model, X, n_threads)


def evaluate(
    model: Model,
    loss: Loss,
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    n_threads: int | None = None,
) -> tuple[float, float | None]:
    """Return the loss without penalties and the accuracy, in inference mode."""
    outputs = predict(model, X, n_threads)
    value, n_correct = loss.compute(outputs, y, weights)
    return value, loss.accuracy(n_correct, *outputs.shape)


class _Predictor:
    """One Python thread's state for running one model on rows of one width.

    A single row takes microseconds, so everything possible is prepared only once.
    """

    def __init__(self, model: Model, width: int):
        self.width, self.version = width, model.version  # the version is read before the settings
        self.operations, self.standardise = fused(model, width)
        self.plan = write(self.operations, model.slots, model.dtype, _ROWS_AT_ONCE)
        self.n_outputs = self.operations[-1].n_out
        self.zero = model.dtype.type(0)
        self.raw_dtype: np.dtype | None = None
        self.flops = 2 * sum(o.n_in * o.n_out for o in self.operations)
        self.keeps_state = bool(self.plan.running)
        self.scaling: list[bytes] = []  # mean and std in the tables, as bytes
        self.n_available = threads.available()
        self.offers: list[np.ndarray] = []
        self.job = np.zeros(op.N_JOB, np.int64)
        self.infer_rows = kernels.engine.inference.infer_rows
        self.tables = [self._make_table(model)]
        self.row_table = self._make_table(model)
        self.row_table[op.OUTPUTS] = self.row = np.zeros((1, self.n_outputs), model.dtype)
        self.infer_rows(self.row_table.addresses, self.zero, 0, 0)  # no rows: this only compiles
        note_ready(model.dtype)

    def fits(self, model: Model, width: int) -> bool:
        """Return whether nothing that it was made with has changed."""
        return self.width == width and self.version is model.version

    def __call__(self, model: Model, X: np.ndarray, n_threads: int | None) -> np.ndarray:
        n_rows = len(X)
        if self.standardise is not None:
            self._follow_scaling(self.standardise)
        if n_rows == 1:
            self._infer_row(model, X)
            return self.row.copy()
        outputs = np.empty((n_rows, self.n_outputs), model.dtype)
        n_useful = min(n_rows * self.flops // _FLOPS_WORTH_A_HELPER, n_rows // _ROWS_WORTH_A_THREAD)
        if n_useful > 1:
            n_useful = min(n_useful, n_threads or self.n_available, threads.MOST)
            while len(self.tables) < n_useful:
                self.tables.append(self._make_table(model))
                self.offers.append(_locations(self.tables[-1].addresses, self.job))
        n_useful = max(1, n_useful)
        x, y = address_of(X), address_of(outputs)
        for table in self.tables[:n_useful]:
            table.addresses[_RAW], table.addresses[_OUTPUTS] = x, y
            if self.keeps_state:
                enter_state(table, self.plan, model.stages)
        if X.dtype is not self.raw_dtype:
            self._expect(X.dtype)
        if n_useful == 1:
            self.infer_rows(self.tables[0].addresses, self.zero, 0, n_rows)
        else:
            self._infer_together(n_rows, n_useful)
        return outputs

    def _infer_together(self, n_rows: int, n_threads: int) -> None:
        """Infer on this thread, and on any helpers that become free in time."""
        share = -(-n_rows // (n_threads * _GRAIN)) * _GRAIN
        self.job[op.NEXT_ROW], self.job[op.N_JOB_ROWS], self.job[op.FAILED] = 0, n_rows, 0
        self.job[op.ROWS_AT_ONCE] = min(share, _ROWS_AT_ONCE)
        helpers = threads.borrow_helpers(n_threads - 1, self.zero)
        mailboxes = np.array([h.location for h in helpers], np.int64).reshape(-1, 2)
        try:
            for helper, offer in zip(helpers, self.offers, strict=False):
                helper.offer(offer)
            kernels.engine.inference.infer_together(
                self.tables[0].addresses, self.zero, self.job, mailboxes
            )
        except BaseException:  # Ctrl-C
            for helper in helpers:
                helper.withdraw()
            raise
        finally:
            threads.give_back(helpers, self.zero)

    def _infer_row(self, model: Model, X: np.ndarray) -> None:
        """Infer one row, always into the same array."""
        table = self.row_table
        table.addresses[_RAW] = address_of(X)
        if X.dtype is not self.raw_dtype:
            self._expect(X.dtype)
        if self.keeps_state:
            enter_state(table, self.plan, model.stages)
        self.infer_rows(table.addresses, self.zero, 0, 1)

    def _expect(self, dtype: np.dtype) -> None:
        """Set the dtype of the next rows in the plan."""
        self.raw_dtype = dtype
        expect_dtype(self.plan, dtype)

    def _make_table(self, model: Model) -> ArrayTable:
        addresses = kernels.plan.calls.addresses(self.plan.calls, model.dtype)
        table = plan_memory(self.plan, model.theta, addresses)
        if self.standardise is not None:
            enter_scaling(table, self.standardise, self.width)
        return table

    def _follow_scaling(self, standardise: Standardise) -> None:
        """Copy mean and std again if they have changed.

        Comparing their bytes is ten times faster than preparing them again.
        """
        scaling = [standardise.mean.tobytes(), standardise.std.tobytes()]
        if scaling != self.scaling:
            self.scaling = scaling
            for table in (self.row_table, *self.tables):
                enter_scaling(table, standardise, self.width)


def _locations(*arrays: np.ndarray) -> np.ndarray:
    """Return the address and length of each array, one array per row."""
    return np.array([(address_of(a), a.size) for a in arrays], np.int64)
