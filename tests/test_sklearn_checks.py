"""scikit-learn's own checks of estimators."""

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp.sklearn import (
    MLPClassifier,
    MLPEnsembleClassifier,
    MLPEnsembleRegressor,
    MLPRegressor,
)

_QUICK = {"max_iter": 50, "tol": 1e-2, "n_threads": 1}
_ALL_ROWS = {"solver": "lbfgs", "hidden_layer_sizes": (8,), "alpha": 0.1, "n_threads": 1}
_MAGNIFIED = (
    "a row of weight 2 and a row given twice are summed in another order; the line searches of "
    "lbfgs magnify the last bits (scikit-learn checks its own regressor with the solver sgd)"
)
_DRAWN = "with other rows, members draw other samples and other folds"
_WEIGHTS = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)


def _expected(estimator):
    if getattr(estimator, "rows", "all") != "all":
        return dict.fromkeys(
            _WEIGHTS, "a row of weight 2 and a row given twice are drawn differently"
        )
    if not (isinstance(estimator, MLPRegressor) and estimator.solver == "lbfgs"):
        return {}
    return dict.fromkeys(_WEIGHTS, _MAGNIFIED)


@parametrize_with_checks(
    [
        MLPClassifier(**_QUICK),
        MLPRegressor(**_QUICK),
        MLPClassifier(**_ALL_ROWS),
        MLPRegressor(**_ALL_ROWS),
        MLPEnsembleClassifier(MLPClassifier(**_QUICK), 3, n_jobs=2),
        MLPEnsembleRegressor(MLPRegressor(**_QUICK), 3, rows="folds", n_jobs=2),
        MLPEnsembleClassifier(MLPClassifier(**_QUICK), 2, rows="all", n_jobs=1),
    ],
    expected_failed_checks=_expected,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_estimator_check(estimator, check):
    check(estimator)
