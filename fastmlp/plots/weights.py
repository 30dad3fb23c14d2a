"""The weights of a first layer as images."""

# matplotlib leaves the keywords of its methods without types
# pyright: reportUnknownMemberType=false

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.plots.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["first_layer_weights"]

_IMAGE_SHAPES = {64: (8, 8), 784: (28, 28), 3072: (3, 32, 32)}


def first_layer_weights(
    source: Any,
    image_shape: tuple[int, ...] | None = None,
    max_images: int = 100,
    *,
    title: str | None = None,
) -> "Figure":
    """Draw the weights of each unit in the first layer, as a grid of images.

    Parameters
    ----------
    source : Sequential or array, shape (D, H)
        A weight matrix, or a model, whose first weight matrix is drawn.
    image_shape : tuple of int, optional
        ``(height, width)``, ``(3, height, width)`` or ``(height, width, 3)``; may be omitted for
        D = 64, 784 and 3072 (digits, MNIST, CIFAR-10).
    max_images : int
        Draw at most the first ``max_images`` units; default 100.
    title : str, optional
        Title of the figure, such as the name of the data.

    Returns
    -------
    matplotlib.figure.Figure
        One-channel images are red where a bright pixel excites the unit and blue where it inhibits
        it; each colour image is scaled to its own range.

    Raises
    ------
    ValueError
        If ``image_shape`` does not have D values, or is omitted for any other D.

    """
    weight = _first_weight(source)
    shape = _image_shape(weight.shape[0], image_shape)
    images = weight.T[:max_images].reshape(-1, *shape)
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    figure = new_figure((0.75 * columns, 0.75 * rows), title)
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, image in zip(figure.axes, images, strict=False):
        _draw_weight_image(axes, image)
    return figure


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
