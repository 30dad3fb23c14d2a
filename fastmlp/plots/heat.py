"""Results over two parameters as a heat map."""

# matplotlib leaves the keywords of its methods without types
# pyright: reportUnknownMemberType=false

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.plots.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["heat_map"]


def heat_map(
    values: ArrayLike,
    row_values: Sequence[Any],
    column_values: Sequence[Any],
    *,
    row_name: str,
    column_name: str,
    value_name: str = "validation accuracy",
    least_is_best: bool = False,
    title: str | None = None,
) -> "Figure":
    """Draw a table of results over two training parameters, with a frame around the best cell.

    Parameters
    ----------
    values : array of float, shape (R, S)
        One number per cell; NaN for a cell without a result.
    row_values, column_values : sequences of length R and S
        The parameter values of the rows and columns.
    row_name, column_name, value_name : str
        Axis and colour labels.
    least_is_best : bool, default False
        Whether lower values are better, as for a loss.
    title : str, optional
        Title of the figure, such as the name of the data.

    """
    table = np.asarray(values, dtype=float)
    n_rows, n_columns = table.shape
    figure = new_figure((3.0 + 0.85 * n_columns, 1.8 + 0.6 * n_rows), title)
    axes = figure.subplots()
    image = axes.imshow(table, aspect="auto", cmap="viridis")
    axes.set_xticks(range(n_columns), [f"{value}" for value in column_values])
    axes.set_yticks(range(n_rows), [f"{value}" for value in row_values])
    axes.set_xlabel(column_name)
    axes.set_ylabel(row_name)
    figure.colorbar(image, ax=axes, label=value_name)
    if np.isfinite(table).any():
        _write_cells(axes, table, np.nanargmin if least_is_best else np.nanargmax)
    return figure


def _write_cells(axes: "Axes", table: np.ndarray, best: Callable[[np.ndarray], Any]) -> None:
    light = 0.4 * np.nanmin(table) + 0.6 * np.nanmax(table)
    for (row, column), value in np.ndenumerate(table):
        if np.isfinite(value):
            color = "white" if value < light else "black"
            axes.text(
                column,
                row,
                f"{value:.3f}" if abs(value) < 100 else f"{value:.3g}",
                ha="center",
                va="center",
                color=color,
            )
    row, column = divmod(int(best(table)), table.shape[1])
    left, right, low, high = column - 0.5, column + 0.5, row - 0.5, row + 0.5
    frame = [left, right, right, left, left], [low, low, high, high, low]
    axes.plot(*frame, "r", linewidth=3, clip_on=False)
