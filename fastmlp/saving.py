"""Saving models to files and loading them."""

import os
from typing import Any

from fastmlp.common.validation import positive_int
from fastmlp.ensemble import Ensemble
from fastmlp.model import Sequential
from fastmlp.storage.model_file import (
    MAX_LAYERS,
    TABLE_FORMAT,
    format_of,
    read,
    require_name,
    save,
)

__all__ = ["MAX_LAYERS", "load", "require_name", "save"]


def load(path: str | os.PathLike[str], *, max_layers: int = MAX_LAYERS) -> Any:
    """Load a model or an ensemble from a file written by its ``save``.

    Parameters
    ----------
    path : str or path
    max_layers : int, default 10,000
        A file with more layers, in all models of an ensemble together, is refused before memory is
        allocated for them.

    Returns
    -------
    Sequential, Ensemble, TabularClassifier or TabularRegressor
        Its predictions are those of the saved one. Optimizers are not saved.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is truncated, corrupt, or of another kind. This is found from its header and
        size, before memory is allocated for its contents.

    Warns
    -----
    RuntimeWarning
        If weights are NaN or infinite, because training diverged before the model was saved.

    """
    if format_of(path) == TABLE_FORMAT:
        from fastmlp.tabular.loading import load_estimator

        return load_estimator(path)
    return read(path, positive_int("max_layers", max_layers), Sequential, Ensemble)
