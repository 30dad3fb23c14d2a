"""Running a model layer by layer: readable, and the only way for models without a plan."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from fastmlp.engine.interrupt import Interrupt
from fastmlp.engine.protocols import Layer, Loss, Model, Optimizer
from fastmlp.engine.runner import EpochResult

__all__ = [
    "LayerRunner",
    "add_penalties",
    "add_penalty",
    "backward",
    "evaluate",
    "forward",
    "loss_and_grads",
    "predict",
]

_POLL_SECONDS = 0.1


def forward(layers: Sequence[Layer], x: np.ndarray, train: bool = False) -> np.ndarray:
    """Return the output of the last layer."""
    for layer in layers:
        x = layer.forward(x, train)
    return x


def backward(layers: Sequence[Layer], dy: np.ndarray) -> None:
    """Write every layer's gradients; the first layer need not compute its input gradient."""
    for layer in reversed(layers[1:]):
        dy = layer.backward(dy)
    layers[0].backward_first(dy)


def loss_and_grads(
    model: Model,
    loss: Loss,
    x: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray | None,
    l2: float,
    train: bool,
) -> tuple[float, int]:
    """Return the loss with its penalty and the number correct; write ``model.grad``."""
    outputs = forward(model.stages, x, train)
    rows = np.ascontiguousarray(outputs, model.dtype).reshape(len(outputs), -1)
    doutputs = np.empty_like(rows)
    value, n_correct = loss.compute(rows, targets, weights, doutputs)
    backward(model.stages, doutputs.reshape(outputs.shape))
    return value + add_penalties(model, l2), n_correct


def add_penalties(model: Model, l2: float) -> float:
    """Return 0.5 * l2 * sum(W * W) over all weights; add its gradient to ``model.grad``."""
    if not l2:
        return 0.0
    weights = [slot for slot in model.slots if slot.is_weight]
    return sum(add_penalty(s.view(model.theta), s.view(model.grad), l2) for s in weights)


def add_penalty(weight: np.ndarray, gradient: np.ndarray, l2: float) -> float:
    """Return 0.5 * l2 * sum(W * W) and add its gradient, l2 * W, in place."""
    gradient += gradient.dtype.type(l2) * weight
    return 0.5 * l2 * float(np.square(weight).sum(dtype=np.float64))


def predict(model: Model, X: np.ndarray, batch_size: int) -> np.ndarray:
    """Return outputs in inference mode; safe to call from several threads at once."""
    layers = [layer.twin() for layer in model.stages]
    out: np.ndarray | None = None
    for start in range(0, len(X), batch_size):
        outputs = forward(layers, X[start : start + batch_size])
        if out is None:
            out = np.empty((len(X), *outputs.shape[1:]), model.dtype)
        out[start : start + batch_size] = outputs
    assert out is not None, "X was checked to have rows"
    return out


def evaluate(
    model: Model,
    loss: Loss,
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None,
    batch_size: int,
) -> tuple[float, float | None]:
    """Return the loss without penalties and the accuracy, in inference mode."""
    layers = [layer.twin() for layer in model.stages]
    total, mass, n_correct, n_outputs = 0.0, 0.0, 0, 1
    for start in range(0, len(X), batch_size):
        rows = slice(start, start + batch_size)
        outputs = forward(layers, X[rows])
        outputs = np.ascontiguousarray(outputs, model.dtype).reshape(len(outputs), -1)
        part = None if weights is None else weights[rows]
        share = len(outputs) if part is None else float(part.sum(dtype=np.float64))
        if share == 0.0:
            part = None  # rows with zero weight still count for the accuracy
        value, hits = loss.compute(outputs, y[rows], part)
        total += value * share
        mass += share
        n_correct += hits
        n_outputs = outputs.shape[1]
    return total / mass, loss.accuracy(n_correct, len(X), n_outputs)


class LayerRunner:
    """Trains by calling each layer in turn; see `fastmlp.engine.runner.Runner`.

    It uses one thread and full precision, so ``n_threads`` and ``precision`` have no effect.
    """

    compile_seconds = 0.0

    def __init__(
        self,
        model: Model,
        loss: Loss,
        optimizer: Optimizer,
        X: np.ndarray,
        y: np.ndarray,
        weights: np.ndarray | None,
        batch_size: int,
        n_threads: int | None,
        precision: str,
        l2: float,
        seed: int,
        joins: bool = False,
    ):
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self.X, self.y, self.weights = X, y, weights
        self.batch_size, self.l2, self.seed, self.joins = batch_size, l2, seed, joins
        self._done = 0

    def train_epoch(
        self,
        order: np.ndarray,
        epoch: int,
        rates: np.ndarray,
        poll: Callable[[], None],
        fades: np.ndarray | None = None,
    ) -> EpochResult:
        """Run one step per rate."""
        losses, penalties, masses = np.empty((3, len(rates)))
        n_correct = 0
        step, next_poll = 0, 0.0
        try:
            with Interrupt() as interrupt:
                for step, rate in enumerate(rates):
                    if interrupt.pending:
                        raise KeyboardInterrupt
                    rows = order[step * self.batch_size :]
                    if len(rows) > self.batch_size + self.joins:
                        rows = rows[: self.batch_size]
                    fade = 1.0 if fades is None else float(fades[step])
                    loss, penalty, hits = self.train_step(rows, float(rate), fade)
                    losses[step], penalties[step], masses[step] = loss, penalty, self.mass(rows)
                    n_correct += hits
                    if not np.isfinite(loss):
                        made = slice(step + 1)
                        return EpochResult(
                            losses[made], penalties[made], masses[made], n_correct, step
                        )
                    if time.monotonic() >= next_poll:
                        poll()
                        next_poll = time.monotonic() + _POLL_SECONDS
        except KeyboardInterrupt:
            made = slice(step)
            return EpochResult(
                losses[made], penalties[made], masses[made], n_correct, interrupted=True
            )
        return EpochResult(losses, penalties, masses, n_correct, interrupted=interrupt.pending)

    def train_step(
        self, rows: np.ndarray, rate: float, fade: float = 1.0
    ) -> tuple[float, float, int]:
        """Return these rows' loss, its penalty and the number correct; update if it is finite."""
        for layer in self.model.stages:
            layer.begin_step(self.seed, self.optimizer.t)
            layer.fade = fade
        try:
            return self._step(rows, rate, fade)
        finally:
            for layer in self.model.stages:
                layer.fade = 1.0

    def _step(self, rows: np.ndarray, rate: float, fade: float) -> tuple[float, float, int]:
        weights = None if self.weights is None else self.weights[rows]
        value, n_correct = self.loss_and_grads(rows, weights)
        penalty = add_penalties(self.model, self.l2_of(rows))
        value += penalty
        if np.isfinite(value):
            faded = {} if fade == 1.0 else {"fade": fade}  # a user's optimizer may not take it
            self.optimizer.step(self.model, lr=rate, **faded)
            self._done += 1
        return value, penalty, n_correct

    def loss_and_grads(self, rows: np.ndarray, weights: np.ndarray | None) -> tuple[float, int]:
        """Return some rows' loss without penalty and the number correct; write ``model.grad``."""
        X, y = self.X[rows], self.y[rows]
        return loss_and_grads(self.model, self.loss, X, y, weights, 0.0, train=True)

    def l2_of(self, rows: np.ndarray) -> float:
        """Return the strength of the penalty in a step on some rows."""
        return self.l2

    def mass(self, rows: np.ndarray) -> float:
        """Return the total weight of some rows."""
        if self.weights is None:
            return float(len(rows))
        return float(self.weights[rows].sum(dtype=np.float64))

    def evaluate(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> tuple[float, float | None]:
        """Return the loss without penalties and the accuracy, in inference mode."""
        return evaluate(self.model, self.loss, X, y, weights, max(self.batch_size, 1024))

    def leave_room(self, leaves: bool, /) -> int:
        """Return 1, since there is one thread."""
        return 1

    def steps_done(self) -> int:
        """Return the number of steps done."""
        return self._done
