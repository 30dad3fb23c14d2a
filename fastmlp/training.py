"""Training: fit -> epoch -> step. The runner makes the steps; this is what happens around them."""

import time
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp import arguments, capacity, losses
from fastmlp.batches import Batches
from fastmlp.engine import compiled
from fastmlp.engine.layerwise import LayerRunner
from fastmlp.engine.runner import Interrupt, Runner
from fastmlp.errors import argument, unknown
from fastmlp.history import History
from fastmlp.layers.checks import require_settings, require_trainable
from fastmlp.layers.custom import Custom
from fastmlp.messages import note
from fastmlp.model import Model
from fastmlp.optimizers import OPTIMIZERS, Optimizer
from fastmlp.schedules import Schedule, as_schedule
from fastmlp.stopping import Checkpoint, EarlyStopping, Monitor
from fastmlp.validation import (
    as_batch_size,
    as_weights,
    is_finite,
    non_negative,
    positive_int,
    seed_int,
)

__all__ = ["PRECISIONS", "epoch_order", "fit"]

PRECISIONS = ("highest", "high", "medium")
_STEPS_BETWEEN_COPIES = 64  # at least: a copy moves about as much memory as the update of a step

_Data = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def fit(
    model: Model,
    X: Any,
    y: Any,
    *,
    loss: Any,
    optimizer: Optimizer,
    epochs: int,
    batch_size: int,
    validation_data: Any,
    sample_weight: Any,
    class_weight: Any,
    l2: float,
    label_smoothing: float,
    shuffle: bool,
    seed: int,
    n_threads: int | None,
    matmul_precision: str,
    callbacks: Sequence[Any],
    early_stopping: int | EarlyStopping | None,
    restore_best: bool,
    time_limit: float | None,
    verbose: bool | None,
) -> History:
    """Train a model; `fastmlp.Sequential.fit` says what each argument means.

    Everything is checked before anything is changed.
    """
    loss = losses.get(loss, label_smoothing)
    epochs = positive_int("epochs", epochs)
    l2, seed = non_negative("l2", l2), seed_int("seed", seed)
    if n_threads is not None:
        n_threads = positive_int("n_threads", n_threads)
    if matmul_precision not in PRECISIONS:
        raise unknown("matmul_precision", matmul_precision, PRECISIONS)
    schedule = as_schedule(optimizer.lr)
    require_settings(model.stages, model.dtype)
    require_trainable(model.stages)
    arguments.require_representable(optimizer, l2, model.dtype)
    X, y, weights = model.check_data(loss, X, y, sample_weight)
    if class_weight is not None:
        of_rows = arguments.class_weights(class_weight, loss, y, model.check_inputs(X))
        of_rows = as_weights(of_rows, len(X), model.dtype, "class_weight")
        weights = as_weights(of_rows if weights is None else weights * of_rows, len(X), model.dtype)
    validation = _validation(model, loss, validation_data)
    batches = Batches.of(model, len(X), as_batch_size(batch_size, len(X)))
    callbacks = arguments.as_callbacks(callbacks)
    monitor = arguments.as_monitor(
        early_stopping, restore_best, validation is not None, loss, callbacks
    )
    limit = [] if time_limit is None else [arguments.as_time_limit(time_limit)]

    _require_memory(model, optimizer, restore_best)

    with model.being_trained(), optimizer.being_used():
        optimizer.prepare(model)
        runner = _runner(
            model,
            loss,
            optimizer,
            X,
            y,
            weights,
            batches.size,
            n_threads,
            matmul_precision,
            l2,
            seed,
            batches.joins,
        )
        model.loss = loss
        training = _Training(
            model=model,
            optimizer=optimizer,
            schedule=schedule,
            loss=loss,
            data=(X, y, weights),
            validation=validation,
            runner=runner,
            epochs=epochs,
            batches=batches,
            seed=seed,
            shuffle=shuffle and batches.count > 1,
            callbacks=[*callbacks, *limit, *arguments.displays(verbose)],
            monitor=monitor,
            restore_best=restore_best,
        )
        return training.run()


def _require_memory(model: Model, optimizer: Optimizer, restore_best: bool) -> None:
    """Raise a sentence if the optimizer's states and the copies to go back to find no room."""
    n_states = len(optimizer.state_names)
    n_arrays = n_states - len(optimizer.state) + 1 + n_states + bool(restore_best)
    capacity.require(
        n_arrays * model.theta.nbytes,
        f"training {model.n_parameters:,} parameters with {type(optimizer).__name__}",
        "choose smaller layers, or an optimizer that keeps less, such as sgd",
    )


class _Training:
    """One call of ``fit`` after its checks: what goes on between epochs."""

    def __init__(
        self,
        *,
        model: Model,
        optimizer: Optimizer,
        schedule: Schedule,
        loss: losses.Loss,
        data: _Data,
        validation: _Data | None,
        runner: Runner,
        epochs: int,
        batches: Batches,
        seed: int,
        shuffle: bool,
        callbacks: list[Any],
        monitor: Monitor | None,
        restore_best: bool,
    ):
        self.model, self.optimizer, self.schedule, self.loss = model, optimizer, schedule, loss
        self.X, self.y, self.weights = data
        self.validation, self.runner = validation, runner
        self.epochs, self.batches, self.seed = epochs, batches, seed
        self.callbacks, self.monitor = callbacks, monitor
        self.steps_per_epoch = batches.count
        self.fixed_order: np.ndarray | None = None
        if not shuffle:
            self.fixed_order = epoch_order(len(self.X), None, 0)
            self.fixed_order.flags.writeable = False  # so that a runner need not look at it again
        self.total_steps = optimizer.t + epochs * self.steps_per_epoch
        self.last_good = Checkpoint(model, optimizer)
        self.best = Checkpoint(model) if restore_best else None
        self.history = History()
        self.history.compile_seconds = runner.compile_seconds

    def run(self) -> History:
        """Make the epochs until they are done or something stops them."""
        from fastmlp.callbacks import TrainingInfo

        info = TrainingInfo(
            model=self.model,
            epochs=self.epochs,
            steps_per_epoch=self.steps_per_epoch,
            n_samples=len(self.X),
            steps_done=self.runner.steps_done,
        )
        try:
            self._tell("on_train_begin", info)
            if self.callbacks or self.validation is not None:
                self._train_epochs()
            else:  # nothing to cut short between epochs, so that one signal handler will do
                with Interrupt() as interrupt:
                    self._train_epochs()
                if interrupt.pending:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            self.history.stopped = "interrupted"
        finally:
            if self.best is not None and self.monitor and self.monitor.best_epoch is not None:
                self.best.restore()
            self._tell("on_train_end", self.history)
        self._say_why()
        if self.monitor is not None and self.monitor.found_none:
            warnings.warn(
                f"{self.monitor.column} was finite in no epoch, so none was the best: the model "
                "keeps the parameters of the last",
                stacklevel=4,
            )
        return self.history

    def _train_epochs(self) -> None:
        for epoch in range(self.epochs):
            with Interrupt() as interrupt:  # steps and what is written down of them stay one
                goes_on = self.train_epoch(epoch)
            if interrupt.pending:
                raise KeyboardInterrupt
            if not goes_on or self.should_stop(self.history.epochs[-1]):
                break

    def train_epoch(self, epoch: int) -> bool:
        """Train on every row once and record it; return False if training ends here."""
        optimizer, history = self.optimizer, self.history
        rates = self._rates()
        order = self.fixed_order
        if order is None:
            order = epoch_order(len(self.X), self.seed, optimizer.epoch)
        if optimizer.t - self.last_good.step >= _STEPS_BETWEEN_COPIES:
            self.last_good.save()
        first_step, started = optimizer.t, time.perf_counter()
        result = self.runner.train_epoch(order, optimizer.epoch, rates, self._poll)
        seconds = time.perf_counter() - started
        history.add_steps(result.losses)
        if result.interrupted:
            history.stopped = "interrupted"
            if len(result.losses) < len(rates):
                return False
        diverged = result.diverged_step
        if diverged is None and not is_finite(self.model.theta):
            diverged = len(rates) - 1
        if diverged is not None:
            self.last_good.restore()
            history.stopped = f"diverged at step {first_step + diverged + 1}"
            return False
        optimizer.epoch += 1
        history.epochs.append(
            {
                "epoch": epoch,
                "loss": self._mean_loss(result.losses, order),
                "accuracy": self._accuracy(result.n_correct),
                "val_loss": None,
                "val_accuracy": None,
                "seconds": seconds,
                "learning_rate": float(rates[-1]),
            }
        )
        return not result.interrupted

    def should_stop(self, record: dict[str, Any]) -> bool:
        """Validate, tell the callbacks, watch the monitored column."""
        if self.validation is not None:
            record["val_loss"], record["val_accuracy"] = self.runner.evaluate(*self.validation)
        answers = self._tell("on_epoch_end", record["epoch"], record, self.model)
        reasons = [answer for answer in answers if answer]
        if self.monitor is not None:
            if self.monitor.update(record) and self.best is not None:
                self.best.save()
            self.history.best_epoch = self.monitor.best_epoch
            if self.monitor.exhausted:
                reasons.append("early stopping")
        if reasons and record["epoch"] + 1 < self.epochs:
            reason = reasons[0]
            self.history.stopped = reason if isinstance(reason, str) else "stopped by a callback"
        return bool(reasons)

    def _rates(self) -> np.ndarray:
        n = self.steps_per_epoch
        rates = self.schedule.rates(self.optimizer.t, n, n, self.total_steps)
        rates = np.ascontiguousarray(rates, dtype=np.float64)
        if rates.shape != (n,) or not (rates.min() >= 0 and rates.max() < np.inf):
            raise ValueError(
                f"{self.schedule!r} must give {n} finite rates that are not negative, got {rates}"
            )
        return rates

    def _mean_loss(self, losses: np.ndarray, order: np.ndarray) -> float:
        """Mean over rows, weighted like each step's own."""
        if self.weights is None:
            mass = self.batches.rows
        else:
            weights = self.weights[order].astype(np.float64)
            mass = np.add.reduceat(weights, self.batches.starts)
        return float(losses @ mass / mass.sum())

    def _accuracy(self, n_correct: int) -> float | None:
        n_outputs = 1 if self.y.ndim == 1 else self.y.shape[1]
        return self.loss.accuracy(n_correct, len(self.X), n_outputs)

    def _tell(self, event: str, *arguments: Any) -> list[Any]:
        methods = [getattr(callback, event, None) for callback in self.callbacks]
        return [method(*arguments) for method in methods if method is not None]

    def _poll(self) -> None:
        self._tell("poll")

    def _say_why(self) -> None:
        """Say in a line what went wrong, unless a display has."""
        from fastmlp.callbacks import Progress

        why = self.history.stopped or ""
        shown = any(isinstance(callback, Progress) for callback in self.callbacks)
        if why == "interrupted":
            _note("training was interrupted; the model keeps what it learned", shown)
        elif why.startswith("diverged"):
            _note(
                f"training {why}: the loss was not finite; the model is back at step "
                f"{self.optimizer.t}: try a lower learning rate or {argument('clip_norm', 1.0)}",
                shown=False,
            )


def epoch_order(n_rows: int, seed: int | None, epoch: int) -> np.ndarray:
    """Return the rows in the order in which an epoch visits them.

    Parameters
    ----------
    n_rows : int
    seed : int or None
        None: as they stand. Otherwise a permutation keyed by (seed, epoch), the same whenever it
        is asked for.
    epoch : int
        Epochs made before this one.

    Returns
    -------
    numpy.ndarray, int64, shape (n_rows,)

    """
    if seed is None:
        return np.arange(n_rows, dtype=np.int64)
    key = np.array([seed, epoch], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).permutation(n_rows)


def _runner(model: Model, loss: losses.Loss, optimizer: Optimizer, *rest: Any) -> Runner:
    """Return what makes the steps: compiled where there is a plan for all of it."""
    if compiled.can_compile(model, loss, optimizer):
        return compiled.CompiledRunner(model, loss, optimizer, *rest)
    if not model.told_layerwise:
        model.told_layerwise = True
        why = _not_ours(model, loss, optimizer)
        _note(f"{why} cannot be compiled, so training runs layer by layer", shown=False)
    return LayerRunner(model, loss, optimizer, *rest)


def _not_ours(model: Model, loss: losses.Loss, optimizer: Optimizer) -> str:
    """Return the first part of the training that has no plan, in words."""
    if type(loss) not in losses.LOSSES.values():
        return f"the loss {loss!r}"
    if type(optimizer) not in OPTIMIZERS.values():
        return f"the optimizer {optimizer!r}"
    foreign = [layer for layer in model.stages if not type(layer).__module__.startswith("fastmlp.")]
    foreign += [layer for layer in model.stages if isinstance(layer, Custom)]
    return f"the layer {foreign[0]!r}" if foreign else "this order of layers"


def _validation(model: Model, loss: losses.Loss, data: Any) -> _Data | None:
    if data is None:
        return None
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        raise TypeError("validation_data must be a tuple (X, y) or (X, y, sample_weight)")
    return model.check_data(loss, *data, suffix=" of validation_data")


def _note(text: str, shown: bool) -> None:
    if not shown:
        note(text)
