"""`train_net`: trains a network epoch by epoch and keeps the best parameters."""

from copy import deepcopy
from typing import Any

import numpy as np

from fastmlp.compat.lib.lowering import as_model, compiled_steps
from fastmlp.compat.steps import CompiledSteps, run

__all__ = ["compute_acc", "data_loader", "train_net"]


def compute_acc(
    model: Any, data: Any, labels: Any, num_samples: int | None = None, batch_size: int = 100
) -> float:
    """Return the accuracy: the share of rows whose label has the highest score.

    Parameters
    ----------
    model : Module
    data, labels : array, shapes (N, ...) and (N,)
    num_samples : int, optional
        If there are more rows, draw this many, with replacement.
    batch_size : int, default 100
        Number of rows at a time, if the network runs layer by layer.

    """
    data, labels = np.asarray(data), np.asarray(labels)
    if num_samples is not None and len(data) > num_samples:
        rows = np.random.choice(len(data), num_samples)
        data, labels = data[rows], labels[rows]
    lowered = as_model(model)
    if lowered is not None:
        return _accuracy(lowered.predict(data), labels)
    parts = (data[i : i + batch_size] for i in range(0, len(data), batch_size))
    return _accuracy(np.concatenate([model.forward(part, False) for part in parts]), labels)


def train_net(
    data: dict[str, Any],
    model: Any,
    loss_func: Any,
    optimizer: Any,
    batch_size: int,
    max_epochs: int,
    lr_decay: float = 1.0,
    lr_decay_every: int = 1000,
    show_every: int = 10,
    verbose: bool = False,
) -> tuple[dict[str, np.ndarray] | None, list[float], list[float], list[float]]:
    """Train a network; each epoch visits each row once, in a new random order drawn by numpy.

    Parameters
    ----------
    data : dict
        ``data_train`` and ``data_val``, each a pair (X, y).
    model : Module
        Runs compiled, or layer by layer if it has custom parts.
    loss_func : cross_entropy
    optimizer : Optimizer
        An optimizer of the model's layers; its ``lr`` decays.
    batch_size, max_epochs : int
    lr_decay : float, default 1.0
        Factor by which the learning rate is multiplied every ``lr_decay_every`` epochs.
    lr_decay_every : int, default 1000
    show_every : int, default 10
        Number of iterations between printed losses.
    verbose : bool, default False

    Returns
    -------
    opt_params : dict or None
        Parameters by name, from the epoch with the best validation accuracy.
    loss_hist : list of float
        Loss of every iteration.
    train_acc_hist, val_acc_hist : list of float
        Accuracies after every epoch.

    """
    (X, y), (X_val, y_val) = data["data_train"], data["data_val"]
    X, y = np.asarray(X), np.asarray(y)
    loader = data_loader(X, y, batch_size)
    max_iters = loader.iters_per_epoch * max_epochs
    steps = compiled_steps(model, loss_func, optimizer, X, y, batch_size)

    def readable(rows: np.ndarray) -> float:
        loss = loss_func.forward(model.forward(X[rows], True), y[rows])
        model.backward(loss_func.backward())
        optimizer.step()
        return float(loss)

    opt_val_acc, opt_params = 0.0, None
    loss_hist: list[float] = []
    train_acc_hist: list[float] = []
    val_acc_hist: list[float] = []
    for epoch in range(max_epochs):
        if epoch > 0 and epoch % lr_decay_every == 0:
            optimizer.lr = optimizer.lr * lr_decay
            print(f"Decaying learning rate of the optimizer to {optimizer.lr}")
        batches = loader.epoch()
        while batches:
            n_made = len(loss_hist)
            n_next = -n_made % show_every + 1 if verbose else len(batches)
            loss_hist += run(steps, readable, batches[:n_next], optimizer.lr)
            batches = batches[n_next:]
            if verbose and (len(loss_hist) - 1) % show_every == 0:
                print(f"(Iteration {len(loss_hist)} / {max_iters}) loss: {loss_hist[-1]}")
        if steps is not None and steps.intact:
            steps.leave()
        train_acc, val_acc = _compute(steps, model, X, y), _compute(steps, model, X_val, y_val)
        train_acc_hist.append(train_acc)
        val_acc_hist.append(val_acc)
        if val_acc > opt_val_acc:
            opt_val_acc, opt_params = val_acc, deepcopy(dict(model.net.params))
        if verbose:
            print(
                f"(Epoch {epoch + 1} / {max_epochs}) Training Accuracy: {train_acc}, "
                f"Validation Accuracy: {val_acc}"
            )
    return opt_params, loss_hist, train_acc_hist, val_acc_hist


class data_loader:
    """Minibatches of data; each epoch visits every row once, in a new random order.

    Parameters
    ----------
    data, labels : array, shapes (N, ...) and (N,)
    batch_size : int
        Rows per minibatch; the last one of an epoch may have fewer.

    """

    def __init__(self, data: Any, labels: Any, batch_size: int):
        self.data, self.labels, self.batch_size = np.asarray(data), np.asarray(labels), batch_size
        self._left: list[np.ndarray] = []

    @property
    def iters_per_epoch(self) -> int:
        """Number of minibatches per epoch."""
        return -(-len(self.data) // self.batch_size)

    def get_batch(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the next minibatch: rows and their labels."""
        self._left = self._left or self.epoch()
        rows = self._left.pop(0)
        return self.data[rows], self.labels[rows]

    def epoch(self) -> list[np.ndarray]:
        """Return the row numbers of each minibatch of a new epoch."""
        order = np.random.permutation(len(self.data))
        return [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]


def _compute(steps: CompiledSteps | None, model: Any, X: Any, y: Any) -> float:
    """Return the accuracy, computed from the current parameters."""
    if steps is not None and steps.intact:
        return _accuracy(steps.predict(X), np.asarray(y))
    return compute_acc(model, X, y)


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(np.argmax(scores, axis=1) == labels))
