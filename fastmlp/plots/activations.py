"""Activation functions and their derivatives."""

# matplotlib leaves the keywords of its methods without types
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from fastmlp.common.errors import unknown
from fastmlp.layers import ACTIVATIONS
from fastmlp.plots.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["activation_functions"]


def activation_functions(names: Sequence[str] = tuple(ACTIVATIONS)) -> "Figure":
    """Draw activation functions and their derivatives, as the layers compute them.

    Parameters
    ----------
    names : sequence of str
        Keys of `fastmlp.layers.ACTIVATIONS`, such as ``"relu"``; default all of them.

    """
    x = np.linspace(-4, 4, 801)[:, None]
    columns = min(3, len(names))
    rows = math.ceil(len(names) / columns)
    figure = new_figure((3.4 * columns, 2.7 * rows))
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
