"""Predicted numbers: against the true ones, and what is left over."""

import numpy as np

from fastmlp.report.axes import Axes, finite_range, svg
from fastmlp.report.markup import Markup, tag

__all__ = ["MOST_POINTS", "against_truth", "residuals"]

MOST_POINTS = 2000
"""More rows than this are represented by a random choice of them, to keep the page small."""


def against_truth(y: np.ndarray, predicted: np.ndarray) -> Markup:
    """Draw predicted against true values, with the line on which both are equal."""
    both = finite_range(y, predicted)
    axes = Axes.of(both, both, "true value", "predicted value")
    diagonal = axes.line([(both[0], both[0]), (both[1], both[1])], "guide")
    return svg("predicted against true values", axes.frame, diagonal, _points(axes, y, predicted))


def residuals(y: np.ndarray, predicted: np.ndarray) -> Markup:
    """Draw true less predicted values against the predicted ones."""
    left = y - predicted
    x_range, y_range = finite_range(predicted), finite_range(left, np.zeros(1))
    axes = Axes.of(x_range, y_range, "predicted value", "true - predicted")
    zero = axes.line([(x_range[0], 0.0), (x_range[1], 0.0)], "guide")
    return svg("residuals", axes.frame, zero, _points(axes, predicted, left))


def _points(axes: Axes, x: np.ndarray, y: np.ndarray) -> Markup:
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if len(known) > MOST_POINTS:
        known = np.random.default_rng(0).choice(known, MOST_POINTS, replace=False)
    # More points are drawn fainter, so that dense regions stand out.
    opacity = f"{np.clip(14 / np.sqrt(max(len(known), 1)), 0.3, 0.7):.2f}"
    dots = [
        tag("circle", cx=axes.x(a), cy=axes.y(b), r="2.5")
        for a, b in zip(x[known].tolist(), y[known].tolist(), strict=True)
    ]
    return tag("g", *dots, class_="dots", fill_opacity=opacity)
