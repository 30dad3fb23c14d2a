"""Training many models at once, each on a thread of its own: ``fastmlp.fit_many``."""

from collections.abc import Sequence
from typing import Any

from fastmlp.common.errors import in_shell
from fastmlp.common.messages import note
from fastmlp.common.validation import positive, positive_int
from fastmlp.engine import threads
from fastmlp.training.checkpoint import checkpoint_of
from fastmlp.training.fitting import compile_kernels
from fastmlp.training.history import History
from fastmlp.training.pack_checkpoints import keep_checkpoints
from fastmlp.training.pack_queue import PackQueue
from fastmlp.training.pack_runs import Run, as_pack_callbacks, runs_of
from fastmlp.training.reasons import failure, has_diverged

__all__ = ["fit_many"]


def fit_many(
    models: Sequence[Any],
    X: Any,
    y: Any,
    *,
    loss: Any = "cross_entropy",
    optimizers: Any = "adam",
    epochs: Any = 10,
    batch_size: Any = 128,
    rows: Any = None,
    validation_rows: Any = None,
    validation_data: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    l2: Any = 0.0,
    label_smoothing: Any = 0.0,
    shuffle: Any = True,
    drop_last: Any = False,
    fade: Any = None,
    seeds: Any = None,
    matmul_precision: Any = "highest",
    early_stopping: Any = None,
    restore_best: Any = False,
    n_threads: int | None = None,
    time_limit: float | None = None,
    callbacks: Sequence[Any] = (),
    verbose: bool | None = None,
) -> list[History]:
    """Train many models on the same rows X with targets y, or each on some of these rows.

    The models wait in a queue, and every thread trains one of them at a time. Each model ends with
    exactly the bits that its own ``fit`` would give, whatever the number of threads. The models may
    differ in everything: layers, widths, optimizers, rows, seeds.

    An argument other than X, y and the last four is one value for all models, or a list of one
    value for each. (For ``epochs``, ``batch_size`` and ``seeds`` a range or an array is a list
    too.) Those that are not described here mean what they mean in `fastmlp.Sequential.fit`.

    Parameters
    ----------
    models : sequence of Sequential
        All different.
    X : array_like, shape (N, ...)
        Held in memory once, however many models use it.
    y : array_like
        As in `fastmlp.Sequential.fit`.
    loss : str or Loss, or a list
    optimizers : str or Optimizer, or a list, default "adam"
        One name for all gives each model an optimizer of its own. Of one object for all, each
        model trains with a fresh copy.
    epochs, batch_size : int, or a list
    rows : array of int or bool, optional, or a list of arrays
        The rows of X to train on, in this order: row numbers, repeated or not, or a mask of length
        N. ``rows=r`` has the effect of ``fit(X[r], y[r])`` without copying X.
    validation_rows : array of int or bool, optional, or a list of arrays
        The rows of X to validate with after every epoch, not weighted.
    validation_data : tuple, optional, or a list of tuples
        (X, y) or (X, y, sample_weight), instead of ``validation_rows``.
    sample_weight : array_like, shape (N,), optional, or a list of arrays
        A weight for each row of X, whichever rows are used.
    seeds : int, optional, or a list
        Seed of the row order and of Dropout; default 0 for all, as in ``fit``.
    early_stopping : int or EarlyStopping, optional, or a list
    restore_best : bool, or a list
    n_threads : int, optional
        How many threads to use in all; default: as many as the process may use. When fewer models
        than threads are left, these get several threads each.
    time_limit : float, optional
        Seconds for all models together: after them no new epoch starts.
    callbacks : sequence, default ()
        Objects with a method ``on_run_end(index, history, model)``. It is called on the caller's
        thread whenever a model has finished, in that order. A true return value ends the training
        of all models at the end of their steps; a string is also the reason. One of them may be a
        `fastmlp.Checkpoint`, which keeps the files of each model in a folder of its own; a pack
        that is resumed calls ``on_run_end`` also for the models that had finished.
    verbose : bool, optional
        Whether to show progress; default: only on a terminal.

    Returns
    -------
    list of History
        One for each model. A model that diverges or fails ends alone: its ``history.stopped`` is
        ``"diverged at step n"`` or ``"failed: ..."``. Ctrl-C, ``time_limit`` and callbacks end all
        models, which keep what they have learned; a model that had not begun has a history without
        epochs.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; all models are then unchanged.
    KeyboardInterrupt
        If Ctrl-C comes before the first model is trained, such as while kernels are compiled; all
        models are then unchanged.
    Exception
        What a callback raised, after all threads have ended.

    """
    n_threads = threads.available() if n_threads is None else positive_int("n_threads", n_threads)
    limit = None if time_limit is None else positive("time_limit", time_limit)
    listeners = as_pack_callbacks(callbacks)
    runs = runs_of(
        models,
        X,
        y,
        validation_data=validation_data,
        rows=rows,
        validation_rows=validation_rows,
        sample_weight=sample_weight,
        optimizers=optimizers,
        seeds=seeds,
        loss=loss,
        epochs=epochs,
        batch_size=batch_size,
        class_weight=class_weight,
        l2=l2,
        label_smoothing=label_smoothing,
        shuffle=shuffle,
        drop_last=drop_last,
        fade=fade,
        matmul_precision=matmul_precision,
        early_stopping=early_stopping,
        restore_best=restore_best,
    )
    checkpoint = checkpoint_of(callbacks)
    if checkpoint is not None:
        keep_checkpoints(checkpoint, runs)
    _compile(runs, n_threads)
    histories = PackQueue(runs, n_threads, limit, listeners, verbose).run()
    _say_how_many_failed(histories)
    return histories


def _compile(runs: list[Run], n_threads: int) -> None:
    """Compile the kernels here, where Ctrl-C ends it at once and no model has changed."""
    for run in {run.kind: run for run in runs}.values():
        listeners = () if run.checkpoint is None else (run.checkpoint,)
        validates = run.validation is not None
        compile_kernels(run.model, run.rows, run.options, validates, listeners, n_threads)


def _say_how_many_failed(histories: list[History]) -> None:
    """Print one line about models that diverged or failed."""
    n = sum(has_diverged(h.stopped) or failure(h.stopped) is not None for h in histories)
    if n and not in_shell():  # a shell shows each run and why it failed
        note(
            f"{n} of {len(histories)} models diverged or failed; their histories say why "
            "(history.stopped)"
        )
