"""Conversion between users' class labels and the codes that the kernels take."""

from typing import Any, Literal

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import type_of_target, unique_labels

__all__ = ["Labels", "check_objects"]

_ADVICE = {
    "continuous": "; to predict numbers with fractions, use MLPRegressor",
    "continuous-multioutput": "; if y holds class probabilities, pass y.argmax(axis=1); to "
    "predict numbers, use MLPRegressor",
    "multiclass-multioutput": "; if each column has its own classes, fit a classifier for each",
}


class Labels:
    """The classes of a classifier, in sorted order.

    Parameters
    ----------
    y : numpy.ndarray or sparse matrix, shape (N,) or (N, C)
        One class per row, or a column for each of several labels, with 0 if the row does not have
        the label and one other value if it does.

    Attributes
    ----------
    classes : numpy.ndarray, shape (C,)
        The classes, sorted.
    kind : {"binary", "multiclass", "multilabel-indicator"}

    Raises
    ------
    ValueError
        If y has neither form.

    """

    def __init__(self, y: Any):
        self._binarizer: LabelBinarizer | None = None  # only for multilabel targets
        plain = isinstance(y, np.ndarray) and y.ndim == 1 and y.dtype.kind in "biuU"
        self.classes = np.unique(y) if plain else np.empty(0)
        if plain and 2 * len(self.classes) <= len(y):  # clear, and faster than asking scikit-learn
            self.kind = "binary" if len(self.classes) <= 2 else "multiclass"
            return
        self.kind = type_of_target(y)
        if self.kind not in ("binary", "multiclass", "multilabel-indicator"):
            raise ValueError(
                f"Unknown label type: {self.kind}; y must hold one class per row, or a column of 0 "
                f"and 1 for each of several labels{_ADVICE.get(self.kind, '')}"
            )
        self.classes = unique_labels(y)
        if self.multilabel:
            self._binarizer = LabelBinarizer().fit(y)

    @property
    def multilabel(self) -> bool:
        """Whether a row can have several labels."""
        return self.kind == "multilabel-indicator"

    @property
    def probabilities(self) -> Literal["binary", "multiclass", "multilabel"]:
        """What a network's probabilities are of: the second class, each class, or each label."""
        if self.multilabel:
            return "multilabel"
        return "multiclass" if self.kind == "multiclass" else "binary"

    def codes(self, y: Any) -> np.ndarray:
        """Return the index of each row's class in ``classes``, (N,), or 0/1 labels, (N, C).

        Raises
        ------
        ValueError
            If y contains an unknown class, or has another form than before.

        """
        if self._binarizer is not None:
            if y.ndim != 2 or y.shape[1] != len(self.classes) or type_of_target(y) != self.kind:
                raise ValueError(
                    f"`y` must have a column of 0 and 1 for each of {len(self.classes)} labels, as "
                    f"before, got shape {y.shape} of {type_of_target(y)} targets"
                )
            return _presence(np.asarray(y.toarray() if hasattr(y, "toarray") else y))
        if y.ndim != 1:
            raise ValueError(f"`y` must have one class per row, as before, got shape {y.shape}")
        if (y.dtype.kind in "OU") == (self.classes.dtype.kind in "OU"):
            codes = np.minimum(np.searchsorted(self.classes, y), len(self.classes) - 1)
            if (self.classes[codes] == y).all():
                return codes
        raise ValueError(
            "`y` has classes not in `self.classes_`. "
            f"`self.classes_` has {self.classes}. 'y' has {unique_labels(y)}."
        )

    def decided(self, probabilities: np.ndarray) -> Any:
        """Return the most probable class, (N,), or labels, (N, C), of each row of probabilities.

        For more than two classes, logits work too. Multilabel predictions are a sparse matrix if
        the targets in training were.
        """
        if self._binarizer is not None:
            return self._binarizer.inverse_transform(probabilities)
        return self.classes[self.decided_codes(probabilities)]

    def decided_codes(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the same in the form that `codes` returns: class indices, or 0/1 labels."""
        if self.kind == "multiclass":
            return probabilities.argmax(axis=1)
        if self.multilabel:
            return (probabilities > 0.5).astype(np.int64)
        return (probabilities[:, 0] > 0.5) * (len(self.classes) - 1)  # there may be only one class


def _presence(y: np.ndarray) -> np.ndarray:
    """Return multilabel targets as 0 and 1: like scikit-learn, treat every nonzero value as 1.

    Raises
    ------
    ValueError
        If both values are nonzero, such as -1 and 1: all labels would count as present.

    """
    low, high = y.min(), y.max()
    if low == 0 or high == 0 or (low == high and low > 0):
        return (y != 0).astype(np.int64)
    found = f"{low:g}" if low == high else f"{low:g} and {high:g}"
    raise ValueError(
        "`y` with several labels must hold 0 if a row does not have a label and one other value "
        f"if it does, got {found}: pass (y > {max(low, 0):g}).astype(int)"
    )


def check_objects(y: Any, name: str = "y") -> None:
    """Raise ValueError, with advice, if an object array does not hold only strings."""
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
