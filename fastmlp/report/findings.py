"""What a report tells of a training run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Findings", "Importances"]


@dataclass(frozen=True)
class Importances:
    """How much worse a score becomes if a column's values are shuffled.

    Attributes
    ----------
    values : sequence of (str, float)
        Column -> loss of the score, in any order.
    metric : str
        What people call the score.
    n_rows : int
        On how many test rows it was measured.

    """

    values: Sequence[tuple[str, float]]
    metric: str
    n_rows: int


@dataclass(frozen=True, eq=False)
class Findings:
    """A training run, as `page` shows it. All texts may hold anything: they are escaped.

    Attributes
    ----------
    name : str
        Of the data.
    target : str
        What is predicted, or "".
    verdict : str
        The result in one sentence.
    scores : mapping of str to mapping of str to str
        Name of the score -> column, such as "model" or "baseline" -> score as a text.
    histories : sequence of History
    y, predicted : ndarray
        Of the test rows: labels and probabilities (N, C), or numbers and numbers.
    classes : sequence of str, or None
        None for numbers.
    data, settings : sequence of (str, str)
        Facts about the data, and about the training.
    columns : sequence of (str, str, str)
        For each column of a table: name, kind, and how it was read.
    doubts : sequence of str
        What may have been misread.
    importances : Importances, or None
    unit : str
        What the learning curves' loss is, in words, such as "cross-entropy".

    """

    name: str
    target: str
    verdict: str
    scores: Mapping[str, Mapping[str, str]]
    histories: Sequence[Any]
    y: np.ndarray
    predicted: np.ndarray
    classes: Sequence[str] | None
    data: Sequence[tuple[str, str]]
    settings: Sequence[tuple[str, str]]
    columns: Sequence[tuple[str, str, str]] = field(default=())
    doubts: Sequence[str] = field(default=())
    importances: Importances | None = None
    unit: str = ""
