"""Arguments, and values of arguments, that scikit-learn's estimators do not have."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn_support import SMALL, numbers, three_classes

from fastmlp import Callback
from fastmlp.layers import ACTIVATIONS, NORMALIZATIONS
from fastmlp.sklearn import MLPClassifier, MLPRegressor
from fastmlp.sklearn._network import REGRESSION_LOSSES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    "arguments",
    [
        {"dropout": 0.2},
        *({"normalization": name} for name in NORMALIZATIONS),
        {"solver": "adamw", "weight_decay": 0.1},
        {"clip_norm": 0.5},
        {"label_smoothing": 0.1},
        {"class_weight": "balanced"},
        {"class_weight": {"a": 2.0}},
        {"matmul_precision": "medium"},
        {"n_threads": 1},
        *({"activation": name} for name in ACTIVATIONS if name != "sigmoid"),
    ],
    ids=str,
)
def test_it_learns_with(arguments):
    X, y = three_classes()
    classifier = MLPClassifier(
        **SMALL | {"max_iter": 60, "learning_rate_init": 0.01} | arguments
    ).fit(X, y)
    assert classifier.score(X, y) > 0.8


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
def test_each_loss_finds_its_own_centre_of_the_targets(arguments, expected):
    rng = np.random.default_rng(0)
    y = rng.gamma(1.0, 2.0, (2000, 2)) * [1.0, 3.0]
    regressor = MLPRegressor(
        hidden_layer_sizes=(), learning_rate_init=0.05, max_iter=200, random_state=0, **arguments
    ).fit(np.zeros((2000, 1)), y)
    for column in range(2):
        assert regressor.predict(np.zeros((1, 1)))[0, column] == pytest.approx(
            expected(y[:, column]), rel=0.1
        )


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_it_learns_with_every_loss(loss):
    X, y = numbers()
    arguments = SMALL | {"max_iter": 100, "learning_rate_init": 0.01}

    regressor = MLPRegressor(loss, **arguments).fit(X, np.exp(y / 2))

    assert regressor.score(X, np.exp(y / 2)) > 0.5


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "poisson"])
def test_duplicating_an_output_changes_nothing(solver, loss):
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


@pytest.mark.parametrize(
    "arguments", [{"dropout": 0.1}, {"normalization": "batch"}, {"clip_norm": 1.0}], ids=str
)
def test_lbfgs_refuses_what_it_cannot_do(arguments):
    X, y = three_classes()
    with pytest.raises(ValueError, match="solver='adam'"):
        MLPClassifier(solver="lbfgs", **arguments).fit(X, y)


@pytest.mark.parametrize("sizes", [(3.5,), [[3, 2]], (0,), (4, -1)], ids=str)
def test_hidden_sizes_must_be_whole_numbers(sizes):
    X, y = numbers()
    with pytest.raises(ValueError, match="hidden_layer_sizes must be > 0"):
        MLPRegressor(hidden_layer_sizes=sizes).fit(X, y)
