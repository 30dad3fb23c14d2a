"""The two-layer net of R2 and R3, which differ only in the orientation of the weights."""

from typing import Any

import numpy as np

from fastmlp import optimizers
from fastmlp.compat import arrays
from fastmlp.compat.steps import CompiledSteps, Parameter, run
from fastmlp.layers import Linear, ReLU

__all__ = ["TwoLayerNet"]


class TwoLayerNet:
    """affine - ReLU - affine - softmax, trained by SGD with a penalty on both weights.

    Attributes
    ----------
    params : dict
        W1, b1, W2, b2: plain arrays, read anew at each call.

    """

    rows_are_outputs = False

    def _start(self, input_size: int, hidden_size: int, output_size: int, std: float) -> None:
        """Draw W1, then W2, from numpy's global generator."""
        shapes = (input_size, hidden_size), (hidden_size, output_size)
        W1, W2 = (std * np.random.randn(*(s[::-1] if self.rows_are_outputs else s)) for s in shapes)
        self.params = {"W1": W1, "b1": np.zeros(hidden_size), "W2": W2, "b2": np.zeros(output_size)}

    def loss(self, X: Any, y: Any = None, reg: float = 0.0) -> Any:
        """Return the scores (N, C) or, given labels y (N,), ``(loss, grads)``.

        The loss is the mean softmax loss plus 0.5 * reg * sum(W * W) for both weights; grads has
        an array for each name in ``params``.
        """
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        before = arrays.affine(X, self._lying(W1), b1)
        hidden = arrays.activation("relu", before)
        scores = arrays.affine(hidden, self._lying(W2), b2)
        if y is None:
            return scores
        loss, dscores = arrays.classification_loss("cross_entropy", scores, y)
        dhidden, dW2, db2 = arrays.affine_backward(dscores, hidden, self._lying(W2))
        dbefore = arrays.activation_backward("relu", dhidden, before)
        _, dW1, db1 = arrays.affine_backward(dbefore, X, self._lying(W1))
        grads = {"W1": self._lying(dW1), "b1": db1, "W2": self._lying(dW2), "b2": db2}
        return loss + arrays.penalize(reg, self.params, grads, ("W1", "W2")), grads

    def train(
        self,
        X: Any,
        y: Any,
        X_val: Any,
        y_val: Any,
        learning_rate: float = 1e-3,
        learning_rate_decay: float = 0.95,
        reg: float = 1e-5,
        num_iters: int = 100,
        batch_size: int = 200,
        verbose: bool = False,
    ) -> dict[str, list[float]]:
        """Train by SGD; each minibatch is drawn with replacement by ``np.random.choice``.

        Returns
        -------
        dict
            ``loss_history`` has the loss of every iteration; ``train_acc_history`` (on the last
            minibatch) and ``val_acc_history`` have the accuracies of every epoch.

        """
        X, y = np.asarray(X), np.asarray(y)
        iterations_per_epoch = max(len(X) // batch_size, 1)
        steps = self._compiled(X, y, reg, batch_size) if num_iters else None

        def readable(rows: np.ndarray) -> float:
            loss, grads = self.loss(X[rows], y=y[rows], reg=reg)
            for name, gradient in grads.items():
                arrays.step("sgd", self.params, name, gradient, lr=learning_rate)
            return float(loss)

        history: dict[str, list[float]] = {
            "loss_history": [],
            "train_acc_history": [],
            "val_acc_history": [],
        }
        it = 0
        while it < num_iters:
            last = self._next_event(it, iterations_per_epoch, num_iters, verbose)
            batches = [np.random.choice(len(X), batch_size) for _ in range(it, last + 1)]
            history["loss_history"] += run(steps, readable, batches, learning_rate)
            if verbose and last % 100 == 0:
                print(f"iteration {last} / {num_iters}: loss {history['loss_history'][-1]:f}")
            if last % iterations_per_epoch == 0:
                if steps is not None and steps.intact:
                    steps.leave()
                rows = batches[-1]
                history["train_acc_history"].append(
                    float((self.predict(X[rows]) == y[rows]).mean())
                )
                history["val_acc_history"].append(float((self.predict(X_val) == y_val).mean()))
                learning_rate *= learning_rate_decay
            it = last + 1
        if steps is not None and steps.intact:
            steps.leave()
        return history

    def predict(self, X: Any) -> np.ndarray:
        """Return the label with the highest score in each row, shape (N,)."""
        return np.argmax(self.loss(X), axis=1)

    def _lying(self, weight: np.ndarray) -> np.ndarray:
        """Convert a weight to the kernels' orientation, (inputs, outputs), or back."""
        return weight.T if self.rows_are_outputs else weight

    @staticmethod
    def _next_event(it: int, iterations_per_epoch: int, num_iters: int, verbose: bool) -> int:
        """Return the first iteration, ``it`` or later, after which something is recorded."""
        every = (iterations_per_epoch, 100) if verbose else (iterations_per_epoch,)
        return min(num_iters - 1, *(-(-it // n) * n for n in every))

    def _compiled(self, X: np.ndarray, y: np.ndarray, reg: float, batch_size: int) -> Any:
        """Return compiled steps, or None if a subclass computes something else."""
        kind = type(self)
        if kind.loss is not TwoLayerNet.loss or kind.predict is not TwoLayerNet.predict or reg < 0:
            return None
        shapes = [self._lying(np.asarray(self.params[name])).shape for name in ("W1", "W2")]
        layers = [Linear(*shapes[0], init="zeros"), ReLU(), Linear(*shapes[1], init="zeros")]
        parameters = [
            Parameter("0.weight", self.params, "W1", self.rows_are_outputs),
            Parameter("0.bias", self.params, "b1"),
            Parameter("2.weight", self.params, "W2", self.rows_are_outputs),
            Parameter("2.bias", self.params, "b2"),
        ]
        return CompiledSteps(layers, parameters, optimizers.SGD(lr=0.0), X, y, batch_size, l2=reg)
