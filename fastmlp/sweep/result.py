"""The results of a search: its runs, best first, as a table, a CSV file and a heat map."""

import csv
import io
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fastmlp.common.errors import unknown
from fastmlp.common.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FAILED", "SCORES", "Result", "as_text", "score"]

SCORES = ("val_accuracy", "val_loss")
FAILED = "failed"


class Result:
    """The results of a search.

    Attributes
    ----------
    runs : list of dict
        Settings and results of every run, best first; ties keep the order of the settings. Failed
        runs come last, with the reason as ``failed``.
    parameters : tuple of str
        Names of the parameters that were searched.
    best : dict
        The first of ``runs``.
    best_model : object
        The best run's model; None if every run failed.

    """

    def __init__(
        self,
        runs: Sequence[Mapping[str, Any]],
        parameters: Sequence[str],
        model: Any,
        order: Callable[[Mapping[str, Any]], Any] | None = None,
    ):
        self.runs: list[dict[str, Any]] = [dict(run) for run in runs]
        self.runs.sort(key=order or score, reverse=True)
        self.parameters: tuple[str, ...] = tuple(parameters)
        self.best_model: Any = model

    @property
    def best(self) -> dict[str, Any]:
        """The best run."""
        return self.runs[0]

    @property
    def all_failed(self) -> bool:
        """Whether every run failed."""
        return all(FAILED in run for run in self.runs)

    def table(self) -> str:
        """Return all runs as a text table."""
        names = self._columns()
        rows = [names, *([as_text(run.get(name)) for name in names] for run in self.runs)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(names))]
        lines = ("  ".join(map(str.rjust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write the table atomically to a CSV file."""
        stream = io.StringIO(newline="")
        writer = csv.DictWriter(stream, self._columns(), restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(self.runs)
        write_whole(path, stream.getvalue().encode())

    def heat_map(
        self,
        row_name: str | None = None,
        column_name: str | None = None,
        *,
        title: str | None = None,
    ) -> "Figure":
        """Draw the best validation accuracy for each pair of values of two parameters.

        If no run has an accuracy, as in a regression, it draws the validation loss.

        Parameters
        ----------
        row_name, column_name : str, optional
            Default: the first two parameters with more than one value, or else the first two.
        title : str, optional
            Title of the figure, such as the name of the data.

        Raises
        ------
        ValueError
            If there are fewer than two parameters, or one of the names is unknown.

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
        shown = (
            SCORES[0]
            if any(_finite(run.get(SCORES[0])) is not None for run in self.runs)
            else SCORES[1]
        )
        for run in reversed(self.runs):
            place = rows.index(run[names[0]]), columns.index(run[names[1]])
            value = run.get(shown)
            if value is not None:
                cells[place] = value
        texts = [[as_text(value) for value in values] for values in (rows, columns)]
        labels = {"row_name": names[0], "column_name": names[1]}
        if shown == SCORES[1]:
            labels["value_name"] = "validation loss"
        return plots.heat_map(
            cells, *texts, **labels, least_is_best=shown == SCORES[1], title=title
        )

    def _columns(self) -> list[str]:
        """Return the columns: parameters, results, and ``failed`` if a run failed."""
        good = [run for run in self.runs if FAILED not in run]
        told = dict.fromkeys(name for run in good for name in run if run[name] is not None)
        failed = [FAILED] if len(good) < len(self.runs) else []
        return [*self.parameters, *(n for n in told if n not in self.parameters), *failed]

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


def score(run: Mapping[str, Any]) -> tuple[int, float]:
    """Return a sort key, higher for better runs: the accuracy, or without one the loss."""
    if FAILED in run:
        return 0, 0.0
    accuracy, loss = (_finite(run.get(name)) for name in SCORES)
    if accuracy is not None:
        return 3, accuracy
    return (1, 0.0) if loss is None else (2, -loss)


def as_text(value: Any) -> str:
    """Format a value for a table."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple | list):
        return ",".join(map(str, cast("Sequence[Any]", value))) or "none"
    return str(value)


def _finite(value: Any) -> float | None:
    """Return a finite number as a float, None for anything else."""
    return float(value) if isinstance(value, numbers.Real) and math.isfinite(value) else None
