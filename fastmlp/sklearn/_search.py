"""MLPGridSearchCV and MLPRandomizedSearchCV."""

from typing import Any

from sklearn.base import _fit_context
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

from fastmlp.sklearn._tasks import packed

__all__ = ["MLPGridSearchCV", "MLPRandomizedSearchCV"]


class MLPGridSearchCV(GridSearchCV):
    """scikit-learn's GridSearchCV, with all candidates and folds trained in one pack.

    The arguments, methods and attributes are those of `sklearn.model_selection.GridSearchCV`, and
    ``cv_results_`` and ``best_params_`` have the same values. It differs in how it trains: if the
    estimator is an `MLPClassifier` or `MLPRegressor`, or a `sklearn.pipeline.Pipeline` that ends in
    one, each thread of this process trains a whole network at a time. No process is started and
    nothing is copied to one. The other steps of a pipeline are fitted once for each fold and each
    combination of their own parameters.

    Candidates that a pack cannot train are fitted one by one: those with solver="lbfgs",
    ``callbacks``, ``verbose`` or a function as ``scoring`` in the estimator, and any other
    estimator.

    Parameters
    ----------
    estimator : estimator
    param_grid : dict or list of dict
    scoring, refit, cv, verbose, error_score, return_train_score
        As in `sklearn.model_selection.GridSearchCV`.
    n_jobs : int, optional
        Number of networks to train at a time. Default, and -1: one for each thread that the process
        may use. The estimator's ``n_threads`` counts only for the refit.
    pre_dispatch
        Ignored: there are no processes to send tasks to.

    Examples
    --------
    >>> from fastmlp.sklearn import MLPClassifier, MLPGridSearchCV
    >>> grid = {"learning_rate_init": [1e-3, 3e-3, 1e-2], "alpha": [1e-5, 1e-3, 1e-1]}
    >>> search = MLPGridSearchCV(MLPClassifier(random_state=0), grid, cv=5).fit(X, y)
    >>> search.best_params_, search.best_score_

    """

    fit: Any = _fit_context(prefer_skip_nested_validation=False)(packed(GridSearchCV.fit))


class MLPRandomizedSearchCV(RandomizedSearchCV):
    """scikit-learn's RandomizedSearchCV, with all candidates and folds trained in one pack.

    See `MLPGridSearchCV` for how it trains, and for the only argument that means something else.

    Parameters
    ----------
    estimator : estimator
    param_distributions : dict or list of dict
    n_iter, scoring, refit, cv, verbose, random_state, error_score, return_train_score
        As in `sklearn.model_selection.RandomizedSearchCV`.
    n_jobs : int, optional
        Number of networks to train at a time. Default, and -1: one for each thread that the process
        may use. The estimator's ``n_threads`` counts only for the refit.
    pre_dispatch
        Ignored: there are no processes to send tasks to.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from fastmlp.sklearn import MLPClassifier, MLPRandomizedSearchCV
    >>> ranges = {"learning_rate_init": loguniform(1e-4, 1e-1), "alpha": loguniform(1e-6, 1)}
    >>> estimator = MLPClassifier(early_stopping=True, random_state=0)
    >>> search = MLPRandomizedSearchCV(estimator, ranges, n_iter=40, random_state=0).fit(X, y)

    """

    fit: Any = _fit_context(prefer_skip_nested_validation=False)(packed(RandomizedSearchCV.fit))
