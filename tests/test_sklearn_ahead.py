"""Several epochs of an estimator in one compiled call: as if they had been trained one by one."""

import signal

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn_support import SMALL, Record, assert_same_bits, numbers, three_classes

from fastmlp.engine.several import SeveralRunner
from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def calls(monkeypatch):
    """Return a list of how many epochs each compiled call has trained, which grows."""
    made, real = [], SeveralRunner.train_epochs

    def train_epochs(*arguments):
        results = real(*arguments)
        made.append(len(results))
        return results

    monkeypatch.setattr(SeveralRunner, "train_epochs", train_epochs)
    return made


def fitted(make, arguments, data, **more):
    """Return an estimator with its own generator, and that generator."""
    random_state = np.random.RandomState(7)
    found = make(**SMALL | arguments | {"random_state": random_state}, **more).fit(*data)
    return found, random_state


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (MLPClassifier, {"max_iter": 26}),
        (MLPClassifier, {"max_iter": 9, "shuffle": False, "batch_size": 37}),
        (MLPClassifier, {"max_iter": 9, "dropout": 0.3, "normalization": "batch"}),
        (MLPClassifier, {"max_iter": 60, "tol": 0.02, "n_iter_no_change": 3}),
        (MLPClassifier, {"max_iter": 17, "n_iter_no_change": np.inf}),
        (MLPRegressor, {"max_iter": 40, "solver": "sgd", "learning_rate": "invscaling"}),
        (
            MLPRegressor,
            {"max_iter": 60, "solver": "sgd", "learning_rate": "adaptive", "tol": 0.1,
             "learning_rate_init": 0.02, "n_iter_no_change": 2},
        ),
    ],
)  # fmt: skip
def test_epochs_trained_at_once_are_those_that_a_callback_sees_one_by_one(make, arguments, calls):
    X, y = three_classes() if make is MLPClassifier else numbers()
    weights = np.random.default_rng(0).random(len(X))

    found, generator = fitted(make, arguments, (X, y, weights))
    n_calls = len(calls)
    record = Record()
    expected, own_generator = fitted(make, arguments, (X, y, weights), callbacks=[record])

    assert 0 < n_calls < found.n_iter_
    assert len(calls) == n_calls  # the second estimator needs the other way
    assert_same_bits(found, expected)
    assert found.loss_curve_ == expected.loss_curve_ == [r["loss"] for r in record.records]
    assert (found.n_iter_, found.t_, found.stopped_) == (
        expected.n_iter_, expected.t_, expected.stopped_,
    )  # fmt: skip
    assert generator.randint(2**31) == own_generator.randint(2**31)


def test_no_epoch_is_trained_after_the_one_that_stops_training(calls):
    X, y = three_classes()
    classifier = MLPClassifier(**SMALL | {"max_iter": 1000}, tol=10.0, n_iter_no_change=4)
    classifier.fit(X, y)
    assert classifier.stopped_ == "converged"
    assert sum(calls) == classifier.n_iter_


def test_continuing_does_not_depend_on_where_calls_ended():
    X, y = three_classes()
    once = MLPClassifier(**SMALL | {"max_iter": 24}).fit(X, y)
    thrice = MLPClassifier(**SMALL | {"max_iter": 8}, warm_start=True)
    for _ in range(3):
        thrice.fit(X, y)
    assert_same_bits(once, thrice)


def test_after_ctrl_c_every_epoch_trained_is_recorded(monkeypatch):
    X, y = three_classes()
    made, real = [], SeveralRunner.train_run

    def train_run(runner, *arguments):
        real(runner, *arguments)
        made.append(len(runner.ending.results))
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(SeveralRunner, "train_run", train_run)
        with pytest.warns(UserWarning, match="interrupted by user"):
            classifier, generator = fitted(MLPClassifier, {"max_iter": 100}, (X, y))

    assert made == [classifier.n_iter_]
    assert classifier.n_iter_ > 1
    assert classifier.stopped_ == "interrupted"
    once, own_generator = fitted(MLPClassifier, {"max_iter": classifier.n_iter_}, (X, y))
    assert_same_bits(classifier, once)
    assert classifier.loss_curve_ == once.loss_curve_
    assert generator.randint(2**31) == own_generator.randint(2**31)


def test_a_time_limit_ends_training_after_the_epoch_that_exceeds_it(calls):
    X, y = three_classes()
    classifier, generator = fitted(MLPClassifier, {"time_limit": 1e-9, "max_iter": 50}, (X, y))
    once, own_generator = fitted(MLPClassifier, {"max_iter": 1}, (X, y))
    assert (classifier.n_iter_, classifier.stopped_) == (1, "time limit")
    assert_same_bits(classifier, once)
    assert generator.randint(2**31) == own_generator.randint(2**31)


def test_an_epoch_that_diverges_among_others_brings_back_the_weights_from_before():
    X, y = numbers()
    arguments = SMALL | {"solver": "sgd", "max_iter": 3, "warm_start": True}
    regressor = MLPRegressor(**arguments).fit(X, y)
    before = regressor.coefs_[0].copy()
    regressor.set_params(learning_rate_init=1e3, max_iter=50)
    with pytest.raises(ValueError, match="non-finite parameter weights"):
        regressor.fit(X, y)
    np.testing.assert_array_equal(regressor.coefs_[0], before)
