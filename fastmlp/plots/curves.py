"""Learning curves: loss and accuracy against the epoch."""

# matplotlib leaves the keywords of its methods without types
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fastmlp.plots.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

__all__ = ["curve_names", "draw_curves", "draw_ensemble", "learning_curves", "named_runs"]

_KINDS = (("", "training", "--"), ("val_", "validation", "-"))


def learning_curves(runs: Any, *, title: str | None = None) -> "Figure":
    """Draw loss and accuracy against the epoch, for one or several runs in one figure.

    Parameters
    ----------
    runs : History or mapping of str to History or sequence of History
        Return values of `Sequential.fit`; the keys of a mapping name the runs. Training curves are
        dashed, validation curves solid.
    title : str, optional
        Title of the figure, such as the name of the data.

    """
    named = named_runs(runs)
    columns = curve_names(named)
    figure = new_figure((5.2 * len(columns), 3.9), title)
    draw_curves(figure, named, columns)
    return figure


def named_runs(runs: Any) -> dict[str, Any]:
    """Return the runs by name; a single run has an empty name."""
    named: dict[str, Any]
    if isinstance(runs, Mapping):
        named = dict(cast(Mapping[str, Any], runs))
    elif isinstance(runs, list | tuple):
        in_order = cast(Sequence[Any], runs)
        named = {f"run {number}": run for number, run in enumerate(in_order, start=1)}
    else:
        named = {"": runs}
    if not named:
        raise ValueError("learning curves need at least one History, got none")
    return named


def curve_names(named: Mapping[str, Any]) -> list[str]:
    """Return the columns to draw: the loss, and the accuracy if any run has one."""
    return ["loss"] + ["accuracy"] * any(_finite(run["accuracy"]) for run in named.values())


def draw_curves(
    part: "Figure | SubFigure", named: Mapping[str, Any], columns: Sequence[str]
) -> None:
    """Draw each column of the runs' histories in its own axes, side by side."""
    for axes, what in zip(_side_by_side(part, len(columns)), columns, strict=True):
        for number, (name, run) in enumerate(named.items()):
            for kind, label, style in _KINDS:
                values, label = _numbers(run[kind + what]), f"{name} {label}".strip()
                _draw_line(axes, values, style, color=f"C{number}", label=label)
        _finish(axes, what)


def draw_ensemble(part: "Figure | SubFigure", runs: Sequence[Any], columns: Sequence[str]) -> None:
    """Draw each column of several networks' histories: thin lines, and a bold one, their mean.

    The mean ends with the shortest history.
    """
    for axes, what in zip(_side_by_side(part, len(columns)), columns, strict=True):
        for kind, label, style in _KINDS:
            lines = [_numbers(run[kind + what]) for run in runs]
            for values in lines:
                _draw_line(axes, values, style, color="C0", linewidth=0.8, alpha=0.4)
            n_epochs = min(map(len, lines))
            mean = np.mean([values[:n_epochs] for values in lines], axis=0)
            label = f"{label}, mean of {len(runs)}"
            _draw_line(axes, mean, style, color="C0", linewidth=1.6, label=label)
        _finish(axes, what)


def _side_by_side(part: "Figure | SubFigure", n: int) -> "Sequence[Axes]":
    return part.subplots(1, n, squeeze=False)[0]


def _draw_line(axes: "Axes", values: np.ndarray, style: str, **options: Any) -> None:
    """Draw a value for each epoch, unless none is finite."""
    if np.isfinite(values).any():
        # With one epoch a line would be invisible, so draw a marker.
        marker = "o" if len(values) == 1 else None
        axes.plot(np.arange(1, len(values) + 1), values, style, marker=marker, **options)


def _finish(axes: "Axes", what: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.set_ylabel(what)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(frameon=False)


def _numbers(column: Any) -> np.ndarray:
    return np.array(list(column), dtype=float)  # None becomes NaN


def _finite(column: Any) -> bool:
    return bool(np.isfinite(_numbers(column)).any())
