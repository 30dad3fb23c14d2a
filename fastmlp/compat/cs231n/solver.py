"""`Solver`: trains a net that has ``params`` and ``loss(X, y=None)``."""

from typing import Any

import numpy as np

from fastmlp.common.errors import unknown
from fastmlp.compat.cs231n import optim
from fastmlp.compat.cs231n.lowering import compiled_steps
from fastmlp.compat.steps import run

__all__ = ["Solver"]


class Solver:
    """Trains a net on minibatches drawn with replacement, and keeps the best parameters.

    Parameters
    ----------
    model : object
        With ``params``, a dict of arrays, and ``loss(X, y=None)`` that returns scores or
        ``(loss, grads)``. The nets of ``nndl.fc_net`` run compiled.
    data : dict
        ``X_train``, ``y_train``, ``X_val``, ``y_val``.
    update_rule : str, default "sgd"
        A name in ``cs231n.optim``.
    optim_config : dict
        Settings of the update rule; each parameter gets its own copy.
    lr_decay : float, default 1.0
        Factor by which the learning rate is multiplied after every epoch.
    batch_size : int, default 100
    num_epochs : int, default 10
    print_every : int, default 10
        Number of iterations between printed losses.
    verbose : bool, default True
    num_train_samples, num_val_samples : int, default 1000, None
        Number of rows drawn to compute an accuracy; None: all.

    Attributes
    ----------
    loss_history, train_acc_history, val_acc_history : list of float
    best_params, best_val_acc : dict, float
        The best validation accuracy and its parameters, which `train` puts in ``model.params``.

    Raises
    ------
    ValueError
        If an argument or the update rule is unknown.

    """

    def __init__(self, model: Any, data: dict[str, Any], **kwargs: Any):
        self.model = model
        self.X_train, self.y_train = np.asarray(data["X_train"]), np.asarray(data["y_train"])
        self.X_val, self.y_val = np.asarray(data["X_val"]), np.asarray(data["y_val"])
        name = kwargs.pop("update_rule", "sgd")
        self.optim_config = kwargs.pop("optim_config", {})
        self.lr_decay = kwargs.pop("lr_decay", 1.0)
        self.batch_size = kwargs.pop("batch_size", 100)
        self.num_epochs = kwargs.pop("num_epochs", 10)
        self.print_every = kwargs.pop("print_every", 10)
        self.verbose = kwargs.pop("verbose", True)
        self.num_train_samples = kwargs.pop("num_train_samples", 1000)
        self.num_val_samples = kwargs.pop("num_val_samples", None)
        if kwargs:
            raise ValueError(f"Unrecognized arguments {', '.join(map(repr, kwargs))}")
        if name not in optim.RULES:
            raise unknown("update_rule", name, optim.RULES)
        self.update_rule = optim.RULES[name]
        self._reset()

    def _reset(self) -> None:
        """Reset the epoch counter, the histories and the best parameters."""
        self.epoch = 0
        self.best_val_acc = 0.0
        self.best_params: dict[str, np.ndarray] = {}
        self.loss_history: list[float] = []
        self.train_acc_history: list[float] = []
        self.val_acc_history: list[float] = []
        settings = optim.DEFAULTS[self.update_rule.__name__] | self.optim_config
        self.optim_configs = {name: dict(settings) for name in self.model.params}

    def train(self) -> None:
        """Train for ``num_epochs``, then restore the model's best parameters."""
        iterations_per_epoch = max(len(self.X_train) // self.batch_size, 1)
        num_iterations = self.num_epochs * iterations_per_epoch
        steps = compiled_steps(self) if num_iterations else None
        t = 0
        while t < num_iterations:
            last = self._next_event(t, iterations_per_epoch, num_iterations)
            batches = [
                np.random.choice(len(self.X_train), self.batch_size) for _ in range(t, last + 1)
            ]
            rate = next(iter(self.optim_configs.values()))["learning_rate"]
            self.loss_history += run(steps, self._step, batches, rate)
            if self.verbose and last % self.print_every == 0:
                loss = self.loss_history[-1]
                print(f"(Iteration {last + 1} / {num_iterations}) loss: {loss:f}")
            epoch_end = (last + 1) % iterations_per_epoch == 0
            if epoch_end:
                self.epoch += 1
                for config in self.optim_configs.values():
                    config["learning_rate"] *= self.lr_decay
            if epoch_end or last == 0 or last == num_iterations - 1:
                if steps is not None and steps.intact:
                    steps.leave()
                self._take_stock(steps)
            t = last + 1
        self.model.params = self.best_params

    def check_accuracy(
        self, X: Any, y: Any, num_samples: int | None = None, batch_size: int = 100
    ) -> float:
        """Return the accuracy: the share of rows whose label has the highest score.

        Parameters
        ----------
        X, y : array
        num_samples : int, optional
            If there are more rows, draw this many, with replacement.
        batch_size : int, default 100
            Number of rows to compute at a time.

        """
        X, y = self._sample(np.asarray(X), np.asarray(y), num_samples)
        scores = [self.model.loss(X[i : i + batch_size]) for i in range(0, len(X), batch_size)]
        return float(np.mean(np.argmax(np.concatenate(scores), axis=1) == y))

    def _take_stock(self, steps: Any) -> None:
        """Record both accuracies, and the parameters if they are the best so far."""
        accuracies = []
        for X, y, number in (
            (self.X_train, self.y_train, self.num_train_samples),
            (self.X_val, self.y_val, self.num_val_samples),
        ):
            X, y = self._sample(X, y, number)
            if steps is not None and steps.intact:
                accuracies.append(float(np.mean(np.argmax(steps.predict(X), axis=1) == y)))
            else:
                accuracies.append(self.check_accuracy(X, y))
        train_acc, val_acc = accuracies
        self.train_acc_history.append(train_acc)
        self.val_acc_history.append(val_acc)
        if self.verbose:
            print(
                f"(Epoch {self.epoch} / {self.num_epochs}) train acc: {train_acc:f}; "
                f"val_acc: {val_acc:f}"
            )
        if val_acc > self.best_val_acc or not self.best_params:
            self.best_val_acc = val_acc
            self.best_params = {name: value.copy() for name, value in self.model.params.items()}

    def _step(self, rows: np.ndarray) -> float:
        """Take one step on these rows; return its loss."""
        loss, grads = self.model.loss(self.X_train[rows], self.y_train[rows])
        for name, w in self.model.params.items():
            self.model.params[name], self.optim_configs[name] = self.update_rule(
                w, grads[name], self.optim_configs[name]
            )
        return float(loss)

    def _next_event(self, t: int, iterations_per_epoch: int, num_iterations: int) -> int:
        """Return the first iteration, t or later, after which something is printed or recorded."""
        events = [num_iterations - 1, (t // iterations_per_epoch + 1) * iterations_per_epoch - 1]
        if self.verbose:
            events.append(-(-t // self.print_every) * self.print_every)
        return 0 if t == 0 else min(events)

    @staticmethod
    def _sample(X: np.ndarray, y: np.ndarray, number: int | None) -> tuple[np.ndarray, np.ndarray]:
        if number is None or len(X) <= number:
            return X, y
        rows = np.random.choice(len(X), number)
        return X[rows], y[rows]
