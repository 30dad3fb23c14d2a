"""Turning the text of a table's columns into numbers: kinds, missing values, one-hot."""

from collections.abc import Sequence

import numpy as np

__all__ = ["MAX_CATEGORIES", "Column", "encode"]

MAX_CATEGORIES = 1000
"""A text column with more different values holds identifiers or prose, not categories."""

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
MISSING_NAME = "(missing)"


class Column:
    """One column, read twice: `observe` learns its kind, then `append` keeps its values.

    Parameters
    ----------
    name : str
        Its name in the header.
    numeric : bool, default True
        False makes it categorical even if all its values are numbers.
    dtype : float dtype, default float32
        In which numbers are kept.

    Attributes
    ----------
    numeric : bool
        Whether every value observed is a number or missing.
    codes : dict of str to int, or None
        A number for every different text observed, ``""`` for missing values; None where there
        are more than ``MAX_CATEGORIES``.

    """

    def __init__(
        self, name: str, *, numeric: bool = True, dtype: type[np.floating] = np.float32
    ) -> None:
        self.name = name
        self.numeric = numeric
        self.codes: dict[str, int] | None = {}
        self._dtype = dtype
        self._parts: list[np.ndarray] = []
        self._n_rows = 0
        self._first_text: str | None = None

    def observe(self, texts: Sequence[str]) -> None:
        """First pass, some rows at a time: learn the kind and the different texts."""
        if self.numeric and _numbers(texts) is None:
            self.numeric = False
            self._first_text = next(text for text in texts if _numbers([text]) is None)
        if self.codes is not None:
            for text in dict.fromkeys(texts):
                self.codes.setdefault(_category(text), len(self.codes))
            if len(self.codes) > MAX_CATEGORIES:
                self.codes = None

    def append(self, texts: Sequence[str]) -> None:
        """Second pass: keep numbers (NaN where missing) or codes."""
        if self.numeric:
            numbers = _numbers(texts)
            part = None if numbers is None else self._finite(numbers)
        else:
            codes = [self.known_codes().get(_category(text)) for text in texts]
            part = None if None in codes else np.array(codes, np.int32)
        if part is None:
            raise ValueError(f"the column '{self.name}' changed while its file was read")
        self._parts.append(part)
        self._n_rows += len(texts)

    def values(self) -> np.ndarray:
        """Return what was kept, shape (N,): floats, or int32 codes of a categorical column."""
        self._parts = [np.concatenate(self._parts)]
        return self._parts[0]

    def known_codes(self) -> dict[str, int]:
        """Return `codes`, or say that this column has too many different texts."""
        if self.codes is None:
            why = "" if self._first_text is None else f" (not a number: {self._first_text[:40]!r})"
            raise ValueError(
                f"the column '{self.name}' has more than {MAX_CATEGORIES} different values, too "
                f"many for names of things{why}: leave it out or make all its values numbers"
            )
        return self.codes

    def _finite(self, numbers: np.ndarray) -> np.ndarray:
        wrong = np.abs(numbers) > np.finfo(self._dtype).max
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"the column '{self.name}' holds {numbers[row]:g} in data row "
                f"{self._n_rows + row + 1} where finite {self._dtype.__name__} is expected"
            )
        return numbers.astype(self._dtype)


def encode(
    columns: Sequence[Column], train: np.ndarray, test: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return the input matrices, with everything that is learnt taken from the training rows.

    Parameters
    ----------
    columns : sequence of Column
        All with N values. A numeric one gives one feature, as it is, missing values filled with
        the median of the training rows; a categorical one gives a feature of 0 and 1 for every
        text in the training rows, missing values counting as a text. Columns without any value
        in the training rows give none.
    train, test : int ndarray
        Row numbers.

    Returns
    -------
    X_train, X_test : float32 ndarray of shape (len(train), D) and (len(test), D)
    features : tuple of str
        D names: ``"age"``, ``"colour=red"``.

    """
    names: list[str] = []
    features: list[tuple[np.ndarray, float]] = []
    for column in columns:
        values = column.values()
        if column.numeric:
            known = values[train]
            known = known[~np.isnan(known)]
            if len(known):
                names.append(column.name)
                features.append((values, float(np.median(known))))
        else:
            present = set(np.unique(values[train]).tolist())
            texts = sorted(text for text, code in column.known_codes().items() if code in present)
            if texts != [""]:
                names += [f"{column.name}={text or MISSING_NAME}" for text in texts]
                features += [(values, column.known_codes()[text]) for text in texts]
    X_train, X_test = (np.empty((len(rows), len(names)), np.float32) for rows in (train, test))
    for X, rows in ((X_train, train), (X_test, test)):
        for j, (values, number) in enumerate(features):
            part = values[rows]
            if part.dtype == np.int32:
                X[:, j] = part == number
            else:
                X[:, j] = np.where(np.isnan(part), number, part)
    return X_train, X_test, tuple(names)


def _category(text: str) -> str:
    """Return the text without surrounding blanks, empty for every way to say "missing"."""
    text = text.strip()
    return "" if text.lower() in MISSING else text


def _numbers(texts: Sequence[str]) -> np.ndarray | None:
    """Return float64 numbers, NaN where missing, or None if one is neither."""
    try:
        numbers = list(map(float, texts))
    except ValueError:
        try:
            numbers = [float(_category(text) or "nan") for text in texts]
        except ValueError:
            return None
    # Python reads 1_000 as a number; in a table it is a name.
    return None if "_" in "".join(texts) else np.array(numbers, np.float64)
