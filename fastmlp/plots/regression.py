"""Regression predictions: predicted against true values, and residuals."""

# matplotlib leaves the keywords of its methods without types
# pyright: reportUnknownMemberType=false

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.plots.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["draw_predictions", "regression_predictions"]


def regression_predictions(
    targets: ArrayLike, predicted: ArrayLike, *, title: str | None = None
) -> "Figure":
    """Draw predicted against true values, and the residuals against the predicted values.

    Parameters
    ----------
    targets : array, shape (N,) or (N, 1)
        True values.
    predicted : array, shape (N,) or (N, 1)
        The model's predictions for the same rows.
    title : str, optional
        Title of the figure, such as the name of the data.

    Raises
    ------
    ValueError
        If the two differ in their number of rows, or have several columns.

    """
    figure = new_figure((9.2, 4.2), title)
    draw_predictions(figure, targets, predicted)
    return figure


def draw_predictions(part: "Figure | SubFigure", targets: ArrayLike, predicted: ArrayLike) -> None:
    """Draw both plots side by side in an existing figure."""
    true, guess = _column("targets", targets), _column("predicted", predicted)
    if len(true) != len(guess):
        raise ValueError(
            f"targets and predicted must have the same number of rows, got {len(true)} and "
            f"{len(guess)}"
        )
    shown = np.isfinite(true) & np.isfinite(guess)
    left, right = part.subplots(1, 2)
    _draw_against_truth(left, true[shown], guess[shown])
    _draw_residuals(right, true[shown], guess[shown])


def _draw_against_truth(axes: "Axes", true: np.ndarray, guess: np.ndarray) -> None:
    _draw_points(axes, true, guess)
    if len(true):
        ends = min(true.min(), guess.min()), max(true.max(), guess.max())
        axes.plot(ends, ends, color="0.4", linestyle="--", linewidth=1, label="perfect")
        axes.legend(loc="upper left", frameon=False)
    variance = float(np.var(true)) if len(true) else 0.0
    if variance > 0:
        axes.set_title(f"R2 {1 - float(np.mean((true - guess) ** 2)) / variance:.3g}")
    axes.set_xlabel("true value")
    axes.set_ylabel("predicted value")


def _draw_residuals(axes: "Axes", true: np.ndarray, guess: np.ndarray) -> None:
    _draw_points(axes, guess, true - guess)
    axes.axhline(0, color="0.4", linestyle="--", linewidth=1)
    if len(true):
        axes.set_title(f"mean absolute error {np.mean(np.abs(true - guess)):.4g}")
    axes.set_xlabel("predicted value")
    axes.set_ylabel("residual (true - predicted)")


def _draw_points(axes: "Axes", x: np.ndarray, y: np.ndarray) -> None:
    # More points are drawn fainter so that dense regions stand out, and rasterised even in a PDF.
    alpha = float(np.clip(60 / np.sqrt(max(len(x), 1)), 0.05, 0.7))
    axes.scatter(x, y, s=12, alpha=alpha, linewidths=0, rasterized=True)
    axes.grid(alpha=0.3)


def _column(name: str, values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} must hold one number per row, got shape {array.shape}")
    return array
