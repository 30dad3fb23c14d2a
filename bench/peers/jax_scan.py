"""JAX: the whole epoch in one jitted ``lax.scan`` with donated buffers."""

# Peers are optional, so the type checker must not require them.
# pyright: reportMissingImports=false

import time
from functools import partial
from typing import Any

import numpy as np

from bench.peers import missing, trial_seconds
from bench.workloads import Parameters, Workload

__all__ = ["NAME", "PRECISION", "JaxRun", "available", "prepare"]

NAME = "jax"
PRECISION = "float32"

# (rows gathered, steps unrolled). The fastest depends on the network, so all are tried. "step"
# selects a batch inside the scan, "epoch" reorders all rows before it.
FORMS = (("step", 1), ("step", 4), ("epoch", 1))


def available() -> str | None:
    """Return None, or why JAX cannot run here."""
    return missing("jax")


def prepare(work: Workload) -> "JaxRun":
    """Return `work` ready to train."""
    return JaxRun(work)


class JaxRun:
    """A network trained by one compiled function per epoch.

    numpy draws the order of the rows, which is faster here than ``jax.random.permutation``.

    Parameters
    ----------
    work : Workload
        What to train.
    bfloat16 : bool, default False
        Round the operands of every product, forward and backward, to bfloat16; sum in float32.

    """

    n_threads = None

    def __init__(self, work: Workload, bfloat16: bool = False):
        import jax
        import jax.numpy as jnp

        self.work, self.jax, self.jnp = work, jax, jnp
        X, y = work.data()
        # Stored in the products' dtype, so that no step has to convert its rows.
        self.X = jnp.asarray(X, jnp.bfloat16 if bfloat16 else jnp.float32)
        self.y = jnp.asarray(y.astype(np.int32) if y.ndim == 1 else y)
        self.rng = np.random.default_rng(0)
        self.reset()
        self.step = partial(training_step, work, product(bfloat16))
        self.compile_seconds = 0.0
        self.epoch = self.fastest_form()
        self.reset()

    def reset(self) -> None:
        """Restore the initial parameters and create a new optimizer."""
        jax, jnp = self.jax, self.jnp
        params = [(jnp.array(w), jnp.array(b)) for w, b in self.work.initial_parameters()]
        zeros = partial(jax.tree.map, jnp.zeros_like)
        self.state = (params, zeros(params), zeros(params), jnp.zeros((), jnp.float32))

    def parameters(self) -> Parameters:
        """Return the current parameters as float32 numpy arrays."""
        return [(np.array(weight), np.array(bias)) for weight, bias in self.state[0]]

    def epochs(self, n: int) -> float:
        """Train `n` epochs, each in a new order; return the mean loss of the last one's steps."""
        losses: Any = None
        for _ in range(n):
            self.state, losses = self.epoch(self.state, self.order(), self.X, self.y)
        return float(losses.mean())

    def order(self) -> np.ndarray:
        """Return the rows of each step in a new order, int32 (steps, batch size)."""
        n = self.work.n_rows
        order = self.rng.permutation(n) if self.work.shuffle else np.arange(n)
        return order.astype(np.int32).reshape(self.work.steps_per_epoch, self.work.batch_size)

    def fastest_form(self) -> Any:
        """Compile the epoch in each of `FORMS`; return the fastest one."""
        trials = {}
        for form in FORMS if self.work.shuffle else FORMS[:1]:
            start = time.perf_counter()
            self.epoch = self.compiled(*form)
            compile_seconds = time.perf_counter() - start
            self.epochs(1)
            trials[form] = (trial_seconds(lambda: self.epochs(1)), self.epoch, compile_seconds)
        _, epoch, self.compile_seconds = min(trials.values(), key=lambda trial: trial[0])
        return epoch

    def compiled(self, gather: str, unroll: int) -> Any:
        """Return the epoch, compiled ahead of time, with its state donated."""

        def epoch(state: Any, order: Any, X: Any, y: Any) -> Any:
            if not self.work.shuffle:
                return self.jax.lax.scan(lambda s, _: self.step(s, (X, y)), state, order)
            if gather == "epoch":
                return self.jax.lax.scan(self.step, state, (X[order], y[order]), unroll=unroll)
            return self.jax.lax.scan(
                lambda s, rows: self.step(s, (X[rows], y[rows])), state, order, unroll=unroll
            )

        jitted = self.jax.jit(epoch, donate_argnums=0)
        return jitted.lower(self.state, self.order(), self.X, self.y).compile()


def product(bfloat16: bool) -> Any:
    """Return the matrix product to use, with its gradient at the same precision."""
    import jax
    import jax.numpy as jnp

    if not bfloat16:
        return jnp.matmul

    def rounded(a: Any, b: Any) -> Any:
        half = jnp.bfloat16
        return jnp.matmul(a.astype(half), b.astype(half), preferred_element_type=jnp.float32)

    # By default, JAX would differentiate this into products of float32 by bfloat16, which are no
    # faster than float32.
    multiply = jax.custom_vjp(rounded)
    multiply.defvjp(
        lambda a, b: (rounded(a, b), (a, b)),
        lambda ab, d: (rounded(d, ab[1].T).astype(ab[0].dtype), rounded(ab[0].T, d)),
    )
    return multiply


def training_step(work: Workload, multiply: Any, state: Any, batch: Any) -> Any:
    """Return the state after one step on `batch`, and the step's loss."""
    import jax
    import jax.numpy as jnp

    params, means, squares, t = state
    loss, gradients = jax.value_and_grad(partial(batch_loss, work, multiply))(params, *batch)
    t = t + 1
    if work.optimizer == "sgd":
        params = jax.tree.map(lambda p, g: p - work.learning_rate * g, params, gradients)
        return (params, means, squares, t), loss
    rate = work.learning_rate / (1 - 0.9**t)
    scale = 1 / jnp.sqrt(1 - 0.999**t)
    means = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, means, gradients)
    squares = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, squares, gradients)
    params = jax.tree.map(
        lambda p, m, v: p - rate * m / (jnp.sqrt(v) * scale + 1e-8), params, means, squares
    )
    return (params, means, squares, t), loss


def batch_loss(work: Workload, multiply: Any, params: Any, x: Any, y: Any) -> Any:
    """Return the mean loss of one batch."""
    import jax
    import jax.numpy as jnp

    activation = jax.nn.relu if work.activation == "relu" else jnp.tanh
    outputs = x
    for i, (weight, bias) in enumerate(params):
        outputs = multiply(activation(outputs) if i else outputs, weight) + bias
    if work.loss == "mse":
        return jnp.mean((outputs - y) ** 2)
    if work.loss == "binary_cross_entropy":
        return jnp.mean(jnp.logaddexp(0.0, outputs) - y * outputs)
    own = jnp.take_along_axis(outputs, y[:, None], axis=1)[:, 0]
    return jnp.mean(jax.nn.logsumexp(outputs, axis=1) - own)
