"""The compiled way to infer: the forward half of a plan, on memory of each thread's own."""

from typing import TYPE_CHECKING

import numpy as np

import fastmlp.kernels as kernels
from fastmlp import layers, losses, ops
from fastmlp.engine import threads
from fastmlp.engine.lowering import RAW_CODE_OF, calls_for_inference, fuse, lower
from fastmlp.engine.memory import ArrayTable, enter_scaling, enter_state, fused, plan_memory
from fastmlp.kernels.plan import op

if TYPE_CHECKING:
    from fastmlp.model import Model

__all__ = ["can_infer", "evaluate", "predict"]

_ROWS_AT_ONCE = 256  # at most, for a thread: what they need stays in the second cache
_ROWS_WORTH_A_THREAD = 32
_FLOPS_WORTH_A_HELPER = 4_000_000  # for each thread
_GRAIN = 8  # rows
_RAW, _OUTPUTS, _RAW_CODE = (int(op.RAW), 0), (int(op.OUTPUTS), 0), int(op.RAW_CODE)


def can_infer(model: "Model") -> bool:
    """Tell whether all layers are built in."""
    return fuse(model.stages, 1) is not None


def predict(model: "Model", X: np.ndarray, n_threads: int | None = None) -> np.ndarray:
    """Return outputs (N, C) in inference mode; several threads may do so at once.

    X is a row-major uint8, float32 or float64 array of rows that fit the model.
    """
    width = X.size // len(X)
    predictor = getattr(model.per_thread, "predictor", None)
    if predictor is None or predictor.width != width or predictor.version is not model.version:
        predictor = model.per_thread.predictor = _Predictor(model, width)
    return predictor(model, X, n_threads)


def evaluate(
    model: "Model",
    loss: losses.Loss,
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    n_threads: int | None = None,
) -> tuple[float, float | None]:
    """Return loss, without penalties, and accuracy in inference mode."""
    outputs = predict(model, X, n_threads)
    value, n_correct = loss.compute(outputs, y, weights)
    return value, loss.accuracy(n_correct, *outputs.shape)


class _Predictor:
    """What one Python thread needs to run one model on rows of one width.

    A single row takes microseconds, so nothing is done here that could be done once.
    """

    def __init__(self, model: "Model", width: int):
        self.width, self.version = width, model.version  # asked for before the settings are read
        self.operations, self.normalize = fused(model, width)
        self.lowered = lower(
            self.operations, model.slots, model.dtype, _ROWS_AT_ONCE, training=False
        )
        self.n_outputs = self.operations[-1].n_out
        self.zero = model.dtype.type(0)
        self.raw_dtype: np.dtype | None = None
        self.flops = 2 * sum(o.n_in * o.n_out for o in self.operations)
        self.keeps_state = bool(self.lowered.running)
        self.scaling: list[bytes] = []  # of mean and std, as the tables have them
        self.n_available = threads.available()
        self.offers: list[np.ndarray] = []
        self.job = np.zeros(op.N_JOB, np.int64)
        self.infer_rows = kernels.engine.inference.infer_rows
        self.tables = [self._make_table(model)]
        self.row_table = self._make_table(model)
        self.row_table[op.OUTPUTS] = self.row = np.zeros((1, self.n_outputs), model.dtype)

    def __call__(self, model: "Model", X: np.ndarray, n_threads: int | None) -> np.ndarray:
        n_rows = len(X)
        if self.normalize is not None:
            self._follow_scaling(self.normalize)
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
        x, y = (array.__array_interface__["data"][0] for array in (X, outputs))
        for table in self.tables[:n_useful]:
            table.addresses[_RAW], table.addresses[_OUTPUTS] = x, y
            if self.keeps_state:
                enter_state(model, self.lowered, table)
        if X.dtype is not self.raw_dtype:
            self._expect(X.dtype)
        if n_useful == 1:
            self.infer_rows(self.tables[0].addresses, self.zero, 0, n_rows)
        else:
            self._infer_together(n_rows, n_useful)
        return outputs

    def _infer_together(self, n_rows: int, n_threads: int) -> None:
        """Infer on this thread and on helpers, as far as they come in time."""
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

    def _infer_row(self, model: "Model", X: np.ndarray) -> None:
        """Infer one row to a place that is known beforehand."""
        table = self.row_table
        table.addresses[_RAW] = X.__array_interface__["data"][0]
        if X.dtype is not self.raw_dtype:
            self._expect(X.dtype)
        if self.keeps_state:
            enter_state(model, self.lowered, table)
        self.infer_rows(table.addresses, self.zero, 0, 1)

    def _expect(self, dtype: np.dtype) -> None:
        """Tell the plan what rows are made of."""
        self.raw_dtype = dtype
        self.lowered.header[_RAW_CODE] = RAW_CODE_OF[dtype]

    def _make_table(self, model: "Model") -> ArrayTable:
        table = plan_memory(model, self.lowered)
        table[op.SCRATCH] = ops.aligned_zeros(self.lowered.scratch_size, model.dtype)
        table[op.ORDER] = np.empty(0, np.int64)
        needed = calls_for_inference(self.operations)
        table[op.KERNELS] = kernels.plan.calls.addresses(needed, model.dtype)
        table[op.SHIFT] = table[op.SCALE] = np.zeros(1, model.dtype)
        if self.normalize is not None:
            enter_scaling(self.normalize, self.width, table)
        return table

    def _follow_scaling(self, normalize: "layers.Normalize") -> None:
        """Copy mean and std in again if they are others than last time.

        Looking at their bytes is an order of magnitude quicker than preparing them for a row.
        """
        scaling = [array.tobytes() for array in normalize.state.values()]
        if scaling != self.scaling:
            self.scaling = scaling
            for table in (self.row_table, *self.tables):
                enter_scaling(normalize, self.width, table)


def _locations(*arrays: np.ndarray) -> np.ndarray:
    """Return where arrays are and how long, as rows of a table."""
    return np.array([(a.__array_interface__["data"][0], a.size) for a in arrays], np.int64)
