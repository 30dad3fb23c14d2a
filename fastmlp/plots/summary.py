"""A summary of a training in one figure."""

# matplotlib leaves the keywords of its methods without types
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.plots.confusion import draw_confusion
from fastmlp.plots.curves import curve_names, draw_curves, draw_ensemble, named_runs
from fastmlp.plots.figure import new_figure
from fastmlp.plots.regression import draw_predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["training_summary"]


def training_summary(
    history: Any,
    confusion: ArrayLike | None = None,
    class_names: Sequence[Any] | None = None,
    *,
    targets: ArrayLike | None = None,
    predicted: ArrayLike | None = None,
    title: str | None = None,
) -> "Figure":
    """Draw the learning curves of a training next to its predictions for the test rows.

    Parameters
    ----------
    history : History or sequence of History
        The return value of `Sequential.fit`; several are those of an ensemble's networks, which
        become thin lines, with their mean.
    confusion : array of int, shape (C, C), optional
        For a classifier: number of test rows by true class (row) and predicted class (column).
    class_names : sequence of length C, optional
        Default 0 to C - 1.
    targets, predicted : array, shape (N,) or (N, 1), optional
        For a regression: true and predicted values of the test rows, drawn against each other and
        as residuals.
    title : str, optional
        Title of the figure, such as the name of the data.

    Raises
    ------
    ValueError
        If only one of ``targets`` and ``predicted`` is given, or if a confusion matrix is given
        with them.

    """
    if (targets is None) != (predicted is None):
        raise ValueError("give both targets and predicted, or neither")
    if confusion is not None and targets is not None:
        raise ValueError("give a confusion matrix, or targets and predicted, not both")
    named = named_runs(history)
    columns = curve_names(named)
    runs = list(named.values())
    widths = [4.6 * len(columns)] + [4.8] * (confusion is not None) + [9.2] * (targets is not None)
    figure = new_figure((sum(widths), 4.4 if title else 4.2), title)
    # Separate subfigures, so that long class names do not shrink the curves.
    parts = figure.subfigures(1, len(widths), squeeze=False, width_ratios=widths)[0]
    if len(runs) > 1:
        draw_ensemble(parts[0], runs, columns)
    else:
        draw_curves(parts[0], {"": runs[0]}, columns)
    if confusion is not None:
        draw_confusion(parts[1].subplots(), np.asarray(confusion), class_names)
    if targets is not None and predicted is not None:
        draw_predictions(parts[1], targets, predicted)
    return figure
