"""Pictures of training: each function returns a `matplotlib.figure.Figure`; `save` writes it.

matplotlib is imported on first use (extra ``plot``), and never pyplot: no display is needed.
"""

import io
import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.errors import unknown
from fastmlp.files import write_whole
from fastmlp.layers import ACTIVATIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "activation_functions",
    "confusion_matrix",
    "first_layer_weights",
    "heat_map",
    "is_available",
    "learning_curves",
    "save",
    "training_summary",
]

_IMAGE_SHAPES = {64: (8, 8), 784: (28, 28), 3072: (3, 32, 32)}


def learning_curves(runs: Any) -> "Figure":
    """Draw loss and accuracy against the epoch, for one run or several in one figure.

    Parameters
    ----------
    runs : History or mapping of str to History or sequence of History
        What `Sequential.fit` returned; the keys of a mapping name the runs. Training is drawn
        dashed, validation solid.

    """
    named = _named_runs(runs)
    columns = ["loss"] + ["accuracy"] * any(_finite(run["accuracy"]) for run in named.values())
    figure = _new_figure(figsize=(5.2 * len(columns), 3.9))
    curves = figure.subplots(1, len(columns), squeeze=False)[0]
    for axes, column in zip(curves, columns, strict=True):
        _draw_curves(axes, named, column)
    return figure


def training_summary(
    history: Any, confusion: ArrayLike | None = None, class_names: Sequence[Any] | None = None
) -> "Figure":
    """Draw loss, accuracy and the confusion matrix of one run side by side.

    Parameters
    ----------
    history : History
        What `Sequential.fit` returned.
    confusion : array of int, shape (C, C), optional
        Rows of test data by true class (row) and predicted class (column); left out for a
        regression.
    class_names : sequence of length C, optional
        Default 0 to C - 1.

    """
    named = _named_runs(history)
    columns = ["loss"] + ["accuracy"] * _finite(history["accuracy"])
    widths = [4.6 * len(columns)] + [4.8] * (confusion is not None)
    figure = _new_figure(figsize=(sum(widths), 4.2))
    # Parts of their own, so that long class names do not make the curves smaller.
    parts = figure.subfigures(1, len(widths), squeeze=False, width_ratios=widths)[0]
    curves = parts[0].subplots(1, len(columns), squeeze=False)[0]
    for axes, column in zip(curves, columns, strict=True):
        _draw_curves(axes, named, column)
    if confusion is not None:
        _draw_confusion(parts[1].subplots(), np.asarray(confusion), class_names)
    return figure


def confusion_matrix(confusion: ArrayLike, class_names: Sequence[Any] | None = None) -> "Figure":
    """Draw how often each true class was taken for each class.

    Parameters
    ----------
    confusion : array of int, shape (C, C)
        Counts by true class (row) and predicted class (column); the colour is the share of the
        row.
    class_names : sequence of length C, optional
        Default 0 to C - 1.

    Raises
    ------
    ValueError
        If ``confusion`` is not square.

    """
    counts = np.asarray(confusion)
    side = 2.4 + 0.42 * len(counts)
    figure = _new_figure(figsize=(side, side))
    _draw_confusion(figure.subplots(), counts, class_names)
    return figure


def first_layer_weights(
    source: Any, image_shape: tuple[int, ...] | None = None, max_images: int = 100
) -> "Figure":
    """Draw what each unit of the first layer looks for, as a grid of pictures.

    Parameters
    ----------
    source : Sequential or array, shape (D, H)
        A model, whose first weight matrix is drawn, or that matrix.
    image_shape : tuple of int, optional
        ``(height, width)``, ``(3, height, width)`` or ``(height, width, 3)``; by default known for
        D = 64, 784 and 3072 (digits, MNIST, CIFAR-10).
    max_images : int
        Draw the first that many units at most; default 100.

    Returns
    -------
    matplotlib.figure.Figure
        One-channel pictures are red where a bright pixel excites the unit and blue where it
        inhibits it; pictures in colour are stretched to their own range.

    Raises
    ------
    ValueError
        If D is not the number of pixels of ``image_shape``, or no shape is known for it.

    """
    weight = _first_weight(source)
    shape = _image_shape(weight.shape[0], image_shape)
    images = weight.T[:max_images].reshape(-1, *shape)
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    figure = _new_figure(figsize=(0.75 * columns, 0.75 * rows))
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, image in zip(figure.axes, images, strict=False):
        _draw_weight_image(axes, image)
    return figure


def activation_functions(names: Sequence[str] = tuple(ACTIVATIONS)) -> "Figure":
    """Draw activation functions with their derivatives, computed by the layers themselves.

    Parameters
    ----------
    names : sequence of str
        Keys of `fastmlp.layers.ACTIVATIONS`, such as ``"relu"``; default all of them.

    """
    x = np.linspace(-4, 4, 801)[:, None]
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = _new_figure(figsize=(3.4 * columns, 2.7 * rows))
    grid = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, name in zip(grid, names, strict=False):
        if name not in ACTIVATIONS:
            raise unknown("activation", name, ACTIVATIONS)
        layer = ACTIVATIONS[name]()
        y = layer.forward(x, train=True)
        slope = layer.backward(np.ones_like(x))
        axes.axhline(0, color="0.8", linewidth=0.8)
        axes.axvline(0, color="0.8", linewidth=0.8)
        axes.plot(x, y, label="f(x)")
        axes.plot(x, slope, linestyle="--", label="f'(x)")
        axes.set_title(type(layer).__name__)
        axes.set_ylim(-2, 4)
        axes.legend(loc="upper left", frameon=False)
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    return figure


def heat_map(
    values: ArrayLike,
    row_values: Sequence[Any],
    column_values: Sequence[Any],
    *,
    row_name: str,
    column_name: str,
    value_name: str = "validation accuracy",
    least_is_best: bool = False,
) -> "Figure":
    """Draw a table of results over two training parameters, the best cell framed.

    Parameters
    ----------
    values : array of float, shape (R, S)
        One number a cell; NaN where there is no result.
    row_values, column_values : sequences of length R and S
        What was tried.
    row_name, column_name, value_name : str
        Axis and colour labels.
    least_is_best : bool, default False
        Whether small values are good: a loss instead of an accuracy.

    """
    table = np.asarray(values, dtype=float)
    n_rows, n_columns = table.shape
    figure = _new_figure(figsize=(3.0 + 0.85 * n_columns, 1.8 + 0.6 * n_rows))
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


def save(figure: "Figure", path: str | Path) -> None:
    """Write a figure in the format that the file's ending names, whole or not at all.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What a function of this module returned.
    path : str or Path
        ``.png``, ``.svg``, ``.pdf`` …

    Raises
    ------
    ValueError
        If the ending names no picture format.
    OSError
        If the file cannot be written; an older file of that name is then left as it was.

    """
    kind = require_format(path)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=150)
    write_whole(path, buffer.getvalue())


def require_format(path: str | Path) -> str:
    """Return the picture format that a file name ends in, or raise what `save` would raise."""
    _require_matplotlib()
    from matplotlib.backend_bases import FigureCanvasBase

    kind = Path(path).suffix.lstrip(".").lower()
    known = FigureCanvasBase.get_supported_filetypes()
    if kind not in known:
        raise ValueError(
            f"the name of a picture ends in its format, one of {', '.join(sorted(known))}, "
            f"got {str(path)!r}"
        )
    return kind


def is_available() -> bool:
    """Tell whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def _require_matplotlib() -> None:
    if not is_available():
        raise ImportError(
            'pictures need matplotlib, which is not installed: pip install "fastmlp[plot]"'
        )


def _new_figure(figsize: tuple[float, float]) -> "Figure":
    _require_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=figsize, layout="constrained")


def _write_cells(axes: "Axes", table: np.ndarray, best: Any) -> None:
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
    row, column = np.unravel_index(best(table), table.shape)
    left, right, low, high = column - 0.5, column + 0.5, row - 0.5, row + 0.5
    frame = [left, right, right, left, left], [low, low, high, high, low]
    axes.plot(*frame, "r", linewidth=3, clip_on=False)


def _named_runs(runs: Any) -> dict[str, Any]:
    if isinstance(runs, Mapping):
        named = dict(runs)
    elif isinstance(runs, list | tuple):
        named = {f"run {number}": run for number, run in enumerate(runs, start=1)}
    else:
        named = {"": runs}
    if not named:
        raise ValueError("learning curves need at least one History, got none")
    return named


def _draw_curves(axes: "Axes", named: Mapping[str, Any], what: str) -> None:
    from matplotlib.ticker import MaxNLocator

    for number, (name, run) in enumerate(named.items()):
        color = f"C{number}"
        for column, label, style in (
            (what, "training", "--"),
            (f"val_{what}", "validation", "-"),
        ):
            if _finite(run[column]):
                values = _numbers(run[column])
                epochs = np.arange(1, len(values) + 1)
                # A run of one epoch is a point, which a line alone would not show.
                marker = "o" if len(values) == 1 else None
                axes.plot(
                    epochs,
                    values,
                    style,
                    color=color,
                    marker=marker,
                    label=f"{name} {label}".strip(),
                )
    axes.set_xlabel("epoch")
    axes.set_ylabel(what)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(frameon=False)


def _draw_confusion(axes: "Axes", counts: np.ndarray, class_names: Sequence[Any] | None) -> None:
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(
            f"a confusion matrix is square, got shape {counts.shape}: count true classes in rows "
            "and predicted ones in columns"
        )
    n_classes = len(counts)
    names = range(n_classes) if class_names is None else class_names
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    labels = [str(name) for name in names]
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


def _draw_weight_image(axes: "Axes", image: np.ndarray) -> None:
    if image.ndim == 2:
        limit = float(np.abs(image).max()) or 1.0
        axes.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit)
        return
    if image.shape[0] == 3:
        image = image.transpose(1, 2, 0)
    low, high = image.min(), image.max()
    axes.imshow((image - low) / ((high - low) or 1.0))


def _first_weight(source: Any) -> np.ndarray:
    if hasattr(source, "params"):
        matrices = [value for value in source.params.values() if value.ndim == 2]
        if not matrices:
            raise ValueError("the model has no weight matrix to draw: give it a Linear layer")
        return np.asarray(matrices[0])
    weight = np.asarray(source)
    if weight.ndim != 2:
        raise ValueError(f"a weight matrix has shape (inputs, units), got shape {weight.shape}")
    return weight


def _image_shape(n_inputs: int, wanted: tuple[int, ...] | None) -> tuple[int, ...]:
    shape = wanted or _IMAGE_SHAPES.get(n_inputs)
    if shape is None:
        raise ValueError(
            f"no picture shape is known for {n_inputs} inputs: give image_shape=(height, width)"
        )
    if math.prod(shape) != n_inputs:
        raise ValueError(
            f"image_shape {shape} has {math.prod(shape)} pixels, but the weights have {n_inputs} "
            "inputs: the two must be equal"
        )
    if len(shape) not in (2, 3) or (len(shape) == 3 and 3 not in (shape[0], shape[2])):
        raise ValueError(
            "image_shape should be (height, width), (3, height, width) or (height, width, 3), "
            f"got {shape}"
        )
    return shape


def _numbers(column: Any) -> np.ndarray:
    return np.array(list(column), dtype=float)  # None becomes NaN


def _finite(column: Any) -> bool:
    return bool(np.isfinite(_numbers(column)).any())
