"""Encoding of columns as input matrices: medians for missing numbers, one-hot categories."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fastmlp.common.errors import argument
from fastmlp.datasets.column import Column, ReadAs
from fastmlp.datasets.limits import require_bytes

__all__ = ["MAX_CATEGORIES", "Encoded", "encode", "narrowest"]

MAX_CATEGORIES = 100
"""Up to this many categories, the most frequent, get their own feature; the rest share one."""

MISSING_NAME, OTHER_NAME = "(missing)", "(other)"
BLOCK = 4096
OFFSET = 128
"""Numbers larger than this many times their spread are kept in float64."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """The input matrices of the training and test rows.

    Attributes
    ----------
    X_train, X_test : ndarray of shape (len(train), D) and (len(test), D)
    features : tuple of str
        D names, such as ``"age"`` or ``"colour=red"``.
    columns : tuple of ReadAs
        How each column was read and encoded.

    """

    X_train: np.ndarray
    X_test: np.ndarray
    features: tuple[str, ...]
    columns: tuple[ReadAs, ...]


@dataclass(frozen=True, eq=False)
class _Feature:
    """The features of one column: a number with its fill value, or a feature index per code."""

    names: tuple[str, ...]
    values: np.ndarray
    filling: float = np.nan
    place_of_code: np.ndarray | None = None


def encode(
    columns: Sequence[Column], train: np.ndarray, test: np.ndarray, file_size: int
) -> Encoded:
    """Return the matrices; medians and categories come from the training rows alone.

    Parameters
    ----------
    columns : sequence of Column
        A numeric column becomes one feature, with missing values replaced by the median of the
        training rows. A categorical column becomes one 0/1 feature for each text in the training
        rows; missing values count as a text. With more than 100 texts, the less frequent ones
        share a feature with those that occur only in test rows. Columns without a value in the
        training rows, and those that were left out, have no features.
    train, test : int ndarray
        Row numbers.
    file_size : int
        Size of the file in bytes, which limits the size of the matrices.

    Raises
    ------
    ValueError
        If the matrices would take too much memory; checked before they are allocated.

    """
    features, read_as = [], []
    for column in columns:
        feature = _learn(column, train)
        features.append(feature)
        read_as.append(_described(column, feature))
    used = [feature for feature in features if feature is not None]
    names = tuple(name for feature in used for name in feature.names)
    dtype = narrowest(feature.values for feature in used if feature.place_of_code is None)
    n_rows = len(train) + len(test)
    wide = sorted(used, key=lambda feature: -len(feature.names))[:3]
    widest = [feature.names[0].partition("=")[0] for feature in wide]
    require_bytes(
        n_rows * len(names) * np.dtype(dtype).itemsize,
        file_size,
        f"the table, {n_rows:,} rows of {len(names):,} features,",
        f"leave columns out, such as with {argument('drop', widest)}",
    )
    X_train, X_test = (_matrix(used, len(names), rows, dtype) for rows in (train, test))
    return Encoded(X_train, X_test, names, tuple(read_as))


def narrowest(arrays: Iterable[np.ndarray]) -> type[np.floating]:
    """Return float32, or float64 if rounding to float32 would blur differences between values.

    This happens with whole numbers beyond 2**24 and with numbers that are large relative to their
    spread, such as seconds since 1970.
    """
    for values in arrays:
        if values.dtype != np.float64 or _is_safe(values):
            continue
        if np.nanmax(np.abs(values)) > OFFSET * np.nanstd(values) > 0:
            return np.float64
    return np.float32


def _is_safe(values: np.ndarray) -> bool:
    """Tell whether the range alone proves float32 sufficient: deviation >= range / sqrt(2 N)."""
    low, high = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
    largest = max(high, -low)
    return largest < 1 << 24 and largest * math.sqrt(2 * len(values)) < OFFSET * (high - low)


def _learn(column: Column, train: np.ndarray) -> _Feature | None:
    if column.read_as.kind == "left out":
        return None
    name = column.read_as.name
    if column.categories is not None:
        return _learn_categories(name, column.values, column.categories, train)
    gaps = np.isnan(column.values)
    if not gaps.any():
        return _Feature((name,), column.values)
    known = column.values[train][~gaps[train]]
    return (
        _Feature((name,), column.values, float(np.median(known.astype(np.float64))))
        if len(known)
        else None
    )


def _learn_categories(
    name: str, codes: np.ndarray, categories: tuple[str, ...], train: np.ndarray
) -> _Feature | None:
    counts = np.bincount(codes[train], minlength=len(categories))
    kept = np.flatnonzero(counts)
    if not len(kept) or (len(kept) == 1 and categories[kept[0]] == ""):
        return None
    texts = [categories[code] or MISSING_NAME for code in kept]
    place_of_code = np.full(len(categories), -1)
    if len(kept) > MAX_CATEGORIES:
        frequent = np.argsort(-counts, kind="stable")[:MAX_CATEGORIES]
        kept = np.sort(frequent)
        texts = [*(categories[code] or MISSING_NAME for code in kept), OTHER_NAME]
        place_of_code[:] = len(kept)
    place_of_code[kept] = np.arange(len(kept))
    return _Feature(tuple(f"{name}={text}" for text in texts), codes, 0.0, place_of_code)


def _described(column: Column, feature: _Feature | None) -> ReadAs:
    read_as = column.read_as
    if feature is None and read_as.kind != "left out":
        return replace(read_as, kind="left out", how="no value in the training rows", doubt="")
    if feature is not None and feature.names[-1].endswith("=" + OTHER_NAME):
        how = f"{read_as.how}, of which all but the {MAX_CATEGORIES} most frequent share a feature"
        return replace(read_as, how=how)
    return read_as


def _matrix(
    features: Sequence[_Feature], width: int, rows: np.ndarray, dtype: type[np.floating]
) -> np.ndarray:
    X = np.zeros((len(rows), width), dtype)
    # Fill blocks of rows: filling whole columns would miss every cache.
    for start in range(0, len(rows), BLOCK):
        _fill(X[start : start + BLOCK], features, rows[start : start + BLOCK])
    return X


def _fill(X: np.ndarray, features: Sequence[_Feature], rows: np.ndarray) -> None:
    place = 0
    for feature in features:
        values = feature.values[rows]
        if feature.place_of_code is not None:
            places = feature.place_of_code[values]
            known = np.flatnonzero(places >= 0)
            X[known, place + places[known]] = 1
        elif np.isnan(feature.filling):
            X[:, place] = values
        else:
            X[:, place] = np.where(np.isnan(values), feature.filling, values)
        place += len(feature.names)
