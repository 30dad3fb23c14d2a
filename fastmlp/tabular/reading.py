"""New values of a column, read in the notation that the training rows had."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastmlp.common.errors import printable
from fastmlp.datasets.cells import NumberFormat
from fastmlp.datasets.columns import about_odd, looked_up, read_numbers
from fastmlp.datasets.moments import MomentFormat, parse_moments, read_moments
from fastmlp.datasets.texts import Texts, texts_of
from fastmlp.datasets.wording import joined
from fastmlp.tabular.frames import RawColumn, spelled_number, texts

if TYPE_CHECKING:
    import polars as pl

__all__ = ["TRUTH", "Notation", "as_texts", "meant_numbers", "numbers_of"]

TRUTH = {"false": "0", "true": "1"}
"""Truth values, which programs also write as numbers."""


_PLAIN = NumberFormat()


@dataclass(frozen=True)
class Notation:
    """How the texts of a column are written.

    Attributes
    ----------
    numbers : NumberFormat
        How numbers are written.
    moments : MomentFormat or None
        How dates or times are written; None to decide.

    """

    numbers: NumberFormat = _PLAIN
    moments: MomentFormat | None = None


def as_texts(raw: RawColumn, missing: frozenset[str]) -> Texts:
    """Return the texts of a column; numbers are spelled without a point if they are whole."""
    values = raw.values
    if isinstance(values, np.ndarray):
        different, places = np.unique(values, return_inverse=True)
        spelled = [None if np.isnan(value) else _spelled(raw.kind, value) for value in different]
        values = texts(spelled).gather(places)
    return next(texts_of(values.to_frame(), missing))


def _spelled(kind: str, value: float) -> str:
    if kind == "moment":
        return str(np.datetime64(round(value), "s")).replace("T", " ").removesuffix(" 00:00:00")
    return spelled_number(value)


def numbers_of(
    raw: RawColumn, missing: frozenset[str], kind: str, notation: Notation
) -> np.ndarray:
    """Return the numbers of a column as float64, NaN if missing.

    Parameters
    ----------
    raw : RawColumn
    missing : frozenset of str
        Additional texts that mean a missing value, in lower case.
    kind : {"number", "moment", "span"}
        What the column held in training.
    notation : Notation

    Raises
    ------
    TypeError
        If the column holds something else than in training.

    """
    if isinstance(raw.values, np.ndarray):
        if raw.kind != kind and not np.isnan(raw.values).all():
            words = {"number": "numbers", "moment": "dates", "span": "times"}
            raise TypeError(
                f"the column {printable(raw.name)!r} held {words[kind]} in training, got "
                f"{words[raw.kind]}"
            )
        return _without(raw.values, missing) if kind == "number" else raw.values
    return _parsed(raw, missing, kind, notation)


def meant_numbers(missing: frozenset[str]) -> list[float]:
    """Return the numbers among texts that mean a missing value, such as -999."""
    meant = []
    for text in sorted(missing):
        try:
            meant.append(float(text))
        except ValueError:
            continue
    return meant


def _without(values: np.ndarray, missing: frozenset[str]) -> np.ndarray:
    """Return numbers with NaN for those that mean a missing value."""
    meant = meant_numbers(missing)
    return np.where(np.isin(values, meant), np.nan, values) if meant else values


def _parsed(raw: RawColumn, missing: frozenset[str], kind: str, notation: Notation) -> np.ndarray:
    usual = notation.numbers
    if kind == "number" and not (usual.decimal_comma or usual.percent or missing):
        plain = raw.values.cast(float, strict=False)
        if plain.null_count() == raw.values.null_count():  # nearly always, and much faster
            return plain.to_numpy()
    found = next(texts_of(raw.values.to_frame(), missing))
    candidates = np.flatnonzero(~found.markers)
    if not len(candidates):
        return np.full(found.n_rows, np.nan)
    different = found.different.gather(candidates)
    if kind == "number":
        parsed, doubt = _numbers(different, notation.numbers, raw.european)
    else:
        parsed, doubt = _moments(different, kind, notation)
    values, odd = looked_up(found, candidates, parsed)
    words = "numbers" if kind == "number" else "dates"
    doubt = joined([doubt, about_odd(found, odd, words, raw.rows)])
    if doubt and not raw.quiet:
        warnings.warn(f"the column '{raw.name}' {doubt}", UserWarning, stacklevel=2)
    return values


def _numbers(
    different: "pl.Series", usual: NumberFormat, european: bool | None
) -> "tuple[pl.Series, str]":
    lower = different.str.to_lowercase()
    if lower.is_in(list(TRUTH)).all():
        return lower.replace_strict(TRUTH).cast(float), ""
    numbers = read_numbers(different, european, usual)
    return numbers.values, numbers.doubt


def _moments(different: "pl.Series", kind: str, notation: Notation) -> "tuple[pl.Series, str]":
    if notation.moments is not None:
        return read_moments(different, notation.moments), ""
    # In training, the column had the type of dates or times.
    moments = parse_moments(different)
    if moments is None or moments.format.is_span != (kind == "span"):
        return different.str.len_bytes().cast(float) * np.nan, ""
    return moments.values, moments.doubt
