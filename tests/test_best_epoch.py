"""The best epoch when the monitored value is sometimes, or always, NaN."""

import math

import numpy as np
import pytest
from networks import blobs

import fastmlp
from fastmlp import EarlyStopping
from fastmlp.callbacks import Callback
from fastmlp.layers import Linear


class Scores(Callback):
    """Writes a score to each record, and saves the parameters of each epoch."""

    def __init__(self, *scores):
        self.scores, self.thetas = scores, []

    def on_epoch_end(self, epoch, record, model):
        record["val_auc"] = self.scores[epoch]
        self.thetas.append(model.theta.copy())


def fit(scores, **options):
    X, y = blobs(40, 6, 3)
    model = fastmlp.Sequential(Linear(6, 3))
    history = model.fit(
        X, y, epochs=len(scores.scores), callbacks=[scores], verbose=False, **options
    )
    return model, history


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_without_a_comparable_epoch_the_last_parameters_stay_with_a_warning(value):
    scores = Scores(*[value] * 4)

    with pytest.warns(UserWarning, match="val_auc was not finite in any epoch"):
        model, history = fit(
            scores, early_stopping=EarlyStopping(9, monitor="val_auc"), restore_best=True
        )

    assert history.best_epoch is None
    np.testing.assert_array_equal(model.theta, scores.thetas[-1])


def test_patience_ends_with_nan_too():
    scores = Scores(*[math.nan] * 9)

    with pytest.warns(UserWarning, match="not finite in any epoch"):
        model, history = fit(scores, early_stopping=EarlyStopping(3, monitor="val_auc"))

    assert history.stopped == "early stopping"
    assert len(history) == 3
    np.testing.assert_array_equal(model.theta, scores.thetas[2])


@pytest.mark.parametrize(
    ("values", "best"),
    [((math.nan, 0.5, 0.4), 1), ((0.7, math.nan, math.nan), 0), ((0.1, math.nan, 0.2), 2)],
)
def test_an_epoch_with_nan_is_never_the_best(values, best):
    scores = Scores(*values)

    model, history = fit(
        scores, early_stopping=EarlyStopping(9, monitor="val_auc"), restore_best=True
    )

    assert history.best_epoch == best
    np.testing.assert_array_equal(model.theta, scores.thetas[best])


@pytest.mark.parametrize(
    ("values", "earlier", "later"),
    [((0.5, 0.7, 0.7, 0.6), 1, 2), ((0.5, 0.5, 0.5), 0, 2), ((0.1, 0.2, 0.3), 2, 2)],
)
def test_ties_go_to_the_earlier_or_the_later_epoch(values, earlier, later):
    for ties, best in {"earlier": earlier, "later": later}.items():
        scores = Scores(*values)

        model, history = fit(
            scores,
            early_stopping=EarlyStopping(None, monitor="val_auc", ties=ties),
            restore_best=True,
        )

        assert history.best_epoch == best
        assert history.stopped is None
        np.testing.assert_array_equal(model.theta, scores.thetas[best])


def test_a_tie_is_no_improvement():
    scores = Scores(0.5, 0.5, 0.5, 0.5, 0.5)

    _, history = fit(scores, early_stopping=EarlyStopping(3, monitor="val_auc", ties="later"))

    assert (history.stopped, history.best_epoch) == ("early stopping", 3)


def test_later_epochs_without_a_number_do_not_tie():
    scores = Scores(math.nan, -math.inf, -math.inf)

    with pytest.warns(UserWarning, match="not finite in any epoch"):
        _, history = fit(scores, early_stopping=EarlyStopping(9, "val_auc", ties="later"))

    assert history.best_epoch is None


def test_unknown_ties_are_refused():
    with pytest.raises(ValueError, match="ties"):
        EarlyStopping(ties="last")
