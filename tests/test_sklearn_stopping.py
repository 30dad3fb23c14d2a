"""What ends training: callbacks, the time limit, Ctrl-C, or a diverging loss."""

import copy
import signal
import threading
import time

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.exceptions import ConvergenceWarning
from sklearn_support import SMALL, Record, assert_same_bits, numbers, three_classes, weights_of

from fastmlp import Callback
from fastmlp.engine.several import SeveralRunner
from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_callbacks_are_called_and_can_stop():
    X, y = three_classes()
    record = Record(stop_after=3)
    classifier = MLPClassifier(**SMALL, callbacks=[record]).fit(X, y)
    assert classifier.n_iter_ == 3
    assert classifier.stopped_ == record.history.stopped == "enough"
    assert [r["loss"] for r in record.records] == classifier.loss_curve_
    assert record.info.n_samples == 300


def test_an_object_that_is_not_a_callback_is_refused():
    X, y = three_classes()
    with pytest.raises(TypeError, match="each callback must be an object"):
        MLPClassifier(callbacks=[3]).fit(X, y)


def test_callbacks_follow_lbfgs_too():
    X, y = three_classes()
    record = Record(stop_after=4)
    classifier = MLPClassifier(solver="lbfgs", random_state=0, callbacks=[record]).fit(X, y)
    assert len(classifier.loss_curve_) == 4
    assert classifier.stopped_ == "enough"


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_time_limit_stops_training(solver):
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


@pytest.mark.parametrize("delay", [0.02, 0.04, 0.06, 0.08])
def test_ctrl_c_between_short_epochs_is_never_lost_and_leaves_whole_epochs(delay, monkeypatch):
    X, y = three_classes()
    timer = threading.Timer(delay, signal.raise_signal, [signal.SIGINT])
    real = SeveralRunner.train_epochs

    def train_epochs(*arguments):
        if not timer.ident:
            timer.start()
        return real(*arguments)

    monkeypatch.setattr(SeveralRunner, "train_epochs", train_epochs)
    with pytest.warns(UserWarning, match="interrupted by user"):
        classifier = MLPClassifier(max_iter=10**6, n_iter_no_change=10**6, tol=0).fit(X, y)

    assert classifier.stopped_ == "interrupted"
    assert len(classifier.loss_curve_) == classifier.n_iter_ > 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


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
    with pytest.warns(ConvergenceWarning, match="diverged in epoch") as caught:
        regressor.fit(X, y)
    assert caught[0].filename == __file__
    assert np.isfinite(weights_of(regressor)).all()
    assert np.isnan(regressor.loss_curve_[-1])
