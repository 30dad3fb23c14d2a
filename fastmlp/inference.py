"""The compiled way to infer: the forward half of a plan, on memory of each thread's own."""

from typing import TYPE_CHECKING

import numpy as np

import fastmlp.kernels as kernels
from fastmlp import losses, ops, threads
from fastmlp.kernels import opcodes as op
from fastmlp.lowering import ArrayTable, fuse, links_for_inference, lower
from fastmlp.memory import enter_scaling, enter_state, fused, plan_memory

if TYPE_CHECKING:
    from fastmlp.model import Model

__all__ = ["can_infer", "evaluate", "predict"]

_INFERENCE_ROWS = 256  # at a time and thread: what they need stays in the second cache
_ROWS_OF_A_SHARE = 32  # a thread gets a multiple of it
_FLOPS_WORTH_A_HELPER = 30_000_000  # a second thread takes some 50 microseconds to start
_RAW, _OUTPUTS, _RAW_CODE = (int(op.RAW), 0), (int(op.OUTPUTS), 0), int(op.RAW_CODE)
_CODE_OF = {np.dtype(name): int(code) for name, code in op.RAW_CODES.items()}


def can_infer(model: "Model") -> bool:
    """Tell whether all layers are built in."""
    return fuse(model.stages, 1) is not None


def predict(model: "Model", X: np.ndarray, n_threads: int | None = None) -> np.ndarray:
    """Return outputs (N, C) in inference mode; several threads may do so at once.

    X is a row-major uint8, float32 or float64 array of rows that fit the model.
    """
    width = X.size // len(X)
    predictor = getattr(model.per_thread, "predictor", None)
    if predictor is None or predictor.width != width:
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
        self.width = width
        self.operations, self.normalize = fused(model, width)
        self.lowered = lower(
            self.operations, model.slots, model.dtype, _INFERENCE_ROWS, training=False
        )
        self.n_outputs = self.operations[-1].n_out
        self.zero = model.dtype.type(0)
        self.flops = 2 * sum(o.n_in * o.n_out for o in self.operations)
        self.keeps_state = self.normalize is not None or bool(self.lowered.running)
        self.infer_rows = kernels.inference.infer_rows
        self.tables = [self._make_table(model)]
        self.row_table = self._make_table(model)
        self.row_table[op.OUTPUTS] = self.row = np.zeros((1, self.n_outputs), model.dtype)

    def __call__(self, model: "Model", X: np.ndarray, n_threads: int | None) -> np.ndarray:
        n_rows = len(X)
        if n_rows == 1:
            self._infer_row(model, X)
            return self.row.copy()
        outputs = np.empty((n_rows, self.n_outputs), model.dtype)
        n_useful = 1
        if n_rows * self.flops > _FLOPS_WORTH_A_HELPER:
            n_useful = min(n_threads or threads.available(), -(-n_rows // _ROWS_OF_A_SHARE))
            while len(self.tables) < n_useful:
                self.tables.append(self._make_table(model))
        x, y = (array.__array_interface__["data"][0] for array in (X, outputs))
        for table in self.tables[:n_useful]:
            table.addresses[_RAW], table.addresses[_OUTPUTS] = x, y
            if self.keeps_state:
                self._enter(model, table)
        self.lowered.header[_RAW_CODE] = _CODE_OF[X.dtype]
        if n_useful == 1:
            self.infer_rows(0, self.tables[0].addresses, self.zero, 0, n_rows)
            return outputs
        share = -(-n_rows // (n_useful * _ROWS_OF_A_SHARE)) * _ROWS_OF_A_SHARE
        with threads.team(n_useful - 1) as team:
            team.start(lambda i: self._run_share(i + 1, share, n_rows))
            self._run_share(0, share, n_rows)
            team.wait()
        return outputs

    def _infer_row(self, model: "Model", X: np.ndarray) -> None:
        """Infer one row to a place that is known beforehand."""
        table = self.row_table
        table.addresses[_RAW] = X.__array_interface__["data"][0]
        self.lowered.header[_RAW_CODE] = _CODE_OF[X.dtype]
        if self.keeps_state:
            self._enter(model, table)
        self.infer_rows(0, table.addresses, self.zero, 0, 1)

    def _run_share(self, number: int, share: int, n_rows: int) -> None:
        first, last = number * share, min(n_rows, (number + 1) * share)
        if first < last:
            self.infer_rows(0, self.tables[number].addresses, self.zero, first, last)

    def _make_table(self, model: "Model") -> ArrayTable:
        table = plan_memory(model, self.lowered)
        table[op.SCRATCH] = ops.aligned_zeros(self.lowered.scratch_size, model.dtype)
        table[op.ORDER] = np.empty(0, np.int64)
        names = links_for_inference(self.operations)
        table[op.KERNELS] = kernels.links.addresses(names, model.dtype)
        self.lowered.header[op.STANDARDISE] = self.normalize is not None
        table[op.SHIFT] = table[op.SCALE] = np.zeros(1, model.dtype)
        return table

    def _enter(self, model: "Model", table: ArrayTable) -> None:
        """Copy in what the layers keep outside of theta; it may have changed."""
        enter_state(model, self.lowered, table)
        if self.normalize is not None:
            enter_scaling(self.normalize, self.width, table)
