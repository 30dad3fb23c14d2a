"""The scores of tables are those of scikit-learn."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import metrics as theirs

from fastmlp.tabular import metrics


def drawn(n_classes, seed=3, n=200):
    rng = np.random.default_rng(seed)
    y = rng.integers(n_classes, size=n)
    p = rng.dirichlet(np.ones(n_classes), size=n).round(2) + 0.001
    return y, p / p.sum(axis=1, keepdims=True), rng.uniform(0.5, 2, n)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_of_classes(n_classes, weighted):
    y, p, weights = drawn(n_classes)
    w = weights if weighted else None
    decided = p.argmax(axis=1)

    ours = metrics.scores(y, p, w)

    expected = {
        "accuracy": theirs.accuracy_score(y, decided, sample_weight=w),
        "balanced_accuracy": theirs.balanced_accuracy_score(y, decided, sample_weight=w),
        "log_loss": theirs.log_loss(y, p, sample_weight=w),
        "roc_auc": np.mean(
            [
                theirs.roc_auc_score(y == label, p[:, label], sample_weight=w)
                for label in range(n_classes)
            ]
        ),
    }
    assert ours == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_of_numbers(weighted):
    rng = np.random.default_rng(5)
    y, p, weights = rng.normal(size=(3, 70))
    w = np.abs(weights) if weighted else None

    ours = metrics.scores(y, p, w)

    expected = {
        "rmse": theirs.root_mean_squared_error(y, p, sample_weight=w),
        "mae": theirs.mean_absolute_error(y, p, sample_weight=w),
        "r2": theirs.r2_score(y, p, sample_weight=w),
    }
    assert ours == pytest.approx(expected, rel=1e-9)


def test_a_score_that_rows_do_not_allow_is_nan():
    one_class = metrics.scores(np.zeros(5, int), np.full((5, 2), 0.5))
    constant = metrics.scores(np.full(7, 0.1), np.arange(7.0))

    assert np.isnan(one_class["roc_auc"])
    assert np.isnan(constant["r2"])


def test_the_baseline_predicts_shares_or_the_mean():
    assert metrics.baseline(np.array([0, 2, 2, 2]), 3).tolist() == [0.25, 0, 0.75]
    assert metrics.baseline(np.array([1.0, 2.0, 6.0]), None).tolist() == [3.0]


def test_an_unknown_metric_is_refused_with_those_that_fit():
    with pytest.raises(ValueError, match=r"unknown metric 'rmse': .*accuracy"):
        metrics.metric_of("rmse", classes=True)
