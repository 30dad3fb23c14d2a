"""fastmlp's products, by the same functions that a training step runs.

Only this file knows how to call the engine; it follows the engine's plans.
"""

# The type checker does not know that setuptools installs kernels/ as fastmlp.kernels.
# pyright: reportMissingImports=false, reportCallIssue=false

from collections.abc import Callable

import numba
import numpy as np

from fastmlp import ops
from fastmlp.engine import threads
from fastmlp.engine.calls import calls_for_training
from fastmlp.engine.lowering import useful_threads
from fastmlp.engine.memory import ArrayTable
from fastmlp.engine.parameters import Slot
from fastmlp.engine.plan import Operation, Training
from fastmlp.engine.writing import write
from fastmlp.kernels.engine.step import backward, forward
from fastmlp.kernels.machine.simd import array_at
from fastmlp.kernels.plan import calls, op
from fastmlp.kernels.plan.memory import INT, kept_by, operation_at, unit_at, wait

__all__ = ["NAME", "OurProduct"]

NAME = "fastmlp"
TRAINING = Training("mse", "sgd")  # any: only the products are run


class OurProduct:
    """One product, divided among the threads as in a training step.

    Parameters
    ----------
    product : str
        One of `bench.products.PRODUCTS`.
    x, weight, bias, dz : ndarray
        (N, D), (D, H), (H,), (N, H).
    n_threads : int
        Largest number of threads; small products use fewer.

    """

    def __init__(
        self,
        product: str,
        x: np.ndarray,
        weight: np.ndarray,
        bias: np.ndarray,
        dz: np.ndarray,
        n_threads: int,
    ):
        self.product, self.dtype, self.shape = product, x.dtype, (*x.shape, dz.shape[1])
        n, d, h = self.shape
        below = Operation("copy", -1, d, d)
        layer = Operation("affine", 0, d, h)
        # One layer alone reads what was gathered; a pass below it would copy that at each call.
        self.operations = [layer] if product == "forward" else [below, layer]
        self.n_threads = useful_threads(self.operations, n, n_threads)
        start = -(-d * h // 16) * 16
        slots = [Slot(0, "weight", 0, (d, h)), Slot(0, "bias", start, (h,))]
        self.plan = write(self.operations, slots, self.dtype, n, self.n_threads, TRAINING)
        self.memory = self.table(start + h)
        self.fill(x, weight, bias, dz)

    def table(self, n_parameters: int) -> ArrayTable:
        """Return the table of the engine's arrays."""
        plan, memory = self.plan, ArrayTable()
        for place in range(op.N_ARRAYS):
            memory[place] = np.zeros(8, np.int64)
        memory[op.HEADER], memory[op.OPERATIONS] = plan.header, plan.operations
        memory[op.REALS], memory[op.UNITS] = plan.reals, plan.units
        memory[op.UNIT_SHARES] = plan.unit_shares
        memory[op.CONTROL] = np.zeros(op.N_CONTROL + 8 * self.n_threads, np.int64)
        for place, size in (
            (op.THETA, n_parameters),
            (op.GRADIENT, n_parameters),
            (op.WORKSPACE, plan.workspace_size),
            (op.SCRATCH, plan.scratch_size * self.n_threads),
        ):
            memory[place] = ops.aligned_zeros(size, self.dtype)
        needed = calls_for_training(self.operations, TRAINING)
        memory[op.KERNELS] = calls.addresses(needed, self.dtype)
        return memory

    def fill(self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray, dz: np.ndarray) -> None:
        """Copy the factors to where the engine reads them."""
        _, d, h = self.shape
        row = self.plan.operations[-1]
        self.memory[op.THETA][: d * h] = weight.ravel()
        self.memory[op.THETA][row[op.BIAS] :][:h] = bias
        self.matrix(row[op.X], row[op.LD_X])[:, :d] = x
        self.matrix(row[op.DZ], row[op.LD_Y])[:, :h] = dz

    def matrix(self, offset: int, row_length: int) -> np.ndarray:
        """Return a matrix of N rows in the workspace."""
        n = self.shape[0]
        return self.memory[op.WORKSPACE][offset:][: n * row_length].reshape(n, row_length)

    def __call__(self, n_rounds: int) -> None:
        """Compute the product `n_rounds` times."""
        rounds: Callable[..., None] = ROUNDS[self.product]
        zero, last = self.dtype.type(0), len(self.operations) - 1
        self.memory[op.CONTROL].fill(0)

        def work(thread: int) -> None:
            rounds(thread, n_rounds, self.memory.addresses, last, zero)

        if self.n_threads == 1:
            work(0)
            return
        with threads.team(self.n_threads - 1) as team:  # this thread works too
            team.start(lambda number: work(number + 1))
            work(0)
            team.wait()

    def result(self) -> np.ndarray:
        """Return the result of the last call."""
        _, d, h = self.shape
        row = self.plan.operations[-1]
        if self.product == "forward":
            return self.matrix(row[op.Y], row[op.LD_Y])[:, :h]
        if self.product == "backward":
            below = self.plan.operations[0]
            return self.matrix(below[op.DZ], below[op.LD_Y])[:, :d]
        return self.memory[op.GRADIENT][: d * h].reshape(d, h)


@numba.njit(nogil=True, error_model="numpy")
def forward_rounds(thread, n_rounds, memory, last, zero):
    """X W + b."""
    n_rows = array_at(memory, op.HEADER, INT)[op.BATCH_SIZE]
    for _ in range(n_rounds):
        forward(thread, 0, n_rows, memory, zero)
        wait(thread, memory)


@numba.njit(nogil=True, error_model="numpy")
def backward_rounds(thread, n_rounds, memory, last, zero):
    """dZ W'."""
    n_rows = array_at(memory, op.HEADER, INT)[op.BATCH_SIZE]
    for _ in range(n_rounds):
        backward(thread, 0, n_rows, memory, zero)
        wait(thread, memory)


@numba.njit(nogil=True, error_model="numpy")
def gradient_rounds(thread, n_rounds, memory, last, zero):
    """X' dZ, piece by piece; the pieces of each thread as in an update."""
    n_rows = array_at(memory, op.HEADER, INT)[op.BATCH_SIZE]
    core, gradient = operation_at(memory, last)[op.CORE], array_at(memory, op.GRADIENT, zero)
    shares = array_at(memory, op.UNIT_SHARES, INT)
    for _ in range(n_rounds):
        array_at(memory, op.CONTROL, INT)[kept_by(thread)] = 0
        for u in range(shares[thread], shares[thread + 1]):
            unit = unit_at(memory, u)
            if unit[op.UNIT_FIRST] >= 0:  # not the bias
                start = unit[op.UNIT_START]
                calls.gradient(memory, core, memory, zero, thread, u, n_rows, gradient, start)
        wait(thread, memory)


ROUNDS = {"forward": forward_rounds, "backward": backward_rounds, "gradient": gradient_rounds}
