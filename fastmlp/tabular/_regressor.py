"""A regressor for tables, with scikit-learn's interface."""

from datetime import date, timedelta
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import check_array
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import column_or_1d

from fastmlp.tabular._estimator import CONSTRAINTS, TableEstimator, documented, require_rows
from fastmlp.tabular.columns import LARGEST
from fastmlp.tabular.metrics import REGRESSION

__all__ = ["TabularRegressor"]


@documented
class TabularRegressor(RegressorMixin, TableEstimator):
    """Predicts a number for rows of a table, which needs no preparation.

    Parameters
    ----------
    <how networks are trained>
    metric : {"rmse", "mae", "r2"}, default "rmse"
        Decides which epoch of a network is the best.
    <other arguments>

    Attributes
    ----------
    <attributes of the training>
    out_of_fold_ : ndarray, shape (N,)
        Predictions by the networks that did not train on a row, NaN where there is none.
    <other attributes>

    Examples
    --------
    >>> from fastmlp.tabular import TabularRegressor
    >>> regressor = TabularRegressor(n_ensemble=8, random_state=0).fit(frame, frame.pop("price"))
    >>> regressor.predict(new_frame)

    """

    _parameter_constraints = CONSTRAINTS | {"metric": [StrOptions(set(REGRESSION)), None]}

    def predict(self, X: Any) -> np.ndarray:
        """Return a number for each row, shape (N,)."""
        return self._predicted(X)

    def _checked_y(self, y: Any) -> np.ndarray:
        y = column_or_1d(np.asarray(y), warn=True)
        require_rows(y)
        if y.dtype.kind in "US" or (y.dtype.kind == "O" and isinstance(y[0], str | bytes)):
            raise ValueError(
                f"y must hold numbers, got texts such as {y.tolist()[0]!r}: TabularClassifier "
                "predicts classes, and y.astype(float) makes numbers of texts that are numbers"
            )
        if y.dtype.kind in "mM" or (y.dtype.kind == "O" and isinstance(y[0], date | timedelta)):
            raise TypeError(
                f"y must hold numbers, got dates or times such as {y[0]}: pass a number of days or "
                "seconds"
            )
        y = np.asarray(check_array(y, ensure_2d=False, dtype="numeric", input_name="y"))
        y = y.astype(np.float64, copy=False)
        if np.abs(y).max() > LARGEST:
            raise ValueError(
                f"y must hold finite float32 numbers, at most {LARGEST:.2g}, got "
                f"{y[np.abs(y).argmax()]:g}: divide y by a constant"
            )
        return y

    def _targets(self, y: np.ndarray, first: bool) -> np.ndarray:
        return y
