"""What the estimators do that scikit-learn's do not, or not exactly."""

import copy
import pickle
import time

import numpy as np
import pytest

pytest.importorskip("sklearn")

from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression
from sklearn.exceptions import ConvergenceWarning

from fastmlp import Callback
from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_layer_sizes": (16,), "random_state": 0, "max_iter": 5}


def three_classes(n=300, dtype=np.float64):
    X, y = make_classification(n, 10, n_informative=6, n_classes=3, random_state=0)
    return X.astype(dtype), np.array(["a", "b", "c"])[y]


def numbers(n=300, n_targets=1):
    X, y = make_regression(n, 8, n_targets=n_targets, noise=0.1, random_state=0)
    return X, y / y.std()


def weights_of(estimator):
    return np.concatenate([a.ravel() for a in estimator.coefs_ + estimator.intercepts_])


def assert_same_bits(a, b):
    np.testing.assert_array_equal(weights_of(a), weights_of(b))


class Record(Callback):
    """Keeps what it is told; stops after some epochs."""

    def __init__(self, stop_after=None):
        self.stop_after, self.records, self.history, self.info = stop_after, [], None, None

    def on_train_begin(self, info):
        self.info = info

    def on_epoch_end(self, epoch, record, model):
        self.records.append(dict(record))
        return "enough" if epoch + 1 == self.stop_after else None

    def on_train_end(self, history):
        self.history = history


# Going on.


@pytest.mark.parametrize(
    "arguments",
    [
        {"solver": "adam"},
        {"solver": "adamw", "dropout": 0.3},
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 10.0, "n_iter_no_change": 1},
        {"normalization": "batch"},
    ],
    ids=str,
)
def test_n_times_one_epoch_is_one_time_n_epochs(arguments):
    X, y = three_classes()
    once = MLPClassifier(**SMALL | arguments).fit(X, y)
    warm = MLPClassifier(**SMALL | arguments | {"max_iter": 1, "warm_start": True})
    partial = MLPClassifier(**SMALL | arguments)
    for _ in range(once.n_iter_):
        warm.fit(X, y)
        partial.partial_fit(X, y, classes=np.unique(y))
    for stepwise in (warm, partial):
        assert_same_bits(stepwise, once)
        np.testing.assert_array_equal(stepwise.loss_curve_, once.loss_curve_)
        assert stepwise.t_ == once.t_
        assert stepwise.best_loss_ == once.best_loss_


def test_a_regressor_goes_on_after_pickling():
    X, y = numbers(n_targets=2)
    once = MLPRegressor(**SMALL).fit(X, y)
    stepwise = MLPRegressor(**SMALL)
    for _ in range(5):
        stepwise = pickle.loads(pickle.dumps(stepwise.partial_fit(X, y)))
    assert_same_bits(stepwise, once)


def test_early_stopping_keeps_its_rows_aside_when_it_goes_on():
    X, y = three_classes()
    arguments = SMALL | {"early_stopping": True, "restore_best": False}
    once = MLPClassifier(**arguments).fit(X, y)
    stepwise = MLPClassifier(**arguments | {"max_iter": 1, "warm_start": True})
    for _ in range(5):
        stepwise.fit(X, y)
    assert_same_bits(stepwise, once)
    assert stepwise.validation_scores_ == once.validation_scores_


def test_fit_without_warm_start_begins_anew():
    X, y = three_classes()
    again = MLPClassifier(**SMALL).fit(X, y).fit(X, y)
    assert_same_bits(again, MLPClassifier(**SMALL).fit(X, y))


def test_partial_fit_takes_batches_without_all_classes():
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL)
    for label in ("a", "b", "c"):
        classifier.partial_fit(X[y == label], y[y == label], classes=["a", "b", "c"])
    assert list(classifier.classes_) == ["a", "b", "c"]
    assert classifier.predict_proba(X).shape == (len(X), 3)
    with pytest.raises(ValueError, match="classes not in"):
        classifier.partial_fit(X, np.full(len(X), "d"))


def test_lbfgs_has_no_partial_fit():
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")
    assert hasattr(MLPRegressor(solver="adamw"), "partial_fit")


def test_another_network_does_not_go_on():
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="training goes on with a network of"):
        classifier.set_params(hidden_layer_sizes=(5,)).fit(X, y)


def test_warm_start_refuses_other_classes():
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="same classes as in the previous"):
        classifier.fit(X, np.where(y == "a", "z", y))


# Predictions.


@given(
    width=st.integers(1, 40),
    n_classes=st.sampled_from([2, 3, 17]),
    dtype=st.sampled_from(["float32", "float64"]),
    normalization=st.sampled_from([None, "batch", "layer"]),
)
def test_a_row_alone_is_predicted_as_in_a_batch(width, n_classes, dtype, normalization):
    rng = np.random.default_rng(width)
    X = rng.normal(0, 3, (70, 5)).astype(dtype)
    y = rng.permutation(np.arange(70) % n_classes)
    classifier = MLPClassifier(
        (width,), max_iter=1, random_state=0, normalization=normalization
    ).fit(X, y)
    for method in (classifier.predict, classifier.predict_proba, classifier.predict_log_proba):
        together = method(X)
        for i in range(len(X)):
            np.testing.assert_array_equal(method(X[i : i + 1])[0], together[i])


def test_numbers_of_one_row_are_those_of_the_batch():
    X, y = numbers(n_targets=3)
    regressor = MLPRegressor(**SMALL).fit(X, y)
    together = regressor.predict(X)
    assert together.shape == (300, 3)
    for i in range(0, 300, 7):
        np.testing.assert_array_equal(regressor.predict(X[i : i + 1])[0], together[i])


def test_log_probabilities_stay_finite_where_probabilities_vanish():
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL).fit(X, y)
    log_p = classifier.predict_log_proba(1e4 * X)
    assert np.isfinite(log_p).all()
    assert classifier.predict_proba(1e4 * X).min() == 0.0
    np.testing.assert_allclose(
        classifier.predict_log_proba(X), np.log(classifier.predict_proba(X)), rtol=1e-12
    )


def test_weights_may_be_edited_and_assigned():
    X, y = numbers()
    regressor = MLPRegressor(**SMALL).fit(X, y)
    regressor.coefs_[1][...] = 0.0
    regressor.intercepts_ = [np.zeros(16), [2.5]]
    np.testing.assert_array_equal(regressor.predict(X), np.full(300, 2.5))


def test_there_are_no_weights_before_fit():
    assert not hasattr(MLPClassifier(), "coefs_")
    with pytest.raises(AttributeError, match="before fit"):
        MLPRegressor().coefs_ = [np.zeros((2, 2))]


# Data.


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_input_is_the_dense_input(form, solver):
    X, y = three_classes()
    X[np.abs(X) < 0.7] = 0.0
    arguments = SMALL | {"solver": solver}
    a, b = MLPClassifier(**arguments).fit(X, y), MLPClassifier(**arguments).fit(form(X), y)
    assert_same_bits(a, b)
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(form(X)))


def test_sparse_rows_are_predicted_a_part_at_a_time():
    X, y = three_classes(5000)
    classifier = MLPClassifier(**SMALL).fit(X[:300], y[:300])
    np.testing.assert_array_equal(
        classifier.predict_proba(sparse.csr_matrix(X)), classifier.predict_proba(X)
    )


def test_a_large_sparse_matrix_is_learned_a_part_at_a_time(monkeypatch):
    X, y = three_classes(1030)
    X[np.abs(X) < 0.7] = 0.0
    weight = np.random.default_rng(0).uniform(0.5, 1.5, len(X))
    arguments = SMALL | {"batch_size": 50, "early_stopping": True}
    whole = MLPClassifier(**arguments).fit(X, y, sample_weight=weight)
    monkeypatch.setattr("fastmlp.sklearn._data._LARGE", 4 * 80 * 120)
    parts = MLPClassifier(**arguments).fit(sparse.csc_matrix(X), y, sample_weight=weight)
    assert_same_bits(parts, whole)
    assert parts.loss_curve_ == whole.loss_curve_


def test_several_labels_at_once():
    X, Y = make_multilabel_classification(200, 10, n_classes=4, random_state=0)
    classifier = MLPClassifier(
        **SMALL | {"max_iter": 100, "learning_rate_init": 0.02, "label_smoothing": 0.1}
    ).fit(X, Y)
    assert classifier.out_activation_ == "logistic"
    assert classifier.predict(X).shape == Y.shape
    assert set(np.unique(classifier.predict(X))) <= {0, 1}
    assert classifier.score(X, Y) > 0.3


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_float32_stays_float32(solver):
    X, y = three_classes(dtype=np.float32)
    classifier = MLPClassifier(**SMALL | {"solver": solver}).fit(X, y)
    assert {a.dtype for a in classifier.coefs_ + classifier.intercepts_} == {np.dtype(np.float32)}
    assert classifier.predict_proba(X).dtype == np.float32


def test_the_same_bits_on_any_number_of_threads():
    X, y = three_classes(2000)
    one, two = (
        MLPClassifier((64, 64), max_iter=3, random_state=0, n_threads=n).fit(X, y) for n in (1, 2)
    )
    assert_same_bits(one, two)


def test_a_batch_larger_than_the_data_is_clipped_with_a_warning():
    X, y = three_classes(50)
    with pytest.warns(UserWarning, match="clipped") as caught:
        clipped = MLPClassifier(**SMALL, batch_size=500).fit(X, y)
    assert caught[0].filename == __file__
    assert_same_bits(clipped, MLPClassifier(**SMALL, batch_size=50).fit(X, y))


# What scikit-learn's do not have.


@pytest.mark.parametrize(
    "arguments",
    [
        {"dropout": 0.2},
        {"normalization": "batch"},
        {"normalization": "layer"},
        {"solver": "adamw", "weight_decay": 0.1},
        {"clip_norm": 0.5},
        {"label_smoothing": 0.1},
        {"class_weight": "balanced"},
        {"class_weight": {"a": 2.0}},
        {"matmul_precision": "medium"},
        {"n_threads": 1},
        *({"activation": a} for a in ("leaky_relu", "elu", "selu", "gelu", "silu", "mish")),
    ],
    ids=str,
)
def test_it_learns_with(arguments):
    X, y = three_classes()
    classifier = MLPClassifier(
        **SMALL | {"max_iter": 60, "learning_rate_init": 0.01} | arguments
    ).fit(X, y)
    assert classifier.score(X, y) > 0.8


def test_class_weight_is_sample_weight():
    X, y = three_classes()
    weight = np.where(y == "a", 3.0, 1.0)
    assert_same_bits(
        MLPClassifier(**SMALL, class_weight={"a": 3.0}).fit(X, y),
        MLPClassifier(**SMALL).fit(X, y, sample_weight=weight),
    )


def test_balanced_classes_need_all_rows():
    X, y = three_classes()
    with pytest.raises(ValueError, match="'balanced' needs all rows at once"):
        MLPClassifier(class_weight="balanced").partial_fit(X, y, classes=np.unique(y))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"loss": "absolute_error"}, np.median),
        ({"loss": "quantile", "quantile": 0.9}, lambda y: np.quantile(y, 0.9)),
        ({"loss": "huber", "huber_delta": 1e-3}, np.median),
        ({"loss": "squared_error"}, np.mean),
        ({"loss": "poisson"}, np.mean),
    ],
    ids=["absolute_error", "quantile", "huber", "squared_error", "poisson"],
)
def test_each_loss_finds_its_own_centre(arguments, expected):
    rng = np.random.default_rng(0)
    y = rng.gamma(1.0, 2.0, (2000, 2)) * [1.0, 3.0]
    regressor = MLPRegressor(
        hidden_layer_sizes=(), learning_rate_init=0.05, max_iter=200, random_state=0, **arguments
    ).fit(np.zeros((2000, 1)), y)
    for column in range(2):
        assert regressor.predict(np.zeros((1, 1)))[0, column] == pytest.approx(
            expected(y[:, column]), rel=0.1
        )


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "poisson"])
def test_an_output_given_twice_is_learned_as_once(solver, loss):
    # the scale of the gradient does not depend on the number of outputs
    class FromZero(Callback):
        def on_train_begin(self, info):
            info.model.theta = 0.0

    X, y = numbers()
    y = np.exp(y / 2)
    arguments = {"solver": solver, "loss": loss, "hidden_layer_sizes": (), "shuffle": False}
    arguments |= {"max_iter": 20, "learning_rate_init": 0.01, "callbacks": [FromZero()]}
    one = MLPRegressor(**arguments).fit(X, y)
    two = MLPRegressor(**arguments).fit(X, np.column_stack([y, y]))
    rtol = 1e-2 if solver == "lbfgs" else 1e-7
    np.testing.assert_allclose(two.predict(X)[:, 0], one.predict(X), rtol=rtol, atol=rtol)


def test_own_validation_rows_are_not_learned_from():
    X, y = three_classes()
    with_rows = MLPClassifier(**SMALL).fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    assert_same_bits(with_rows, MLPClassifier(**SMALL).fit(X[:200], y[:200]))
    assert len(with_rows.validation_scores_) == len(with_rows.validation_loss_curve_) == 5
    assert with_rows.validation_scores_[-1] == with_rows.score(X[200:], y[200:])
    log_p = with_rows.predict_log_proba(X[200:])
    codes = np.searchsorted(with_rows.classes_, y[200:])
    assert with_rows.validation_loss_curve_[-1] == pytest.approx(
        -log_p[np.arange(100), codes].mean()
    )


def test_own_validation_rows_stop_training():
    X, y = three_classes()
    classifier = MLPClassifier(
        **SMALL | {"max_iter": 500, "early_stopping": True, "n_iter_no_change": 3}
    ).fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    assert classifier.n_iter_ < 500
    assert classifier.stopped_ == "converged"
    assert classifier.score(X[200:], y[200:]) == classifier.best_validation_score_


def test_validation_rows_without_targets_are_refused():
    X, y = three_classes()
    with pytest.raises(ValueError, match="given together"):
        MLPClassifier().fit(X, y, X_val=X)


@pytest.mark.parametrize("scoring", ["balanced_accuracy", "neg_log_loss"])
def test_any_scorer_stops_training(scoring):
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL | {"early_stopping": True}, scoring=scoring).fit(X, y)
    assert len(classifier.validation_scores_) == 5
    assert classifier.best_validation_score_ == max(classifier.validation_scores_)


def test_a_function_scores():
    X, y = numbers()
    regressor = MLPRegressor(
        **SMALL | {"early_stopping": True}, scoring=lambda e, X, y: -np.abs(e.predict(X) - y).max()
    ).fit(X, y)
    assert regressor.best_validation_score_ < 0


def test_the_best_weights_may_be_left_or_restored():
    X, y = three_classes()
    arguments = SMALL | {"learning_rate_init": 0.5, "max_iter": 30}
    held_out = {"X_val": X[200:], "y_val": y[200:]}
    best = MLPClassifier(**arguments, restore_best=True).fit(X[:200], y[:200], **held_out)
    last = MLPClassifier(**arguments, restore_best=False).fit(X[:200], y[:200], **held_out)
    assert best.score(X[200:], y[200:]) == max(best.validation_scores_)
    assert last.score(X[200:], y[200:]) == last.validation_scores_[-1]


def test_callbacks_are_told_and_may_stop():
    X, y = three_classes()
    record = Record(stop_after=3)
    classifier = MLPClassifier(**SMALL, callbacks=[record]).fit(X, y)
    assert classifier.n_iter_ == 3
    assert classifier.stopped_ == record.history.stopped == "enough"
    assert [r["loss"] for r in record.records] == classifier.loss_curve_
    assert record.info.n_samples == 300


def test_what_is_no_callback_is_refused():
    X, y = three_classes()
    with pytest.raises(TypeError, match="each of callbacks must be an object"):
        MLPClassifier(callbacks=[3]).fit(X, y)


def test_early_stopping_may_be_turned_off_between_fits():
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL, early_stopping=True, warm_start=True).fit(X, y)
    classifier.set_params(early_stopping=False).fit(X, y)
    assert classifier.best_loss_ == min(classifier.loss_curve_[5:])


def test_callbacks_follow_lbfgs_too():
    X, y = three_classes()
    record = Record(stop_after=4)
    classifier = MLPClassifier(solver="lbfgs", random_state=0, callbacks=[record]).fit(X, y)
    assert len(classifier.loss_curve_) == 4
    assert classifier.stopped_ == "enough"


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_clock_stops_training(solver):
    X, y = three_classes()
    started = time.perf_counter()
    classifier = MLPClassifier(
        solver=solver, max_iter=10**6, max_fun=10**8, tol=0, time_limit=0.2, n_iter_no_change=10**6
    ).fit(X, y)
    assert classifier.stopped_ in ("time limit", None)
    assert time.perf_counter() - started < 30


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_ctrl_c_keeps_what_was_learned(solver):
    class Interrupt(Callback):
        def on_epoch_end(self, epoch, record, model):
            raise KeyboardInterrupt

    X, y = three_classes()
    arguments = SMALL | {"solver": solver}
    with pytest.warns(UserWarning, match="interrupted by user"):
        classifier = MLPClassifier(**arguments, callbacks=[Interrupt()]).fit(X, y)
    once = MLPClassifier(**arguments | {"max_iter": 1}).fit(X, y)
    assert_same_bits(classifier, once)
    assert (classifier.loss_, classifier.n_iter_) == (once.loss_, 1)
    assert classifier.stopped_ == "interrupted"


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_data_too_large_for_its_dtype_is_refused(solver):
    X, y = numbers()
    regressor = MLPRegressor(**SMALL | {"solver": solver})
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="non-finite parameter weights"):
        regressor.fit(1e305 * X, y)
    assert np.isfinite(weights_of(regressor)).all()


def test_a_diverged_partial_fit_leaves_the_network_as_it_was():
    X, y = numbers()
    regressor = MLPRegressor(**SMALL | {"solver": "sgd"}).partial_fit(X, y)
    before = copy.deepcopy(regressor)
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        regressor.partial_fit(1e200 * X, 1e150 * y)
    assert_same_bits(regressor, before)


def test_divergence_ends_early_stopping_with_the_best_weights():
    X, y = numbers()
    regressor = MLPRegressor(
        activation="identity", solver="sgd", learning_rate_init=1.0, early_stopping=True,
        random_state=0,
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning, match="diverged in epoch"):
        regressor.fit(X, y)
    assert np.isfinite(weights_of(regressor)).all()
    assert np.isnan(regressor.loss_curve_[-1])


@pytest.mark.parametrize(
    "arguments", [{"dropout": 0.1}, {"normalization": "batch"}, {"clip_norm": 1.0}], ids=str
)
def test_lbfgs_refuses_what_it_cannot_do(arguments):
    X, y = three_classes()
    with pytest.raises(ValueError, match="solver='adam'"):
        MLPClassifier(solver="lbfgs", **arguments).fit(X, y)


def test_counts_are_not_negative():
    X, y = numbers()
    with pytest.raises(ValueError, match="at least 0 for the loss 'poisson'"):
        MLPRegressor(loss="poisson").fit(X, y)


def test_targets_are_numbers():
    X, y = numbers()
    with pytest.raises(ValueError, match="y must hold numbers"):
        MLPRegressor().fit(X, y.astype(str))


@pytest.mark.parametrize("sizes", [(3.5,), [[3, 2]], (0,), (4, -1)], ids=str)
def test_sizes_are_whole_numbers(sizes):
    X, y = numbers()
    with pytest.raises(ValueError, match="hidden_layer_sizes must be > 0"):
        MLPRegressor(hidden_layer_sizes=sizes).fit(X, y)


@pytest.mark.parametrize(
    ("targets", "kind"),
    [(lambda y: y == "a", "b"), (lambda y: np.where(y == "a", 2.0, 1.0), "f"), (list, "U")],
    ids=["bool", "float", "list"],
)
def test_classes_keep_their_type(targets, kind):
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL).fit(X.tolist(), targets(y))
    assert classifier.predict(X.tolist()).dtype.kind == kind


def test_sparse_labels_come_back_sparse():
    X, Y = make_multilabel_classification(100, 10, random_state=0)
    classifier = MLPClassifier(**SMALL).fit(X, sparse.csr_matrix(Y))
    assert sparse.issparse(classifier.predict(X))
