"""scikit-learn's own checks of estimators."""

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp.sklearn import MLPClassifier, MLPRegressor

_QUICK = {"max_iter": 50, "tol": 1e-2, "n_threads": 1}
_ALL_ROWS = {"solver": "lbfgs", "hidden_layer_sizes": (8,), "alpha": 0.1, "n_threads": 1}
_MAGNIFIED = (
    "a row of weight 2 and a row given twice are summed in another order; the line searches of "
    "lbfgs magnify the last bits (scikit-learn checks its own regressor with the solver sgd)"
)


def _expected(estimator):
    if not (isinstance(estimator, MLPRegressor) and estimator.solver == "lbfgs"):
        return {}
    return {
        "check_sample_weight_equivalence_on_dense_data": _MAGNIFIED,
        "check_sample_weight_equivalence_on_sparse_data": _MAGNIFIED,
    }


@parametrize_with_checks(
    [
        MLPClassifier(**_QUICK),
        MLPRegressor(**_QUICK),
        MLPClassifier(**_ALL_ROWS),
        MLPRegressor(**_ALL_ROWS),
    ],
    expected_failed_checks=_expected,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_estimator_check(estimator, check):
    check(estimator)
