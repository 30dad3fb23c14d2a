"""Fitting a model: choose a runner, and train epochs of minibatch steps in the training loop."""

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.common import capacity
from fastmlp.common.errors import argument
from fastmlp.common.messages import note
from fastmlp.common.rows import Rows
from fastmlp.common.trainable import Trainable
from fastmlp.engine import compiled
from fastmlp.engine.layerwise import LayerRunner
from fastmlp.engine.runner import EpochResult, Runner
from fastmlp.layers.checks import require_settings, require_trainable
from fastmlp.layers.custom import Custom
from fastmlp.losses import is_built_in as is_our_loss
from fastmlp.optimizers import is_built_in as is_our_optimizer
from fastmlp.schedules import Schedule
from fastmlp.training.batches import Batches, epoch_order
from fastmlp.training.callbacks import Callbacks, TrainingInfo
from fastmlp.training.history import History
from fastmlp.training.loop import Loop
from fastmlp.training.options import FitOptions
from fastmlp.training.progress import Progress
from fastmlp.training.stopping import Checkpoint

__all__ = ["fit"]


def fit(model: Trainable, rows: Rows, validation: Rows | None, options: FitOptions) -> History:
    """Train a model; `fastmlp.Sequential.fit` documents the guarantees.

    All checks run before anything changes.

    Parameters
    ----------
    model : Sequential
    rows : Rows
        Training rows, already checked against the model.
    validation : Rows, optional
        Rows to evaluate after every epoch.
    options : FitOptions

    """
    require_settings(model.stages, model.dtype)
    require_trainable(model.stages)
    options.require_representable(model.dtype)
    monitor = options.monitor(validates=validation is not None)
    optimizer = options.optimizer
    _require_memory(model, options)
    with model.being_trained(), optimizer.being_used():
        optimizer.prepare(model)
        epochs = _MinibatchEpochs(model, rows, validation, options)
        callbacks = Callbacks(listeners := options.listeners())
        compiles = isinstance(epochs.runner, compiled.CompiledRunner)
        model.loss = options.loss
        loop = Loop(
            TrainingInfo(
                model=model,
                epochs=options.epochs,
                steps_per_epoch=epochs.batches.count,
                n_samples=len(rows),
                steps_done=epochs.runner.steps_done,
            ),
            callbacks,
            monitor,
            best=Checkpoint(model) if options.restore_best else None,
            last_good=Checkpoint(model, optimizer),
            copies_every_epoch=callbacks.polled or not compiles,  # these may fail mid-epoch
        )
        history = loop.history
        history.compile_seconds = epochs.runner.compile_seconds
        loop.run(lambda: loop.make(epochs))
    _say_why(history, optimizer.t, any(isinstance(c, Progress) for c in listeners))
    if monitor is not None and monitor.found_none:
        warnings.warn(
            f"{monitor.column} was not finite in any epoch, so there is no best epoch: the model "
            "keeps the parameters of the last one",
            stacklevel=3,
        )
    return history


def _require_memory(model: Trainable, options: FitOptions) -> None:
    """Raise if memory cannot hold the optimizer's state and the copies kept during training."""
    optimizer = options.optimizer
    n_states = len(optimizer.state_names)
    n_arrays = n_states - len(optimizer.state) + 1 + n_states + options.restore_best
    capacity.require(
        n_arrays * model.theta.nbytes,
        f"training {model.n_parameters:,} parameters with {type(optimizer).__name__}",
        "choose smaller layers, or an optimizer that keeps less, such as sgd",
    )


class _MinibatchEpochs:
    """Trains, records and validates epochs: see `fastmlp.training.loop.Epochs`."""

    def __init__(self, model: Trainable, rows: Rows, validation: Rows | None, options: FitOptions):
        self.optimizer, self.schedule = options.optimizer, options.schedule
        self.fade = options.fade
        self.loss, self.seed, self.rows = options.loss, options.seed, rows
        self.validation = validation
        size = min(options.batch_size, len(rows))
        self.batches = Batches.of(model, len(rows), size, options.drop_last)
        self.runner = _runner(model, rows, self.batches, options)
        self.total_steps = self.optimizer.t + options.epochs * self.batches.count
        self.fixed_order: np.ndarray | None = None
        if not options.shuffle or (self.batches.count == 1 and self.batches.n_used == len(rows)):
            self.fixed_order = epoch_order(len(rows), None, 0)[: self.batches.n_used]
            self.fixed_order.flags.writeable = False  # lets a runner check it only once

    @property
    def validates(self) -> bool:
        return self.validation is not None

    def train(self, epoch: int, poll: Callable[[], None]) -> EpochResult:
        optimizer = self.optimizer
        self.rates, self.order = self._rates(), self.fixed_order
        if self.order is None:
            order = epoch_order(len(self.rows), self.seed, optimizer.epoch)
            self.order = order[: self.batches.n_used]
        self.first_step, started = optimizer.t, time.perf_counter()
        fades = {} if self.fade is None else {"fades": self._fades(self.fade)}
        result = self.runner.train_epoch(self.order, optimizer.epoch, self.rates, poll, **fades)
        self.seconds = time.perf_counter() - started
        return result

    def record(self, epoch: int, result: EpochResult) -> dict[str, Any]:
        self.optimizer.epoch += 1
        n_rows, n_outputs = self.batches.n_used, self.rows.n_outputs
        return {
            "epoch": epoch,
            "loss": self._mean_loss(result.losses),
            "accuracy": self.loss.accuracy(result.n_correct, n_rows, n_outputs),
            "val_loss": None,
            "val_accuracy": None,
            "seconds": self.seconds,
            "learning_rate": float(self.rates[-1]),
        }

    def validate(self, record: dict[str, Any]) -> None:
        if self.validation is not None:
            X, y, weights = self.validation.X, self.validation.targets, self.validation.weights
            record["val_loss"], record["val_accuracy"] = self.runner.evaluate(X, y, weights)

    def diverged(self, step: int) -> str:
        return f"diverged at step {self.first_step + step + 1}"

    def _rates(self) -> np.ndarray:
        n = self.batches.count
        rates = self.schedule.rates(self.optimizer.t, n, n, self.total_steps)
        rates = np.ascontiguousarray(rates, dtype=np.float64)
        if rates.shape != (n,) or not (rates.min() >= 0 and rates.max() < np.inf):
            raise ValueError(
                f"{self.schedule!r} must give {n} finite rates that are not negative, got {rates}"
            )
        return rates

    def _fades(self, fade: Schedule) -> np.ndarray:
        n = self.batches.count
        fades = fade.rates(self.optimizer.t, n, n, self.total_steps)
        fades = np.ascontiguousarray(fades, dtype=np.float64)
        if fades.shape != (n,) or not (fades.min() >= 0 and fades.max() <= 1):
            raise ValueError(f"fade must give {n} factors from 0 to 1, but {fade!r} gives {fades}")
        return fades

    def _mean_loss(self, losses: np.ndarray) -> float:
        """Return the mean loss over rows, weighting each step as the step weighted its rows."""
        if self.rows.weights is None:
            mass = self.batches.rows
        else:
            weights = self.rows.weights[self.order].astype(np.float64)
            mass = np.add.reduceat(weights, self.batches.starts)
        return float(losses @ mass / mass.sum())


def _runner(model: Trainable, rows: Rows, batches: Batches, options: FitOptions) -> Runner:
    """Return the runner for the steps: compiled if possible, else layer by layer."""
    loss, optimizer = options.loss, options.optimizer
    make: Any = compiled.CompiledRunner
    foreign = _not_ours(model, options)
    if foreign is not None:
        make = LayerRunner
        if not model.told_layerwise:
            model.told_layerwise = True
            note(f"{foreign} cannot be compiled, so training runs layer by layer")
    return make(
        model,
        loss,
        optimizer,
        rows.X,
        rows.targets,
        rows.weights,
        batches.size,
        options.n_threads,
        options.matmul_precision,
        options.l2,
        options.seed,
        batches.joins,
    )


def _not_ours(model: Trainable, options: FitOptions) -> str | None:
    """Describe the first part that cannot be compiled; None if everything can."""
    if not is_our_loss(options.loss):
        return f"the loss {options.loss!r}"
    if not is_our_optimizer(options.optimizer):
        return f"the optimizer {options.optimizer!r}"
    if model.has_plan:
        return None
    foreign = [layer for layer in model.stages if not type(layer).__module__.startswith("fastmlp.")]
    foreign += [layer for layer in model.stages if isinstance(layer, Custom)]
    return f"the layer {foreign[0]!r}" if foreign else "this order of layers"


def _say_why(history: History, step: int, shown: bool) -> None:
    """Print one line about what went wrong, unless the progress display has shown it."""
    why = history.stopped or ""
    if why == "interrupted" and not shown:
        note("training was interrupted; the model keeps what it learned")
    elif why.startswith("diverged"):
        note(
            f"training {why}: the loss was not finite; the model is back at step "
            f"{step}: try a lower learning rate or {argument('clip_norm', 1.0)}"
        )
