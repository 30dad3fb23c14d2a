"""The results of a search: its runs, best first, as a table, a CSV file and a heat map."""

import csv
import io
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fastmlp.common.errors import unknown
from fastmlp.common.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FAILED", "SCORES", "Result", "Score", "as_text", "score", "scored_by"]

FAILED = "failed"


@dataclass(frozen=True)
class Score:
    """A value of a run's record that runs are compared by.

    Attributes
    ----------
    name : str
        Its name in the record.
    label : str
        What a heat map calls it.
    least_is_best : bool

    """

    name: str
    label: str
    least_is_best: bool = False


SCORES = (
    Score("val_accuracy", "validation accuracy"),
    Score("val_loss", "validation loss", least_is_best=True),
)
"""What decides unless the caller says otherwise: the first one that a record has."""


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
        scores: Sequence[Score] = SCORES,
    ):
        self.scores: tuple[Score, ...] = tuple(scores)
        self.runs: list[dict[str, Any]] = [dict(run) for run in runs]
        self.runs.sort(key=order or partial(score, scores=self.scores), reverse=True)
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
        """Draw the best score for each pair of values of two parameters.

        By default this is the validation accuracy or, if no run has one, as in a regression, the
        validation loss.

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
        shown = next((one for one in self.scores if self._knows(one)), self.scores[-1])
        for run in reversed(self.runs):
            place = rows.index(run[names[0]]), columns.index(run[names[1]])
            value = run.get(shown.name)
            if value is not None:
                cells[place] = value
        texts = [[as_text(value) for value in values] for values in (rows, columns)]
        return plots.heat_map(
            cells,
            *texts,
            row_name=names[0],
            column_name=names[1],
            value_name=shown.label,
            least_is_best=shown.least_is_best,
            title=title,
        )

    def _knows(self, one: Score) -> bool:
        return any(_finite(run.get(one.name)) is not None for run in self.runs)

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


def score(run: Mapping[str, Any], scores: Sequence[Score] = SCORES) -> tuple[int, float]:
    """Return a sort key, higher for better runs, by the first score that a run has."""
    if FAILED in run:
        return 0, 0.0
    for place, one in enumerate(scores):
        value = _finite(run.get(one.name))
        if value is not None:
            return 1 + len(scores) - place, -value if one.least_is_best else value
    return 1, 0.0


def scored_by(record: Mapping[str, Any], scores: Sequence[Score] = SCORES) -> str:
    """Return the name and the value of the first score that a record has, as text."""
    one = next((one for one in scores if record.get(one.name) is not None), scores[0])
    return f"{one.name} {as_text(record.get(one.name))}"


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
