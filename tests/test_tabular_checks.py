"""scikit-learn's own checks of the estimators for tables."""

from importlib import import_module

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("narwhals")
pytest.importorskip("polars")

from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp.tabular import TabularClassifier, TabularRegressor

quick_method = import_module("fastmlp.tabular.methods.realmlp_td_s")

_SPLIT = (
    "the validation rows are drawn at random, so a row of weight 2 and a row given twice lead to "
    "other networks"
)


@parametrize_with_checks(
    [
        TabularClassifier("realmlp-td-s", n_threads=1),  # the quickest: the checks fit often
        TabularRegressor("realmlp-td-s", n_threads=1),
    ],
    expected_failed_checks=lambda estimator: {
        "check_sample_weight_equivalence_on_dense_data": _SPLIT,
    },
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore:the column 'x[0-9]+' is left out:UserWarning")
def test_estimator_check(estimator, check, monkeypatch):
    monkeypatch.setattr(quick_method, "_EPOCHS", 64)  # enough for the few rows of a check
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [TabularClassifier("pack", n_ensemble=2, n_threads=1)],
    expected_failed_checks=lambda estimator: {
        "check_sample_weight_equivalence_on_dense_data": _SPLIT,
    },
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore:the column 'x[0-9]+' is left out:UserWarning")
def test_estimator_check_of_a_pack(estimator, check):
    check(estimator)
