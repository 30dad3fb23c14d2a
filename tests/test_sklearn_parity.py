"""The estimators match scikit-learn's: the same arguments, weights, minibatches and rules."""

import inspect

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.7")  # older versions have no sample weights

from sklearn import neural_network as theirs
from sklearn.datasets import load_breast_cancer, load_diabetes, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning

from fastmlp import sklearn as ours

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FEW = {"hidden_layer_sizes": (20, 10), "max_iter": 8, "random_state": 3}
# The two add Adam's epsilon at different places; with a tiny one, their formulas agree.
ADAM = {"solver": "adam", "epsilon": 1e-20}


def binary(dtype=np.float64):
    X, y = load_breast_cancer(return_X_y=True)
    return ((X - X.mean(axis=0)) / X.std(axis=0)).astype(dtype), np.array(["no", "yes"])[y]


def multiclass():
    X, _ = binary()
    return X, np.digitize(X[:, 0] + X[:, 5], [-1.0, 1.0]) * 10


def multilabel():
    return make_multilabel_classification(n_samples=310, n_features=12, random_state=0)


def regression():
    X, y = load_diabetes(return_X_y=True)
    return 10 * X, (y - y.mean()) / y.std()


def multioutput():
    X, y = regression()
    return X, np.column_stack([y, np.abs(y), y**2])


def assert_same_training(name, X, y, rtol=1e-9, fit=None, **arguments):
    theirs_ = getattr(theirs, name)(**FEW | arguments).fit(X, y, **fit or {})
    ours_ = getattr(ours, name)(**FEW | arguments).fit(X, y, **fit or {})
    for a, b in zip(
        theirs_.coefs_ + theirs_.intercepts_, ours_.coefs_ + ours_.intercepts_, strict=True
    ):
        np.testing.assert_allclose(b, a, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(ours_.predict(X[:50]) == theirs_.predict(X[:50]), 1.0) if hasattr(
        ours_, "classes_"
    ) else np.testing.assert_allclose(ours_.predict(X), theirs_.predict(X), rtol=1e3 * rtol)
    return theirs_, ours_


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_arguments_are_scikit_learns_and_ours_come_after(name):
    expected = inspect.signature(getattr(theirs, name)).parameters
    found = inspect.signature(getattr(ours, name)).parameters
    assert list(found)[: len(expected)] == list(expected)
    for argument, parameter in expected.items():
        assert (found[argument].default, found[argument].kind) == (
            parameter.default,
            parameter.kind,
        )
    for argument in list(found)[len(expected) :]:
        assert found[argument].kind == inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("data", [binary, multiclass, multilabel], ids=lambda f: f.__name__)
@pytest.mark.parametrize("solver", [{"solver": "sgd", "learning_rate_init": 0.05}, ADAM])
def test_a_classifier_learns_the_same(data, solver):
    a, b = assert_same_training("MLPClassifier", *data(), **solver)
    np.testing.assert_allclose(b.loss_curve_, a.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(
        b.predict_proba(data()[0]), a.predict_proba(data()[0]), rtol=1e-7, atol=1e-12
    )


@pytest.mark.parametrize("data", [regression, multioutput], ids=lambda f: f.__name__)
@pytest.mark.parametrize("solver", [{"solver": "sgd", "learning_rate_init": 0.05}, ADAM])
def test_a_regressor_learns_the_same(data, solver):
    a, b = assert_same_training("MLPRegressor", *data(), **solver)
    np.testing.assert_allclose(b.loss_curve_, a.loss_curve_, rtol=1e-9)


def test_poisson_learns_the_same():
    X, y = regression()
    a, b = assert_same_training("MLPRegressor", X, np.round(np.exp(y)), loss="poisson", **ADAM)
    np.testing.assert_allclose(b.loss_curve_, a.loss_curve_, rtol=1e-8)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_poisson_of_weighted_rows_is_reported_as_in_scikit_learn(early_stopping):
    X, y = regression()
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    arguments = {"loss": "poisson", "early_stopping": early_stopping, "alpha": 0.0} | ADAM
    a, b = assert_same_training(
        "MLPRegressor", X, np.round(np.exp(y)), fit={"sample_weight": weight}, **arguments
    )
    np.testing.assert_allclose(b.loss_curve_, a.loss_curve_, rtol=1e-8)


@pytest.mark.parametrize(
    "arguments",
    [
        {"activation": "tanh"},
        {"activation": "logistic"},
        {"activation": "identity", "learning_rate_init": 0.01},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": 7},
        {"alpha": 5.0},
        {"alpha": 0.0, "batch_size": 32},
        {"shuffle": False},
        {"momentum": 0.0},
        {"momentum": 1.0, "learning_rate_init": 1e-3},
        {"nesterovs_momentum": False},
        {"learning_rate": "invscaling", "power_t": 0.1},
        {"learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 2, "max_iter": 30},
        {"tol": 0.05, "n_iter_no_change": 3, "max_iter": 60},
        {"early_stopping": True, "max_iter": 60, "n_iter_no_change": 3},
        {"early_stopping": True, "validation_fraction": 0.3, "batch_size": 50},
    ],
    ids=str,
)
def test_every_argument_means_the_same(arguments):
    a, b = assert_same_training(
        "MLPClassifier",
        *binary(),
        **{"solver": "sgd", "learning_rate_init": 0.05} | arguments,
    )
    np.testing.assert_allclose(b.loss_curve_, a.loss_curve_, rtol=1e-9)
    for attribute in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_"):
        assert getattr(a, attribute) == getattr(b, attribute)
    assert a.validation_scores_ == pytest.approx(b.validation_scores_)
    assert a.best_validation_score_ == pytest.approx(b.best_validation_score_)
    assert a.best_loss_ == pytest.approx(b.best_loss_)


def test_r2_stops_a_regressor_as_in_scikit_learn():
    X, y = multioutput()
    a, b = assert_same_training(
        "MLPRegressor", X, y, early_stopping=True, max_iter=60, n_iter_no_change=3, **ADAM
    )
    assert a.n_iter_ == b.n_iter_
    np.testing.assert_allclose(b.validation_scores_, a.validation_scores_, rtol=1e-7)


@pytest.mark.parametrize("data", [binary, multiclass], ids=lambda f: f.__name__)
def test_weighted_rows_count_the_same(data):
    X, y = data()
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    a, b = assert_same_training(
        "MLPClassifier", X, y, fit={"sample_weight": weight}, solver="sgd", batch_size=len(X)
    )
    np.testing.assert_allclose(b.loss_curve_, a.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_weighted_minibatches_learn_the_same(name, alpha):
    X, y = binary() if name == "MLPClassifier" else multioutput()
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X))
    a, b = assert_same_training(
        name, X, y, fit={"sample_weight": weight}, alpha=alpha, batch_size=40, **ADAM
    )
    np.testing.assert_allclose(b.loss_curve_, a.loss_curve_, rtol=1e-9)


def test_a_short_minibatch_is_penalised_the_same_where_gradients_are_clipped():
    X, y = multioutput()
    arguments = FEW | {"alpha": 5.0, "batch_size": 100}  # 442 rows
    plain = ours.MLPRegressor(**arguments).fit(X, y)
    clipped = ours.MLPRegressor(**arguments, clip_norm=1e6).fit(X, y)  # has no effect
    np.testing.assert_allclose(clipped.coefs_[0], plain.coefs_[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(clipped.loss_curve_, plain.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("MLPClassifier", binary),
        ("MLPClassifier", multiclass),
        ("MLPClassifier", multilabel),
        ("MLPRegressor", regression),
        ("MLPRegressor", multioutput),
    ],
    ids=lambda x: getattr(x, "__name__", x),
)
@pytest.mark.parametrize("weighted", [False, True])
def test_lbfgs_takes_the_same_steps(name, data, weighted):
    X, y = data()
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(X)) if weighted else None
    a, b = assert_same_training(
        name, X, y, 1e-5, {"sample_weight": weight}, solver="lbfgs", alpha=0.1, max_iter=50
    )
    assert b.loss_ == pytest.approx(a.loss_, rel=1e-7)
    assert a.n_iter_ == b.n_iter_


def test_lbfgs_takes_the_same_steps_with_several_counts():
    X, y = multioutput()
    y = np.round(np.exp(np.clip(y, -3, 3)))
    a, b = assert_same_training(
        "MLPRegressor", X, y, 1e-5, loss="poisson", solver="lbfgs", max_iter=40
    )
    assert b.loss_ == pytest.approx(a.loss_, rel=1e-7)


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_lbfgs_works_with_fastmlps_own_losses(loss):
    X, y = multioutput()
    regressor = ours.MLPRegressor(
        loss, (20,), solver="lbfgs", random_state=0, max_iter=300, alpha=0.01
    ).fit(X, y)
    constant = ours.MLPRegressor(loss, (), solver="lbfgs", random_state=0).fit(0 * X, y)
    assert regressor.loss_curve_ == sorted(regressor.loss_curve_, reverse=True)
    assert regressor.loss_ < 0.8 * constant.loss_


def test_float32_follows_as_closely_as_float32_can():
    X, y = binary(np.float32)
    a, b = assert_same_training("MLPClassifier", X, y, rtol=2e-4, solver="sgd")
    assert {c.dtype for c in b.coefs_} == {c.dtype for c in a.coefs_} == {np.dtype(np.float32)}
    assert b.predict_proba(X).dtype == np.float32


def test_it_prints_the_same_lines(capsys):
    arguments = {"solver": "sgd", "verbose": True, "early_stopping": True, "n_iter_no_change": 1}
    X, y = binary()
    theirs.MLPClassifier(**FEW | arguments | {"tol": 10.0}).fit(X, y)
    expected = capsys.readouterr().out
    ours.MLPClassifier(**FEW | arguments | {"tol": 10.0}).fit(X, y)
    assert capsys.readouterr().out == expected
    assert "Stopping." in expected


@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_too_few_iterations_warn(solver):
    X, y = binary()
    with pytest.warns(ConvergenceWarning) as caught:
        ours.MLPClassifier(max_iter=2, solver=solver).fit(X, y)
    assert caught[0].filename == __file__


def test_one_class_is_predicted_as_in_scikit_learn():
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.full(30, 7)
    a, b = assert_same_training("MLPClassifier", X, y, **ADAM)
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), rtol=1e-7)


def test_one_class_is_scored_as_in_scikit_learn():
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.full(30, 7)
    a, b = assert_same_training("MLPClassifier", X, y, early_stopping=True, **ADAM)
    assert a.validation_scores_ == b.validation_scores_


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"activation": "rel"},
        {"solver": "rmsprop"},
        {"alpha": -1.0},
        {"hidden_layer_sizes": (-1,)},
        {"batch_size": 0},
        {"beta_1": 1.0},
        {"momentum": 2},
        {"max_iter": 0.5},
        {"learning_rate": "step"},
        {"dropout": 1.0},
        {"normalization": "group"},
        {"scoring": "acuracy"},
        {"time_limit": 0},
        {"n_threads": 0},
        {"matmul_precision": "low"},
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(name, wrong):
    X, y = regression()
    with pytest.raises(ValueError, match=next(iter(wrong))):
        getattr(ours, name)(**wrong).fit(X, y > 0)
