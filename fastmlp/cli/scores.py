"""A small table of scores, beside those of a baseline."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.tabular.metrics import CLASSIFICATION, REGRESSION, scores

__all__ = ["baseline_scores", "score_lines", "score_text"]


def baseline_scores(y: np.ndarray, start: ArrayLike, *, classes: bool) -> dict[str, float]:
    """Return the scores of the same prediction for every row.

    Parameters
    ----------
    y : ndarray of shape (N,)
        Labels or numbers.
    start : array of shape (C,) or (1,)
        Class shares, or a number.
    classes : bool
        Whether y holds labels.

    """
    constant = np.broadcast_to(np.asarray(start, np.float64), (len(y), np.size(start)))
    return scores(y, constant if classes else constant[:, 0])


def score_lines(
    found: Mapping[str, float], usual: Mapping[str, float] | None, heads: Sequence[str]
) -> list[str]:
    """Return the lines of a table.

    Parameters
    ----------
    found, usual : mapping of str to float
        Name -> score, of the model and of the baseline, if there is one.
    heads : sequence of str
        What to write over the columns.

    """
    known = CLASSIFICATION if "accuracy" in found else REGRESSION
    rows = [list(heads[: 2 if usual is None else 3])]
    for name, metric in known.items():
        row = [metric.label, score_text(name, found[name])]
        rows.append(row if usual is None else [*row, score_text(name, usual[name])])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(_aligned(row, widths)) for row in rows]


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return a name to the left and numbers to the right."""
    numbers = zip(row[1:], widths[1:], strict=True)
    return [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in numbers)]


def score_text(name: str, score: float) -> str:
    """Format a score by its name."""
    if np.isnan(score):
        return "undefined"
    if name in ("accuracy", "balanced_accuracy"):
        return f"{score:.2%}"
    if name in ("r2", "roc_auc") and abs(score) < 1000:
        return f"{round(score, 3) + 0.0:.3f}"  # not -0.000
    return f"{score:.4g}"
