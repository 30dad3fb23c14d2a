"""The confusion matrix of a classifier."""

# matplotlib leaves the keywords of its methods without types
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.plots.figure import literal, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["confusion_matrix", "draw_confusion"]


def confusion_matrix(
    confusion: ArrayLike, class_names: Sequence[Any] | None = None, *, title: str | None = None
) -> "Figure":
    """Draw how often each true class was predicted as each class.

    Parameters
    ----------
    confusion : array of int, shape (C, C)
        Counts by true class (row) and predicted class (column); the colour shows the share of the
        row.
    class_names : sequence of length C, optional
        Default 0 to C - 1.
    title : str, optional
        Title of the figure, such as the name of the data.

    Raises
    ------
    ValueError
        If ``confusion`` is not square.

    """
    counts = np.asarray(confusion)
    side = 2.4 + 0.42 * len(counts)
    figure = new_figure((side, side), title)
    draw_confusion(figure.subplots(), counts, class_names)
    return figure


def draw_confusion(axes: "Axes", counts: np.ndarray, class_names: Sequence[Any] | None) -> None:
    """Draw the counts in existing axes."""
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(
            f"a confusion matrix is square, got shape {counts.shape}: count true classes in rows "
            "and predicted ones in columns"
        )
    n_classes = len(counts)
    names = range(n_classes) if class_names is None else class_names
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    labels = [literal(name) for name in names]
    axes.set_xticks(range(n_classes), labels, rotation=90 if max(map(len, labels)) > 2 else 0)
    axes.set_yticks(range(n_classes), labels)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(f"accuracy {np.trace(counts) / max(counts.sum(), 1):.2%}")
    if n_classes <= 20:
        for row, column in np.argwhere(counts):
            color = "white" if share[row, column] > 0.5 else "black"
            text = f"{counts[row, column]}"
            axes.text(column, row, text, ha="center", va="center", color=color, fontsize=7)
