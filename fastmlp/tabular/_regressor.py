"""A regressor for tables, with scikit-learn's interface."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import check_array
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import column_or_1d

from fastmlp.sklearn._types import RandomState
from fastmlp.tabular._estimator import CONSTRAINTS, TableEstimator, store
from fastmlp.tabular.encoder import TableEncoder
from fastmlp.tabular.metrics import REGRESSION

__all__ = ["TabularRegressor"]


class TabularRegressor(RegressorMixin, TableEstimator):
    """Predicts a number for rows of a table, which needs no preparation.

    Parameters
    ----------
    method : str, default "realmlp-td-s"
        How networks are built and trained, a key of `fastmlp.tabular.METHODS`.
    n_ensemble : int, optional
        Number of networks whose predictions are averaged. Each is validated with other rows.
        Default: one or, with ``time_limit``, as many as there is time for, up to 32.
    n_cv : int, optional
        Divide the rows into so many folds and train ``n_ensemble`` networks for each, on the other
        folds; ``out_of_fold_`` then has a prediction for every row.
    time_limit : float, optional
        Seconds for all of `fit`. Training stops early where one network would take longer.
    metric : {"rmse", "mae", "r2"}, default "rmse"
        Decides which epoch of a network is the best.
    encoder : TableEncoder, optional
        One with other settings, such as ``TableEncoder(categorical=["postcode"])``.
    n_threads : int, optional
        Default: all that the process may use.
    random_state : int or numpy.random.RandomState, optional
        The same number gives the same networks.
    verbose : bool, default False
        Whether to print a line for each network.

    Attributes
    ----------
    encoder_ : TableEncoder
    leaderboard_ : list of dict
        The score and the training of each network, the best first.
    validation_score_ : float
        The metric of all networks together on their validation rows.
    out_of_fold_ : ndarray, shape (N,)
        Predictions by the networks that did not train on a row, NaN where there is none.
    feature_importances_ : ndarray, shape (D,)
    n_features_in_ : int
    feature_names_in_ : ndarray, shape (D,)
        If X has names.

    Examples
    --------
    >>> from fastmlp.tabular import TabularRegressor
    >>> regressor = TabularRegressor(n_ensemble=8, random_state=0).fit(frame, frame.pop("price"))
    >>> regressor.predict(new_frame)

    """

    _parameter_constraints = CONSTRAINTS | {"metric": [StrOptions(set(REGRESSION)), None]}

    def __init__(
        self,
        method: str = "realmlp-td-s",
        *,
        n_ensemble: int | None = None,
        n_cv: int | None = None,
        time_limit: float | None = None,
        metric: str | None = None,
        encoder: TableEncoder | None = None,
        n_threads: int | None = None,
        random_state: RandomState = None,
        verbose: bool | int = False,
    ) -> None:
        store(self, locals())

    def predict(self, X: Any) -> np.ndarray:
        """Return a number for each row, shape (N,)."""
        return self._predicted(X)

    def _checked_y(self, y: Any) -> np.ndarray:
        y = column_or_1d(np.asarray(y), warn=True)
        y = np.asarray(check_array(y, ensure_2d=False, dtype="numeric", input_name="y"))
        return y.astype(np.float64, copy=False)

    def _targets(self, y: np.ndarray, first: bool) -> np.ndarray:
        return y
