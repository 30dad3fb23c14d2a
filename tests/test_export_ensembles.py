"""Exported ensembles: one file predicts the mean of several networks."""

import numpy as np
import pytest
from exported import SUFFIX, error, everywhere, require, run, run_onnx
from networks import blobs

import fastmlp
from fastmlp import Ensemble, LayerNorm, Linear, Normalize, ReLU, Sequential, Tanh

pytest.importorskip("sklearn")
from fastmlp.sklearn import (
    MLPClassifier,
    MLPEnsembleClassifier,
    MLPEnsembleRegressor,
    MLPRegressor,
)

TOLERANCE = 1e-6  # of the largest output
LOSSES = ["cross_entropy", "binary_cross_entropy", "poisson", "mse"]
QUICK = {"hidden_layer_sizes": (6,), "max_iter": 3}


def different_networks(loss="mse", far=False):
    """Return three networks for 5 inputs and 3 outputs; one standardises inputs far from 0."""
    mean = np.array([1e9, 1, 2, 3, 4]) if far else np.zeros(5)
    models = [
        Sequential(Normalize(mean, 2.0), Linear(5, 7), Tanh(), Linear(7, 3), seed=1),
        Sequential(Linear(5, 4), LayerNorm(4), ReLU(), Linear(4, 3), seed=2, dtype="float64"),
        Sequential(Linear(5, 3), seed=3),
    ]
    for model in models:
        model.loss = fastmlp.losses.get(loss)
    return models


def check(runner, model, wanted, X, path):
    """Export a model and compare with what it should predict."""
    require(runner)
    model.export(path / f"mean{SUFFIX[runner]}")

    assert error(run(runner, path / f"mean{SUFFIX[runner]}", X), wanted) < TOLERANCE


@pytest.mark.parametrize(("runner", "loss"), everywhere(LOSSES))
def test_a_file_gives_what_the_ensemble_predicts(runner, loss, tmp_path):
    ensemble = Ensemble(different_networks(loss), [3, 1, 2])
    X = np.random.default_rng(4).normal(size=(30, 5))

    check(runner, ensemble, ensemble.predict(X), X, tmp_path)


@pytest.mark.parametrize("runner", ["onnxruntime", "gcc"])
def test_inputs_are_float64_if_one_of_the_networks_needs_it(runner, tmp_path):
    ensemble = Ensemble(different_networks(far=True)[:1] * 2 + different_networks(far=True)[2:])
    X = np.random.default_rng(5).normal(size=(30, 5))
    ensemble.models[2].params["0.weight"][0] = 0.0  # to it, all such rows are alike
    X[:, 0] += 1e9

    check(runner, ensemble, ensemble.predict(X), X, tmp_path)


def test_a_network_of_weight_0_leaves_no_trace(tmp_path):
    models = different_networks()
    models[0].params["1.weight"][...] = np.nan
    Ensemble(models[1:]).export(tmp_path / "two.h")

    Ensemble(models, [0, 1, 1]).export(tmp_path / "two_of_three.h")

    texts = [(tmp_path / name).read_text() for name in ("two.h", "two_of_three.h")]
    assert texts[1].replace("two_of_three", "two").replace("TWO_OF_THREE", "TWO") == texts[0]


def test_the_weights_of_an_ensemble_can_have_8_bits(tmp_path):
    require("gcc")
    ensemble = Ensemble(different_networks("cross_entropy"))
    X = np.random.default_rng(6).normal(size=(30, 5))

    ensemble.export(tmp_path / "small.h", int8=True)

    assert error(run("gcc", tmp_path / "small.h", X), ensemble.predict(X)) < 0.03
    assert "signed char small_weight" in (tmp_path / "small.h").read_text()


def classifiers(y, X, **given):
    """Return a fitted ensemble of three."""
    options = {"random_state": 5, "n_jobs": 1} | given
    with pytest.warns(UserWarning, match="Maximum iterations"):
        return MLPEnsembleClassifier(MLPClassifier(**QUICK), 3, **options).fit(X, y)


@pytest.mark.parametrize(
    ("runner", "kind"), everywhere(["two classes", "four classes", "three labels"])
)
def test_probabilities_are_those_of_an_ensemble_of_classifiers(runner, kind, tmp_path):
    X, y = blobs(80, 5, 4, seed=7, dtype="float64")
    targets = {
        "two classes": np.array(["ash", "elm"])[y % 2],
        "four classes": np.array(["ash", "elm", "oak", "yew"])[y],
        "three labels": (y[:, None] + 1 >> np.arange(3)) & 1,
    }
    fitted = classifiers(targets[kind], X)

    check(runner, fitted, fitted.predict_proba(X), X, tmp_path)

    if runner == "onnxruntime":
        labels = run_onnx(tmp_path / "mean.onnx", X)[0]
        assert labels.tolist() == fitted.predict(X).tolist()


@pytest.mark.parametrize(("runner", "known"), everywhere([[0], [2, 0]]))
def test_a_member_that_lacks_some_classes_gives_them_no_probability(runner, known, tmp_path):
    X, y = blobs(80, 5, 3, seed=8, dtype="float64")
    fitted = classifiers(np.array(["a", "b", "c"])[y], X)
    some = np.isin(y, known)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        member = MLPClassifier(**QUICK).fit(X[some], np.array(["a", "b", "c"])[y[some]])
    fitted.estimators_[1] = member

    check(runner, fitted, fitted.predict_proba(X), X, tmp_path)


@pytest.mark.parametrize(("runner", "loss"), everywhere(["squared_error", "poisson"]))
def test_numbers_are_those_of_an_ensemble_of_regressors(runner, loss, tmp_path):
    X, y = blobs(80, 5, 4, seed=9, dtype="float64")
    with pytest.warns(UserWarning, match="Maximum iterations"):
        fitted = MLPEnsembleRegressor(MLPRegressor(loss, **QUICK), 3, random_state=5).fit(X, y)

    check(runner, fitted, fitted.predict(X)[:, None], X, tmp_path)
