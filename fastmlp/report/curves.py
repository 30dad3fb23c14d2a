"""Learning curves of one network or several."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.report.axes import Axes, finite_range, svg
from fastmlp.report.markup import Markup, tag

__all__ = ["curve_columns", "curves"]

_MOST_POINTS = 300  # of one line
_WIDE = 50.0  # between the highest and the lowest value: beyond, a linear axis shows only the start


def curve_columns(histories: Sequence[Any]) -> list[str]:
    """Return the columns that can be drawn: the loss, and the accuracy if there is one."""
    return [
        what
        for what in ("loss", "accuracy")
        if any(
            np.isfinite(_column(history, name)).any()
            for history in histories
            for name in (what, f"val_{what}")
        )
    ]


def curves(histories: Sequence[Any], what: str) -> Markup:
    """Draw a column of histories against the epoch: training dashed, validation solid.

    Parameters
    ----------
    histories : sequence of History
    what : {"loss", "accuracy"}

    """
    lines = [
        (_column(history, name), kind, history.best_epoch)
        for history in histories
        for name, kind in ((what, "training"), (f"val_{what}", "validation"))
    ]
    lines = [line for line in lines if np.isfinite(line[0]).any()]
    longest = max(len(values) for values, _, _ in lines)
    y_range, log = _range([values for values, _, _ in lines], may_be_log=what == "loss")
    label = f"{what} (log scale)" if log else what
    epochs = (1.0, float(max(2, longest)))
    axes = Axes.of(epochs, y_range, "epoch", label, whole_x=True, log_y=log)
    # Many lines are drawn fainter, so that their common course stands out.
    opacity = None if len(histories) == 1 else f"{max(0.25, 1 / math.sqrt(len(histories))):.2f}"
    drawn = []
    for values, kind, best in lines:
        drawn.append(_path(axes, values, kind, opacity))
        if kind == "validation" and best is not None and np.isfinite(values[best]):
            value = float(values[best])
            x, y = axes.x(best + 1), axes.y(value)
            told = tag("title", f"best epoch {best + 1}: {what} {value:.4g}")
            drawn.append(tag("circle", told, cx=x, cy=y, r="3.5", class_="best"))
    kinds = dict.fromkeys(kind for _, kind, _ in lines)
    return svg(f"{what} by epoch", axes.frame, *drawn, _legend(axes, list(kinds)))


def _range(lines: Sequence[np.ndarray], may_be_log: bool) -> tuple[tuple[float, float], bool]:
    """Return the range of the y axis, and whether it is logarithmic."""
    low, high = finite_range(*lines, margin=0.0)
    if may_be_log and low > 0 and high / low > _WIDE:
        return (low / 1.1, high * 1.1), True
    return finite_range(*lines), False


def _column(history: Any, name: str) -> np.ndarray:
    """Return a column, NaN where an epoch has no number."""
    found = [record.get(name) for record in history.epochs]
    return np.array([np.nan if value is None else value for value in found], np.float64)


def _path(axes: Axes, values: np.ndarray, kind: str, opacity: str | None) -> Markup:
    epochs = np.arange(len(values))
    if len(values) > _MOST_POINTS:
        epochs = np.unique(np.linspace(0, len(values) - 1, _MOST_POINTS).astype(np.int64))
    steps, pen = [], "M"
    for epoch in epochs.tolist():
        if math.isfinite(values[epoch]):
            steps.append(f"{pen}{axes.x(epoch + 1):.1f} {axes.y(values[epoch]):.1f}")
            pen = "L"
        else:
            pen = "M"
    if len(steps) == 1:
        steps.append("h0.1")  # with its round ends, a dot
    return tag("path", d="".join(steps), class_=f"curve {kind}", stroke_opacity=opacity)


def _legend(axes: Axes, kinds: Sequence[str]) -> Markup:
    parts = []
    x = axes.x.end - 86.0 * len(kinds)
    for number, kind in enumerate(kinds):
        left = x + 86.0 * number
        parts.append(tag("path", d=f"M{left:.1f} 8h20", class_=f"curve {kind}"))
        parts.append(tag("text", kind, x=left + 25, y=12.0, class_="tick"))
    return tag("g", *parts)
