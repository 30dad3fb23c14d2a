"""Search over training parameters: a grid or random draws, run in parallel processes.

::

    def train(seed, n_threads, lr, l2):
        model = Sequential(Linear(784, 128), ReLU(), Linear(128, 10), seed=seed)
        history = model.fit(X, y, optimizer=Adam(lr=lr), l2=l2, epochs=5, seed=seed,
                            n_threads=n_threads, validation_data=(X_val, y_val), verbose=False)
        return model, {"val_accuracy": history.val_accuracy[-1]}

    result = sweep.search(train, {"lr": [1e-3, 2e-3], "l2": [0.0, 1e-4]}, folder="runs")
    print(result.table())
    model = result.best_model
"""

import csv
import hashlib
import io
import itertools
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp import saving, threads
from fastmlp.errors import unknown
from fastmlp.files import write_whole
from fastmlp.validation import positive_int, seed_int

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LogUniform", "Result", "Uniform", "draw_settings", "grid_settings", "search"]

SCORE = "val_accuracy"
_MODEL = ".safetensors"

Settings = dict[str, Any]
Train = Callable[..., tuple[Any, Mapping[str, Any]]]


@dataclass(frozen=True)
class Uniform:
    """Numbers to draw from ``low`` to ``high``, all alike."""

    low: float
    high: float

    def __call__(self, rng: np.random.Generator) -> float:
        """Return one."""
        return float(rng.uniform(self.low, self.high))


@dataclass(frozen=True)
class LogUniform:
    """Numbers to draw from ``low`` to ``high``, alike in their logarithm; 0 < low."""

    low: float
    high: float

    def __call__(self, rng: np.random.Generator) -> float:
        """Return one, to four digits."""
        drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return float(f"{drawn:.3e}")


class Result:
    """What a search found.

    Attributes
    ----------
    runs : list of dict
        Settings and results of every run, the best validation accuracy first.
    parameters : tuple of str
        Names of what was searched over.
    best : dict
        The first of ``runs``.
    best_model : object
        Its model.

    """

    def __init__(self, runs: Sequence[Mapping[str, Any]], parameters: Sequence[str], model: Any):
        self.runs = sorted((dict(run) for run in runs), key=_score, reverse=True)
        self.parameters, self.best_model = tuple(parameters), model

    @property
    def best(self) -> dict[str, Any]:
        """The best run."""
        return self.runs[0]

    def table(self) -> str:
        """Return all runs as a table of text."""
        names = self._columns()
        rows = [names, *([_text(run.get(name)) for name in names] for run in self.runs)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(names))]
        lines = ("  ".join(map(str.rjust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write the table to a CSV file, whole or not at all."""
        stream = io.StringIO(newline="")
        writer = csv.DictWriter(stream, self._columns(), restval="")
        writer.writeheader()
        writer.writerows(self.runs)
        write_whole(path, stream.getvalue().encode())

    def heat_map(self, row_name: str | None = None, column_name: str | None = None) -> "Figure":
        """Draw the validation accuracy over two parameters; of several runs in a cell, the best.

        Parameters
        ----------
        row_name, column_name : str, optional
            Default: the first two that take more than one value, or else the first two.

        Raises
        ------
        ValueError
            If there are not two parameters, or one of the names is not among them.

        """
        from fastmlp import plots

        varied = sorted(self.parameters, key=lambda name: len(self._values(name)) < 2)
        free = [name for name in varied if name not in (row_name, column_name)]
        names = [name or (free.pop(0) if free else "") for name in (row_name, column_name)]
        for name in names:
            if not name:
                raise ValueError("a heat map needs a search over at least two parameters")
            if name not in self.parameters:
                raise unknown("parameter", name, self.parameters)
        rows, columns = (self._values(name) for name in names)
        cells = np.full((len(rows), len(columns)), np.nan)
        for run in reversed(self.runs):
            place = rows.index(run[names[0]]), columns.index(run[names[1]])
            cells[place] = run[SCORE] if run[SCORE] is not None else np.nan
        texts = [[_text(value) for value in values] for values in (rows, columns)]
        return plots.heat_map(cells, *texts, row_name=names[0], column_name=names[1])

    def _columns(self) -> list[str]:
        found = dict.fromkeys(name for run in self.runs for name in run)
        return [*self.parameters, *(name for name in found if name not in self.parameters)]

    def _values(self, name: str) -> list[Any]:
        """Return the different values of a parameter, in order."""
        values: list[Any] = []
        for run in self.runs:
            if run[name] not in values:
                values.append(run[name])
        try:
            return sorted(values)
        except TypeError:  # None among numbers
            return values


def search(
    train: Train,
    parameters: Mapping[str, Any],
    *,
    n_runs: int | None = None,
    seed: int = 0,
    n_jobs: int | None = None,
    n_threads: int | None = None,
    folder: str | PathLike[str] | None = None,
    context: Any = None,
    verbose: bool = True,
) -> Result:
    """Train once for each combination of parameters, and keep the best model.

    Parameters
    ----------
    train : callable
        ``train(seed=..., n_threads=..., **settings) -> (model, record)``: ``record`` is a dict of
        plain values, with at least ``val_accuracy`` (None where there is none). It runs in other
        processes: a function of a module, or anything else that joblib can send.
    parameters : dict
        Name -> sequence of values; for a random search also `Uniform`, `LogUniform` or any
        function of a `numpy.random.Generator`.
    n_runs : int, optional
        Draw so many random combinations; default: all combinations, a grid.
    seed : int, default 0
        Of the draws, and of every run.
    n_jobs : int, optional
        Processes. Default: as many as there are threads, but no more than runs; 1 runs here.
    n_threads : int, optional
        Threads for all processes together. Default: what this process may use.
    folder : path, optional
        Where every finished run is noted at once, and the best model kept as ``best.safetensors``.
        A search that was broken off goes on from there when it is started again.
    context : object of plain values, optional
        What else decides how a run ends (the dataset, fixed parameters): only runs of the same
        seed, settings and context are taken from the folder.
    verbose : bool, default True
        Whether to say on standard error how each run went.

    Returns
    -------
    Result

    Raises
    ------
    TypeError, ValueError
        If there is nothing to search, or a record has no ``val_accuracy``.
    ImportError
        If several processes are asked for and joblib is not installed.

    """
    seed = seed_int("seed", seed)
    settings = draw_settings(parameters, n_runs, seed) if n_runs else grid_settings(parameters)
    available = positive_int("n_threads", n_threads) if n_threads else threads.available()
    n_jobs = min(available if n_jobs is None else positive_int("n_jobs", n_jobs), len(settings))
    with _folder(folder) as place:
        journal = _Journal(place, [seed, context], settings)
        left = [s for s in settings if journal.find(s) is None]
        if verbose and len(left) < len(settings):
            _say(f"{len(settings) - len(left)} of {len(settings)} runs were made before")
        n_each = max(1, available // max(1, min(n_jobs, len(left))))
        for made, (setting, (model, record)) in enumerate(
            _outcomes(train, left, seed, n_jobs, n_each), start=1
        ):
            if SCORE not in record:
                raise ValueError(f"train must return a record with {SCORE!r}, got {dict(record)}")
            journal.add(setting, record, model)
            if verbose:
                told = ", ".join(f"{name} {_text(value)}" for name, value in setting.items())
                _say(f"run {made} of {len(left)}: {told}: {SCORE} {_text(record[SCORE])}")
        runs = [found for found in map(journal.find, settings) if found is not None]
        return Result(runs, tuple(parameters), journal.best_model())


def grid_settings(parameters: Mapping[str, Any]) -> list[Settings]:
    """Return every combination of the values, the last parameter changing fastest."""
    for name, values in parameters.items():
        if not _is_list(values):
            raise TypeError(
                f"a grid needs a list of values for {name!r}, got {values!r}: give n_runs for a "
                "random search"
            )
    if not parameters or not all(len(values) for values in parameters.values()):
        raise ValueError("a search needs at least one parameter, each with at least one value")
    return [
        dict(zip(parameters, values, strict=True))
        for values in itertools.product(*parameters.values())
    ]


def draw_settings(parameters: Mapping[str, Any], n_runs: int, seed: int) -> list[Settings]:
    """Return random combinations, all different; fewer than n_runs if there are no more."""
    n_runs, rng = positive_int("n_runs", n_runs), np.random.default_rng(seed)
    if all(_is_list(values) for values in parameters.values()):
        every = grid_settings(parameters)
        order = rng.permutation(len(every))[:n_runs]
        return [every[i] for i in order]
    return [
        {
            name: values[int(rng.integers(len(values)))] if _is_list(values) else values(rng)
            for name, values in parameters.items()
        }
        for _ in range(n_runs)
    ]


class _Journal:
    """The finished runs in a folder: a file of JSON for each, and the model of the best."""

    def __init__(self, folder: Path, context: Any, settings: Sequence[Settings]):
        self.folder, self.context = folder, context
        self.model: Any = None
        done = [(s, found) for s in settings if (found := self.find(s)) is not None]
        best = max(done, key=lambda pair: _score(pair[1]), default=None)
        self.best = None if best is None else (self._path(best[0]), _score(best[1]))

    def find(self, settings: Settings) -> dict[str, Any] | None:
        """Return settings and record of a finished run as one dict, None if there is none."""
        path = self._path(settings)
        if not path.exists():
            return None
        return settings | json.loads(path.read_text(encoding="utf-8"))["record"]

    def add(self, settings: Settings, record: Mapping[str, Any], model: Any) -> None:
        """Note a run, after its model if that is the best so far."""
        path, score = self._path(settings), _score(record)
        if self.best is None or score > self.best[1]:
            if hasattr(model, "save"):
                model.save(path.with_suffix(_MODEL))
            if self.best is not None:
                self.best[0].with_suffix(_MODEL).unlink(missing_ok=True)
            self.best, self.model = (path, score), model
        run = {"context": self.context, "settings": settings, "record": dict(record)}
        write_whole(path, json.dumps(run, default=_plain).encode())

    def best_model(self) -> Any:
        """Return the best model; a copy in the folder is called ``best.safetensors``."""
        file = None if self.best is None else self.best[0].with_suffix(_MODEL)
        if file is None or not file.exists():
            return self.model
        write_whole(self.folder / f"best{_MODEL}", file.read_bytes())
        return saving.load(file) if self.model is None else self.model

    def _path(self, settings: Settings) -> Path:
        key = json.dumps([self.context, settings], sort_keys=True, default=_plain)
        return self.folder / f"run-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def _outcomes(
    train: Train, settings: Sequence[Settings], seed: int, n_jobs: int, n_threads: int
) -> Iterator[tuple[Settings, tuple[Any, Mapping[str, Any]]]]:
    """Train with each of the settings; hand out what came of it as soon as it is there."""
    n_jobs = min(n_jobs, len(settings))
    if n_jobs <= 1:
        for setting in settings:
            yield setting, train(seed=seed, n_threads=n_threads, **setting)
        return
    try:
        from joblib import Parallel, delayed, parallel_config
    except ImportError:
        raise ImportError(
            'a search in several processes needs joblib: pip install "fastmlp[sweep]", or n_jobs=1'
        ) from None
    # the workers' own libraries get as many threads as our kernels, no more
    with parallel_config("loky", n_jobs=n_jobs, inner_max_num_threads=n_threads):
        run = delayed(_run)
        outcomes: Any = Parallel(return_as="generator_unordered")(
            run(train, setting, seed, n_threads) for setting in settings
        )
        yield from outcomes


def _run(
    train: Train, setting: Settings, seed: int, n_threads: int
) -> tuple[Settings, tuple[Any, Mapping[str, Any]]]:
    return setting, train(seed=seed, n_threads=n_threads, **setting)


@contextmanager
def _folder(folder: str | PathLike[str] | None) -> Iterator[Path]:
    """Lend the folder, made if need be, or a temporary one."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="fastmlp-sweep-") as temporary:
            yield Path(temporary)
    else:
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        yield place


def _score(run: Mapping[str, Any]) -> float:
    score = run[SCORE]
    return -math.inf if score is None or math.isnan(score) else float(score)


def _is_list(values: Any) -> bool:
    return isinstance(values, Sequence | np.ndarray) and not isinstance(values, str)


def _plain(value: Any) -> Any:
    """Return what JSON can hold for a numpy number, a tuple or anything else."""
    return value.item() if isinstance(value, np.generic) else repr(value)


def _text(value: Any) -> str:
    """Return a value as a table shows it."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return str(value)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
