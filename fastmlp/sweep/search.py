"""The search itself: find the runs that are left, run them, pick the best."""

import shutil
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, cast

from fastmlp.common.errors import argument
from fastmlp.common.messages import note
from fastmlp.common.validation import positive_int, seed_int
from fastmlp.engine import threads
from fastmlp.engine.interrupt import Interrupt
from fastmlp.sweep.journal import Journal
from fastmlp.sweep.lock import alone_in
from fastmlp.sweep.ranges import Settings, draw_settings, grid_settings
from fastmlp.sweep.result import FAILED, SCORES, Result, Score, as_text, scored_by
from fastmlp.sweep.run import Failed, Outcome, Train, TrainMany, as_outcome, attempt
from fastmlp.sweep.workers import outcomes_of_processes

__all__ = ["search"]


def search(
    train: Train,
    parameters: Mapping[str, Any],
    *,
    train_many: TrainMany | None = None,
    n_runs: int | None = None,
    seed: int = 0,
    n_jobs: int | None = None,
    n_threads: int | None = None,
    folder: str | PathLike[str] | None = None,
    context: Any = None,
    checkpoints: bool = False,
    scores: Sequence[Score] = SCORES,
    load: Callable[[Path], Any] | None = None,
    verbose: bool = True,
) -> Result:
    """Train once for each combination of parameters, and keep the best model.

    The best run has the highest ``val_accuracy``, or without accuracies the lowest ``val_loss``.
    The first in the order of the settings wins a tie.

    Parameters
    ----------
    train : callable
        ``train(seed=..., n_threads=..., **settings) -> (model, record)``: ``record`` is a dict of
        plain values with ``val_accuracy`` or ``val_loss``. A run fails if the record has a reason
        under ``failed``, or if ``train`` raises an error. It runs in other processes: pass a
        module-level function, or anything else that cloudpickle can send.
    parameters : dict
        Name -> sequence of values; for a random search also `Uniform`, `LogUniform` or any
        function of a `numpy.random.Generator`.
    train_many : callable, optional
        ``train_many(settings, seed=..., n_threads=..., done=...)`` does what ``train`` does for a
        whole list of settings in this process, and calls ``done(place, outcome)`` as soon as the
        one at a place in the list is done: ``outcome`` is (model, record), or the error. It is used
        unless ``n_jobs`` is given.
    n_runs : int, optional
        Number of random combinations to try; default: a grid of all combinations.
    seed : int, default 0
        Seed of the draws and of every run.
    n_jobs : int, optional
        Number of processes. Default: one per thread, but no more than there are runs; none if
        there is ``train_many``. With 1, everything runs in this process.
    n_threads : int, optional
        Total threads over all processes. Default: as many as this process may use.
    folder : path, optional
        A folder that records every run as soon as it finishes, and keeps the best model as
        ``best.safetensors``. A stopped search resumes from there when you start it again, and
        retries runs that raised an error. Only one search at a time can use a folder.
    context : object of plain values, optional
        Anything else that affects the results, such as the dataset and fixed parameters. A search
        reuses a run in the folder only if its seed, settings and context are the same.
    checkpoints : bool, default False
        Whether to pass each run a folder of its own within ``folder`` as ``checkpoint_folder``, for
        ``Checkpoint(checkpoint_folder, resume=True)``: then a search that was killed continues in
        the middle of its unfinished runs. The folder is removed when the run has finished.
    scores : sequence of Score, optional
        What runs are compared by: the first that a record has. Default: ``val_accuracy``, then
        ``val_loss``.
    load : callable, optional
        ``load(path)`` reads a model that its ``save`` has written to the folder. Default: networks
        and ensembles are read.
    verbose : bool, default True
        Whether to report each run on standard error.

    Returns
    -------
    Result

    Raises
    ------
    TypeError, ValueError
        If there is nothing to search, a record has neither score, or another search is using the
        folder.
    KeyboardInterrupt
        After Ctrl-C; the interrupted run is not recorded.

    """
    seed = seed_int("seed", seed)
    if checkpoints and folder is None:
        raise ValueError(f"checkpoints need a folder to be kept in: give {argument('folder')}")
    settings = draw_settings(parameters, n_runs, seed) if n_runs else grid_settings(parameters)
    available = positive_int("n_threads", n_threads) if n_threads else threads.available()
    if n_jobs is not None:
        train_many = None
    n_jobs = min(available if n_jobs is None else positive_int("n_jobs", n_jobs), len(settings))
    with _lent(folder) as place:
        journal = Journal(place, [seed, context], settings, scores, load)
        made = _Search(train, train_many, journal, seed, n_jobs, available, checkpoints, verbose)
        left = [index for index in range(len(settings)) if index not in journal.records]
        if verbose and len(left) < len(settings):
            note(f"{len(settings) - len(left)} of {len(settings)} runs are already done")
        made.run(left)
        model = made.best_model()
        return Result(journal.runs(), tuple(parameters), model, scores=scores)


class _Search:
    """Executes runs and records them."""

    def __init__(
        self,
        train: Train,
        train_many: TrainMany | None,
        journal: Journal,
        seed: int,
        n_jobs: int,
        n_threads: int,
        checkpoints: bool,
        verbose: bool,
    ):
        self.train, self.train_many, self.journal, self.seed = train, train_many, journal, seed
        self.checkpoints = checkpoints
        self.n_jobs, self.n_threads, self.verbose = n_jobs, n_threads, verbose

    def run(self, indices: Sequence[int], *, keep: bool = False) -> None:
        """Execute the runs with these indices; ``keep`` keeps all their models."""
        todo = [(index, self._arguments(index)) for index in indices]
        n_made = 0

        def add(index: int, outcome: Outcome) -> None:
            nonlocal n_made
            n_made += 1
            self._add(index, outcome, keep)
            if self.verbose:
                note(f"run {n_made} of {len(todo)}: {self._describe(index)}")

        def done(place: int, outcome: Any) -> None:
            add(todo[place][0], as_outcome(outcome))

        if self.train_many is not None:
            self.train_many(
                [settings for _, settings in todo],
                seed=self.seed,
                n_threads=self.n_threads,
                done=done,
            )
            return
        n_jobs = min(self.n_jobs, len(todo))
        rest = self.train, todo, self.seed
        if n_jobs > 1:
            found = outcomes_of_processes(*rest, n_jobs, max(1, self.n_threads // n_jobs))
        else:
            found = _outcomes_here(*rest, self.n_threads)
        with closing(found):
            for index, outcome in found:
                add(index, outcome)

    def _add(self, index: int, outcome: Outcome, keep: bool) -> None:
        """Record the outcome of a run."""
        if isinstance(outcome, Failed):
            self.journal.add_failed(index, outcome.why)
        else:
            model, record = _checked(outcome, [one.name for one in self.journal.scores])
            self.journal.add(index, record, model, keep=keep)
            shutil.rmtree(self.journal.run_folder(index), ignore_errors=True)

    def _arguments(self, index: int) -> Settings:
        """Return what a run's training is given besides the seed and the threads."""
        settings = self.journal.settings[index]
        if not self.checkpoints:
            return settings
        return settings | {"checkpoint_folder": self.journal.run_folder(index)}

    def best_model(self) -> Any:
        """Return the best model; repeat its run if the model was not kept."""
        while (best := self.journal.best()) is not None:
            if self.journal.has_model(best):
                return self.journal.keep_best_model(best)
            if self.verbose:
                note("the best model was not kept, so its run is repeated")
            self.run([best], keep=True)
        return None

    def _describe(self, index: int) -> str:
        settings, record = self.journal.settings[index], self.journal.records[index]
        told = ", ".join(f"{name} {as_text(value)}" for name, value in settings.items())
        if FAILED in record:
            return f"{told}: failed: {record[FAILED]}"
        return f"{told}: {scored_by(record, self.journal.scores)}"


def _outcomes_here(
    train: Train, todo: Sequence[tuple[int, Settings]], seed: int, n_threads: int
) -> Generator[tuple[int, Outcome], None, None]:
    """Train in this process; Ctrl-C ends the search, not just the current `fit`."""
    for index, settings in todo:
        with Interrupt() as interrupt:
            outcome = attempt(train, settings, seed, n_threads)
        if interrupt.pending:
            raise KeyboardInterrupt
        yield index, outcome


def _checked(outcome: Any, scores: Sequence[str]) -> tuple[Any, Mapping[str, Any]]:
    """Return the model and record, or raise if train returned anything else."""
    if not isinstance(outcome, tuple | list) or len(cast("Sequence[Any]", outcome)) != 2:
        raise TypeError(f"train must return a tuple (model, record), got {outcome!r}")
    model, record = cast("Sequence[Any]", outcome)
    if not isinstance(record, Mapping):
        raise TypeError(f"the record that train returns must be a dict, got {record!r}")
    record = cast("Mapping[str, Any]", record)
    if not any(name in record for name in (*scores, FAILED)):
        wanted = " or ".join(map(repr, scores))
        raise ValueError(f"train must return a record with {wanted}, got {dict(record)}")
    return model, record


@contextmanager
def _lent(folder: str | PathLike[str] | None) -> Generator[Path]:
    """Yield the folder, created if missing and locked, or a temporary one."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="fastmlp-sweep-") as temporary:
            yield Path(temporary)
    else:
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        with alone_in(place):
            try:
                yield place
            except OSError as error:  # an error in a run is the run's result
                why = f"{error.strerror}: the finished runs are kept, the same search continues"
                raise OSError(error.errno, why, error.filename) from error
