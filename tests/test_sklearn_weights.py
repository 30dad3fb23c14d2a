"""Only the ratios of sample weights matter, whatever their size."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn_support import SMALL, assert_same_bits, numbers, three_classes

from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NO_PENALTY = SMALL | {
    "alpha": 0.0
}  # a penalty would be divided by the sum of weights, as in scikit-learn


@pytest.mark.parametrize("power", [-900, -130, -60, 60, 122, 900])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_common_factor_changes_nothing(power, dtype, solver):
    X, y = three_classes(dtype=dtype)
    weight = np.linspace(0.5, 1.5, len(y))
    scaled, plain = (
        MLPClassifier(**NO_PENALTY | {"solver": solver}).fit(X, y, sample_weight=w)
        for w in (np.ldexp(weight, power), weight)
    )
    assert_same_bits(scaled, plain)
    assert scaled.loss_curve_ == plain.loss_curve_


@pytest.mark.parametrize("factor", [1e37, 3e-39, 1e-44])
def test_float32_weights_can_span_its_whole_range(factor):
    X, y = three_classes(dtype=np.float32)
    weight = np.full(len(y), factor, np.float32)
    heavy = MLPClassifier(**NO_PENALTY).fit(X, y, sample_weight=weight)
    plain = MLPClassifier(**NO_PENALTY).fit(X, y)
    assert heavy.loss_ == pytest.approx(plain.loss_, rel=1e-5)
    assert heavy.loss_ < heavy.loss_curve_[0]


def test_a_penalty_is_divided_by_weights_of_any_size():
    X, y = three_classes(dtype=np.float32)
    weight = np.full(len(y), 2.0**100)
    with_penalty = MLPClassifier(**SMALL | {"alpha": 2.0**100}).fit(X, y, sample_weight=weight)
    assert_same_bits(
        with_penalty, MLPClassifier(**SMALL | {"alpha": 1.0}).fit(X, y, np.ones(len(y)))
    )


def test_one_heavy_row_is_learned_alone():
    X, y = numbers()
    weight = np.full(len(y), 1e-30, np.float32)
    weight[5] = 1e30
    arguments = SMALL | {
        "max_iter": 300,
        "alpha": 0.0,
        "batch_size": len(y),
        "n_iter_no_change": 300,
    }
    regressor = MLPRegressor(**arguments, learning_rate_init=0.01).fit(
        X.astype(np.float32), y, sample_weight=weight
    )
    assert regressor.predict(X[5:6])[0] == pytest.approx(y[5], abs=0.05)


@pytest.mark.parametrize("power", [-200, 200])
def test_validation_rows_weigh_the_same_at_any_scale(power):
    X, y = three_classes(dtype=np.float32)
    weight = np.linspace(0.5, 1.5, len(y))
    arguments = NO_PENALTY | {"early_stopping": True}
    scaled, plain = (
        MLPClassifier(**arguments).fit(X, y, sample_weight=w)
        for w in (np.ldexp(weight, power), weight)
    )
    assert scaled.validation_scores_ == plain.validation_scores_
    assert scaled.validation_loss_curve_ == plain.validation_loss_curve_


def test_class_weights_can_be_of_any_size():
    X, y = three_classes(dtype=np.float32)
    large = {"a": 2.0**120, "b": 2.0**121, "c": 2.0**120}
    assert_same_bits(
        MLPClassifier(**NO_PENALTY, class_weight=large).fit(X, y),
        MLPClassifier(**NO_PENALTY, class_weight={"a": 1.0, "b": 2.0, "c": 1.0}).fit(X, y),
    )


def test_a_product_of_weights_that_is_not_finite_is_refused():
    X, y = three_classes()
    with pytest.raises(ValueError, match="sample_weight times class_weight must be finite"):
        MLPClassifier(class_weight=dict.fromkeys("abc", 1e200)).fit(
            X, y, sample_weight=np.full(len(y), 1e200)
        )


def test_weights_that_are_all_zero_are_refused():
    X, y = three_classes(dtype=np.float32)
    with pytest.raises(ValueError, match="at least one non-zero number"):
        MLPClassifier().fit(X, y, sample_weight=np.zeros(len(y), np.float32))
