"""Predictions for every row by a network that was not trained on it."""

from typing import Any

from sklearn import model_selection
from sklearn.utils._param_validation import validate_params

from fastmlp.sklearn._tasks import packed

__all__ = ["cross_val_predict"]

_theirs: Any = model_selection.cross_val_predict
_checked: Any = validate_params(
    _theirs._skl_parameter_constraints, prefer_skip_nested_validation=False
)
_run: Any = _checked(packed(_theirs))


def cross_val_predict(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    groups: Any = None,
    cv: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    params: dict[str, Any] | None = None,
    method: str = "predict",
) -> Any:
    """Return out-of-fold predictions: scikit-learn's function, with all folds in one pack.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, or a pipeline that ends in one
        Others are fitted one by one.
    X, y, groups, cv, verbose, params, method
        As in `sklearn.model_selection.cross_val_predict`.
    n_jobs : int, optional
        Number of networks to train at a time. Default, and -1: one for each thread that the process
        may use.

    Returns
    -------
    numpy.ndarray
        For each row, the result of ``method`` (such as ``"predict_proba"``) of the network that was
        trained without that row's fold.

    Examples
    --------
    >>> from fastmlp.sklearn import MLPClassifier, cross_val_predict
    >>> p = cross_val_predict(MLPClassifier(random_state=0), X, y, cv=5, method="predict_proba")

    """
    return _run(
        estimator,
        X,
        y,
        groups=groups,
        cv=cv,
        n_jobs=n_jobs,
        verbose=verbose,
        params=params,
        method=method,
    )
