"""Fitting a model: choose a runner, and train epochs of minibatch steps in the training loop."""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np

import fastmlp.kernels as kernels
from fastmlp.common import capacity
from fastmlp.common.errors import argument
from fastmlp.common.messages import note
from fastmlp.common.rows import Rows
from fastmlp.common.trainable import Trainable
from fastmlp.engine import compiled
from fastmlp.engine.layerwise import LayerRunner
from fastmlp.engine.runner import EpochResult, Runner
from fastmlp.engine.whole import WholeRunner
from fastmlp.layers.checks import require_settings, require_trainable
from fastmlp.layers.custom import Custom
from fastmlp.losses import is_built_in as is_our_loss
from fastmlp.optimizers import is_built_in as is_our_optimizer
from fastmlp.training.batches import Batches, epoch_order
from fastmlp.training.callbacks import Callbacks, TrainingInfo
from fastmlp.training.checkpoint import checkpoint_of
from fastmlp.training.halt import HaltedRun
from fastmlp.training.history import History
from fastmlp.training.loop import Loop
from fastmlp.training.options import FitOptions
from fastmlp.training.parts import InParts
from fastmlp.training.progress import Progress
from fastmlp.training.reasons import INTERRUPTED, diverged, has_diverged
from fastmlp.training.resuming import follow
from fastmlp.training.stopping import Monitor, Snapshot
from fastmlp.training.stream import Stream
from fastmlp.training.whole import WholeRun, nobody_looks

__all__ = ["checked_monitor", "compile_kernels", "fit", "train"]


def fit(
    model: Trainable, rows: Rows | Stream, validation: Rows | None, options: FitOptions
) -> History:
    """Train a model; `fastmlp.Sequential.fit` documents the guarantees.

    All checks run before anything changes.
    """
    monitor = checked_monitor(model, options, validates=validation is not None)
    history = train(model, rows, validation, options, monitor)
    shown = any(isinstance(c, Progress) for c in options.listeners())
    _say_why(history, options.optimizer.t, shown)
    if monitor is not None and monitor.found_none:
        warnings.warn(
            f"{monitor.told} was not finite in any epoch, so there is no best epoch: the model "
            "keeps the parameters of the last one",
            stacklevel=3,
        )
    return history


def checked_monitor(model: Trainable, options: FitOptions, validates: bool) -> Monitor | None:
    """Check whether a model can be trained like this; return what monitors its epochs, if any."""
    require_settings(model.stages, model.dtype)
    require_trainable(model.stages)
    options.require_representable(model.dtype)
    return options.monitor(validates)


def compile_kernels(
    model: Trainable,
    rows: Rows,
    options: FitOptions,
    validates: bool,
    listeners: Sequence[Any],
    n_threads: int,
) -> None:
    """Compile what `train` needs, as far as it is not yet there, and change nothing."""
    if _not_ours(model, options) is None:
        kind = _kind(nobody_looks(rows, (options.schedule, options.fade), listeners))
        precision = options.matmul_precision
        kind.compile_for(
            model, options.loss, options.optimizer, rows.X, precision, validates, n_threads
        )


def train(
    model: Trainable,
    rows: Rows | Stream,
    validation: Rows | None,
    options: FitOptions,
    monitor: Monitor | None,
) -> History:
    """Train a model that `checked_monitor` has checked, without a word about how it ended.

    Parameters
    ----------
    model : Sequential
    rows : Rows or Stream
        Training rows, already checked against the model; they may be some rows of larger arrays.
    validation : Rows, optional
        Rows to evaluate after every epoch.
    options : FitOptions
    monitor : Monitor, optional

    """
    optimizer, listeners = options.optimizer, options.listeners()
    checkpoint = checkpoint_of(options.callbacks)
    _require_memory(model, options)
    with model.being_trained(), optimizer.being_used():
        optimizer.prepare(model)
        streams = isinstance(rows, Stream)
        is_whole = not streams and nobody_looks(rows, (options.schedule, options.fade), listeners)
        epochs = _MinibatchEpochs(model, rows, validation, options, is_whole)
        model.loss = options.loss
        loop = _loop(model, rows, epochs, options, monitor, listeners)
        if streams:
            epochs.runner = InParts(epochs.runner, optimizer, epochs.batches, rows)
        if checkpoint is not None:
            follow(checkpoint, loop, epochs, options, rows, epochs.validation)
        make_epochs: Callable[[], None] = partial(loop.make, epochs)
        if isinstance(epochs.runner, WholeRunner):
            make_epochs = WholeRun(loop, cast("Any", epochs), listeners).make  # without a stream
        loop.history.compile_seconds = epochs.runner.compile_seconds
        loop.run(make_epochs)
        if loop.last_good is not None and checkpoint is None:
            loop.last_good.release()
    return loop.history


def _loop(
    model: Trainable,
    rows: Rows | Stream,
    epochs: "_MinibatchEpochs",
    options: FitOptions,
    monitor: Monitor | None,
    listeners: Sequence[Any],
) -> Loop:
    """Return the loop over the epochs, with what it tells, keeps and goes back to."""
    callbacks, checkpoint = Callbacks(listeners), checkpoint_of(options.callbacks)
    polled = callbacks.polled and not any(isinstance(c, HaltedRun) for c in listeners)
    compiles = isinstance(epochs.runner, compiled.CompiledRunner)
    # Some may fail mid-epoch; and where to go back to must not depend on a resumed run.
    every_epoch = polled or not compiles or isinstance(rows, Stream) or checkpoint is not None
    return Loop(
        TrainingInfo(
            model=model,
            epochs=options.epochs,
            steps_per_epoch=epochs.batches.count,
            n_samples=len(rows),
            steps_done=lambda: epochs.runner.steps_done(),
        ),
        callbacks,
        monitor,
        best=Snapshot(model) if options.restore_best else None,
        last_good=Snapshot(model, options.optimizer),
        copies_every_epoch=every_epoch,
    )


def _require_memory(model: Trainable, options: FitOptions) -> None:
    """Raise if memory cannot hold the optimizer's state and the copies kept during training."""
    optimizer = options.optimizer
    n_states = len(optimizer.state_names)
    n_arrays = n_states - len(optimizer.state) + 1 + n_states + options.restore_best
    n_bytes = n_arrays * model.theta.nbytes
    if capacity.is_small(n_bytes):
        return
    capacity.require(
        n_bytes,
        f"training {model.n_parameters:,} parameters with {type(optimizer).__name__}",
        "choose smaller layers, or an optimizer that keeps less, such as sgd",
    )


class _MinibatchEpochs:
    """Trains, records and validates epochs: see `fastmlp.training.loop.Epochs`."""

    def __init__(
        self,
        model: Trainable,
        rows: Rows | Stream,
        validation: Rows | None,
        options: FitOptions,
        is_whole: bool,
    ):
        self.optimizer, self.schedule = options.optimizer, options.schedule
        self.fade = options.fade
        self.loss, self.rows, self.validation = options.loss, rows, validation
        size = min(options.batch_size, len(rows))
        self.batches = Batches.of(model, len(rows), size, options.drop_last)
        self.order_seed: int | None = options.seed
        whole = self.batches.n_used == len(rows)
        if not options.shuffle or (self.batches.count == 1 and whole):
            self.order_seed = None
        self._make_runner = partial(
            _runner, model, rows, self.batches, is_whole=is_whole, validates=validation is not None
        )
        self._options = options
        self.runner = self._make_runner(options)
        self.total_steps = self.optimizer.t + options.epochs * self.batches.count
        self._order: np.ndarray | None = None

    @property
    def validates(self) -> bool:
        return self.validation is not None

    def regroup(self, n_threads: int) -> None:
        self.runner = self._make_runner(replace(self._options, n_threads=n_threads))

    def train(self, epoch: int, poll: Callable[[], None]) -> EpochResult:
        optimizer = self.optimizer
        self.rates = self.rates_from(optimizer.t)
        if isinstance(self.rows, Stream):
            self._order = np.empty(0, np.int64)  # it decides on the order itself
        elif self._order is None or self.order_seed is not None:
            order = epoch_order(len(self.rows), self.order_seed, optimizer.epoch)
            order = order[: self.batches.n_used]
            self._order = order if self.rows.index is None else self.rows.index[order]
            self._order.flags.writeable = False  # lets a runner check a fixed one only once
        self.first_step, started = optimizer.t, time.perf_counter()
        fades = self.fades_from(optimizer.t)
        faded = {} if fades is None else {"fades": fades}
        result = self.runner.train_epoch(self._order, optimizer.epoch, self.rates, poll, **faded)
        self.seconds = time.perf_counter() - started
        return result

    def record(self, epoch: int, result: EpochResult) -> dict[str, Any]:
        self.optimizer.epoch += 1
        n_rows, n_outputs = self.batches.n_used, self.rows.n_outputs
        return {
            "epoch": epoch,
            "loss": kernels.engine.sums.mean_of_steps(result.losses, result.masses),
            "accuracy": self.loss.accuracy(result.n_correct, n_rows, n_outputs),
            "val_loss": None,
            "val_accuracy": None,
            "seconds": self.seconds,
            "learning_rate": float(self.rates[-1]),
        }

    def validate(self, record: dict[str, Any]) -> None:
        if self.validation is not None:
            taken = self.validation = self.validation.taken()
            X, y, weights = taken.X, taken.targets, taken.weights
            record["val_loss"], record["val_accuracy"] = self.runner.evaluate(X, y, weights)

    def diverged(self, step: int) -> str:
        return diverged(f"at step {self.first_step + step + 1}")

    def rates_from(self, first_step: int) -> np.ndarray:
        """Return the learning rates of an epoch that begins after so many steps."""
        n = self.batches.count
        rates = self.schedule.rates(first_step, n, n, self.total_steps)
        rates = np.ascontiguousarray(rates, dtype=np.float64)
        if rates.shape != (n,) or not (rates.min() >= 0 and rates.max() < np.inf):
            raise ValueError(
                f"{self.schedule!r} must give {n} finite rates that are not negative, got {rates}"
            )
        return rates

    def fades_from(self, first_step: int) -> np.ndarray | None:
        """Return the factors of decay and dropout of such an epoch; None if all are 1."""
        if self.fade is None:
            return None
        n = self.batches.count
        fades = self.fade.rates(first_step, n, n, self.total_steps)
        fades = np.ascontiguousarray(fades, dtype=np.float64)
        if fades.shape != (n,) or not (fades.min() >= 0 and fades.max() <= 1):
            raise ValueError(
                f"fade must give {n} factors from 0 to 1, but {self.fade!r} gives {fades}"
            )
        return fades


def _runner(
    model: Trainable,
    rows: Rows | Stream,
    batches: Batches,
    options: FitOptions,
    is_whole: bool,
    validates: bool,
) -> Runner:
    """Return the runner for the steps: compiled if possible, else layer by layer."""
    loss, optimizer = options.loss, options.optimizer
    make: Any = partial(_kind(is_whole), validates=validates)
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


def _kind(is_whole: bool) -> type[compiled.CompiledRunner]:
    return WholeRunner if is_whole else compiled.CompiledRunner


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
    why = history.stopped
    if why == INTERRUPTED and not shown:
        note("training was interrupted; the model keeps what it learned")
    elif has_diverged(why):
        note(
            f"training {why}: the loss was not finite; the model is back at step "
            f"{step}: try a lower learning rate or {argument('clip_norm', 1.0)}"
        )
