"""The rows of a fit: arrays in memory, or a stream of those that do not fit into it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.common.numeric import as_numbers
from fastmlp.common.rows import Rows
from fastmlp.common.validation import as_weights, positive_int
from fastmlp.training.blocks import CalledBlocks, ConvertedBlocks
from fastmlp.training.buffered import BufferedStream
from fastmlp.training.options import FitOptions
from fastmlp.training.stream import Stream
from fastmlp.training.windows import WindowedStream

__all__ = ["training_rows"]

_BUFFER = 1 << 28  # bytes


def training_rows(
    model: Any,
    options: FitOptions,
    X: Any,
    y: Any,
    sample_weight: Any,
    batches: Callable[[], Any] | None,
    shuffle_buffer: int | None,
) -> Rows | Stream:
    """Check the rows of ``fit``, or prepare to check them when they are read.

    Arrays are streamed if a ``shuffle_buffer`` is smaller than they are; of memory-mapped ones a
    buffer holds 256 MB by default.
    """
    if shuffle_buffer is not None:
        shuffle_buffer = positive_int("shuffle_buffer", shuffle_buffer)
    if batches is not None:
        return _of_batches(model, options, batches, shuffle_buffer, (X, y, sample_weight))
    if X is None or y is None:
        raise TypeError("fit needs rows to train on: give X and y, or batches")
    if shuffle_buffer is None and isinstance(X, np.memmap):
        shuffle_buffer = _default_buffer(X)
    if shuffle_buffer is None or np.ndim(X) < 2 or shuffle_buffer >= len(X):
        rows = model.check_data(options.loss, X, y, sample_weight)
        return options.weighted(rows, model.check_inputs(rows.X), model.dtype)
    if not isinstance(X, np.memmap):
        X = as_numbers(X, "X")
    n_outputs = model.check_inputs(X)
    targets = options.loss.as_targets(y, len(X), n_outputs, model.dtype)
    options.loss.require_dtype(model.dtype)
    weights = None if sample_weight is None else as_weights(sample_weight, len(X), model.dtype)
    checked = options.weighted(Rows(X, targets, weights), n_outputs, model.dtype)
    drawing = min(options.batch_size, len(X)), shuffle_buffer, _seed(options)
    if WindowedStream.takes(model, X):
        return WindowedStream(model, X, targets, checked.weights, *drawing)
    return BufferedStream(ConvertedBlocks(model, X, targets, checked.weights), *drawing)


def _of_batches(
    model: Any,
    options: FitOptions,
    batches: Callable[[], Any],
    shuffle_buffer: int | None,
    others: tuple[Any, ...],
) -> Stream:
    if any(other is not None for other in others):
        raise TypeError("give either X and y or batches, whose blocks may have weights, not both")
    if not callable(batches):
        raise TypeError(
            "batches must be a function that returns a new iterator over blocks (X, y) at each "
            f"call, got {type(batches).__name__}"
        )
    if options.class_weight is not None:
        raise ValueError(
            "class_weight needs all labels at once: let batches() yield (X, y, sample_weight)"
        )
    source = CalledBlocks(model, options.loss, batches)
    buffer_rows = shuffle_buffer or _default_buffer(source.first.X)
    batch_size = min(options.batch_size, source.n_rows)
    return BufferedStream(source, batch_size, buffer_rows, _seed(options))


def _seed(options: FitOptions) -> int | None:
    return options.seed if options.shuffle else None


def _default_buffer(X: np.ndarray) -> int:
    """Return how many rows a buffer holds."""
    return max(1, _BUFFER // max(1, X[:1].nbytes))
