"""Saving models to files and loading them."""

import os
from typing import Any, Literal, overload

from fastmlp.common.validation import positive_int
from fastmlp.ensemble import Ensemble
from fastmlp.model import Sequential
from fastmlp.optimizers import Optimizer
from fastmlp.storage.model_file import (
    MAX_LAYERS,
    TABLE_FORMAT,
    format_of,
    read,
    require_name,
    save,
)

__all__ = ["MAX_LAYERS", "load", "require_name", "save"]


@overload
def load(
    path: str | os.PathLike[str],
    *,
    with_optimizer: Literal[False] = False,
    max_layers: int = MAX_LAYERS,
) -> Any: ...


@overload
def load(
    path: str | os.PathLike[str], *, with_optimizer: Literal[True], max_layers: int = MAX_LAYERS
) -> tuple[Sequential, Optimizer]: ...


def load(
    path: str | os.PathLike[str], *, with_optimizer: bool = False, max_layers: int = MAX_LAYERS
) -> Any:
    """Load a model or an ensemble from a file written by its ``save``, or by a `Checkpoint`.

    Parameters
    ----------
    path : str or path
    with_optimizer : bool, default False
        Whether to return the optimizer too, with its state: training the model with it continues as
        if there had been no file in between. It must have been saved,
        ``model.save(path, optimizer=optimizer)``. If it was saved by name (``optimizer="adam"``),
        the model knows it by that name again.
    max_layers : int, default 10,000
        A file with more layers, in all models of an ensemble together, is refused before memory is
        allocated for them.

    Returns
    -------
    model : Sequential, Ensemble, TabularClassifier or TabularRegressor
        Its predictions are those of the saved one.
    optimizer : Optimizer
        Only with ``with_optimizer``.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is truncated, altered or of another kind, or holds no optimizer although one is
        wanted. All of this is found before memory is allocated for its contents. A file holds a
        checksum, so that no altered byte goes unnoticed; those of format 1 have none.

    Warns
    -----
    RuntimeWarning
        If weights are NaN or infinite, because training diverged before the model was saved.

    """
    if format_of(path) == TABLE_FORMAT and not with_optimizer:
        from fastmlp.tabular.loading import load_estimator

        return load_estimator(path)
    n_layers = positive_int("max_layers", max_layers)
    model, optimizer, name = read(path, n_layers, Sequential, Ensemble, with_optimizer)
    if optimizer is None:
        return model
    if name is not None:
        model.name_optimizer(name, optimizer)
    return model, optimizer
