"""From the labels that users have to what the kernels take, and back."""

from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import type_of_target, unique_labels

__all__ = ["Labels", "check_objects"]

_ADVICE = {
    "continuous": "; for numbers with fractions there is MLPRegressor",
    "continuous-multioutput": "; of shares of classes, pass y.argmax(axis=1), of numbers to be "
    "predicted, use MLPRegressor",
    "multiclass-multioutput": "; of one class a column, fit a classifier for each",
}


class Labels:
    """The classes that a classifier knows, in order.

    Parameters
    ----------
    y : numpy.ndarray or sparse matrix, shape (N,) or (N, C)
        One class a row, or a column for each of several labels: 0 where a row does not have it,
        one other value where it does.

    Attributes
    ----------
    classes : numpy.ndarray, shape (C,)
        Sorted.
    kind : {"binary", "multiclass", "multilabel-indicator"}

    Raises
    ------
    ValueError
        If y holds neither.

    """

    def __init__(self, y: Any):
        self._binarizer: LabelBinarizer | None = None  # several labels alone need one
        plain = isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "biuU"
        self.classes = np.unique(y) if plain else np.empty(0)
        if plain and 2 * len(self.classes) <= len(y):  # nothing to doubt: scikit-learn asks longer
            self.kind = "binary" if len(self.classes) <= 2 else "multiclass"
            return
        self.kind = type_of_target(y)
        if self.kind not in ("binary", "multiclass", "multilabel-indicator"):
            raise ValueError(
                f"Unknown label type: {self.kind}; y must hold one class a row, or a column of 0 "
                f"and 1 for each of several labels{_ADVICE.get(self.kind, '')}"
            )
        self.classes = unique_labels(y)
        if self.multilabel:
            self._binarizer = LabelBinarizer().fit(y)

    @property
    def multilabel(self) -> bool:
        """Whether a row may have several labels."""
        return self.kind == "multilabel-indicator"

    def codes(self, y: Any) -> np.ndarray:
        """Return the index in ``classes`` of each row's class, (N,), or 0 and 1, (N, C).

        Raises
        ------
        ValueError
            If a class is not among them, or labels are given in another form.

        """
        if self._binarizer is not None:
            if y.ndim != 2 or y.shape[1] != len(self.classes) or type_of_target(y) != self.kind:
                raise ValueError(
                    f"`y` must have a column of 0 and 1 for each of {len(self.classes)} labels, as "
                    f"before, got shape {y.shape} of {type_of_target(y)} targets"
                )
            return _presence(np.asarray(y.toarray() if hasattr(y, "toarray") else y))
        if y.ndim != 1:
            raise ValueError(f"`y` must have one class a row, as before, got shape {y.shape}")
        if (y.dtype.kind in "OU") == (self.classes.dtype.kind in "OU"):
            codes = np.minimum(np.searchsorted(self.classes, y), len(self.classes) - 1)
            if (self.classes[codes] == y).all():
                return codes
        raise ValueError(
            "`y` has classes not in `self.classes_`. "
            f"`self.classes_` has {self.classes}. 'y' has {unique_labels(y)}."
        )

    def decided(self, probabilities: np.ndarray) -> Any:
        """Return the class, (N,), or labels, (N, C), that each row of probabilities speaks for.

        Logits will do where each row has one of several classes. Several labels are a sparse
        matrix where those learned from were.
        """
        if self._binarizer is not None:
            return self._binarizer.inverse_transform(probabilities)
        return self.classes[self.decided_codes(probabilities)]

    def decided_codes(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the same as `codes` does: indices, or 0 and 1."""
        if self.kind == "multiclass":
            return probabilities.argmax(axis=1)
        if self.multilabel:
            return (probabilities > 0.5).astype(np.int64)
        return (probabilities[:, 0] > 0.5) * (len(self.classes) - 1)  # there may be one class only


def _presence(y: np.ndarray) -> np.ndarray:
    """Return 1 where several labels are not 0, as scikit-learn takes them.

    Raises
    ------
    ValueError
        If both values differ from 0, as in -1 and 1: then all would count as present.

    """
    low, high = y.min(), y.max()
    if low == 0 or high == 0 or (low == high and low > 0):
        return (y != 0).astype(np.int64)
    found = f"{low:g}" if low == high else f"{low:g} and {high:g}"
    raise ValueError(
        "`y` of several labels must hold 0 where a row does not have a label and one other value "
        f"where it does, got {found}: pass (y > {max(low, 0):g}).astype(int)"
    )


def check_objects(y: Any, name: str = "y") -> None:
    """Raise ValueError if Python objects are not all text, and say what to do."""
    if not isinstance(y, np.ndarray) or y.dtype.kind != "O":
        return
    values = y.ravel().tolist()
    missing = next((i for i, value in enumerate(values) if value is None), None)
    if missing is not None:
        row = missing // max(1, len(values) // len(y))
        raise ValueError(
            f"Unknown label type: unknown; {name} has no label (None) at [{row}]: leave it out"
        )
    kinds = {"text" if isinstance(value, str) else "numbers" for value in values}
    if kinds == {"text"}:
        return
    if len(kinds) > 1:
        what, cast = "text and numbers", "str"
    else:
        kind = np.asarray(values).dtype.kind
        cast = {"b": "bool", "f": "float", "u": "int", "i": "int"}.get(kind, "str")
        what = {"str": "Python objects"}.get(cast, "numbers as Python objects")
    raise ValueError(
        f"Unknown label type: unknown; {name} holds {what} (dtype object): pass "
        f"{name}.astype({cast})"
    )
