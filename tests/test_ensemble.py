"""An ensemble predicts the mean of its models, chooses them by validation, and fits in one file."""

import numpy as np
import pytest
from model_files import header_of, with_architecture, with_header
from networks import Identity, blobs, every_layer
from sentences import refused

import fastmlp
from fastmlp import Ensemble, Linear, ReLU, Sequential, losses


def trained(loss="cross_entropy", n=3, C=3, dtype="float32", widths=(4, 7, 5), epochs=2):
    """Return models of different widths and the rows that they were trained on."""
    X, labels = blobs(90, 6, C, seed=1)
    y = labels
    if loss == "binary_cross_entropy":
        y = np.eye(C)[labels]
    elif loss not in ("cross_entropy", "hinge"):
        y = np.abs(X[:, :C]) + 0.5
    models = []
    for seed in range(n):
        H = widths[seed % len(widths)]
        model = Sequential(Linear(6, H), ReLU(), Linear(H, C), seed=seed, dtype=dtype)
        model.fit(X, y, loss=loss, epochs=epochs, batch_size=30, seed=seed, verbose=False)
        models.append(model)
    return models, X, y


def softmax(z):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


OF_OUTPUTS = {
    "cross_entropy": softmax,
    "binary_cross_entropy": lambda z: 1 / (1 + np.exp(-z)),
    "poisson": np.exp,
    "mse": lambda z: z,
    "hinge": lambda z: z,
}


@pytest.mark.parametrize("loss", OF_OUTPUTS)
@pytest.mark.parametrize("weights", [None, [3, 0, 1]])
def test_the_mean_is_of_what_the_outputs_stand_for(loss, weights):
    models, X, _ = trained(loss)
    each = [OF_OUTPUTS[loss](model.predict(X).astype("float64")) for model in models]

    predicted = Ensemble(models, weights).predict(X)

    assert predicted.dtype == np.float32
    np.testing.assert_allclose(predicted, np.average(each, axis=0, weights=weights), rtol=1e-5)


@pytest.mark.parametrize("loss", OF_OUTPUTS)
def test_an_ensemble_of_one_evaluates_like_its_model(loss):
    models, X, y = trained(loss, n=1, dtype="float64")

    found = Ensemble(models).evaluate(X, y)

    assert found[0] == pytest.approx(models[0].evaluate(X, y)[0], rel=1e-9)
    assert found[1] == models[0].evaluate(X, y)[1]


def test_the_loss_of_a_mean_weights_rows_like_that_of_a_model():
    models, X, y = trained(dtype="float64")
    weights = np.linspace(0, 2, len(X))
    ensemble = Ensemble(models)
    p = ensemble.predict(X)[np.arange(len(X)), y]

    value, _ = ensemble.evaluate(X, y, sample_weight=weights)

    assert value == pytest.approx(np.average(-np.log(p), weights=weights))


def test_probabilities_of_zero_and_one_have_finite_losses():
    models, X, y = trained("binary_cross_entropy", n=2)
    for model in models:
        model.theta *= 1e4

    assert np.isfinite(Ensemble(models).evaluate(X, y)[0])


def chosen_by_hand(models, X, y, size):
    """Add the best of all models again and again; return the counts when the loss was least."""
    each = np.array([softmax(model.predict(X).astype("float64")) for model in models])
    added, found = [], []
    for _ in range(size):
        tried = [
            -np.log(each[[*added, i]].mean(axis=0)[np.arange(len(y)), y]).mean()
            for i in range(len(models))
        ]
        added.append(int(np.argmin(tried)))
        found.append(min(tried))
    return np.bincount(added[: int(np.argmin(found)) + 1], minlength=len(models))


@pytest.mark.parametrize("size", [1, 4, 12])
def test_selection_adds_the_model_that_helps_the_most(size):
    models, X, y = trained(n=6)
    X_val, y_val = X[::2] + 0.3, y[::2]
    counts = chosen_by_hand(models, X_val, y_val, size)

    selected = Ensemble.select(models, X_val, y_val, size=size)

    assert list(selected.models) == [models[i] for i in np.flatnonzero(counts)]
    np.testing.assert_allclose(selected.weights, counts[counts > 0] / counts.sum())


def test_selection_never_chooses_a_model_that_diverged():
    models, X, y = trained(n=3)
    models[1].theta[...] = np.nan

    selected = Ensemble.select(models, X, y, size=5)

    assert models[1] not in selected.models
    with refused(ValueError, "finite"):
        Ensemble.select([models[1]], X, y)


def test_models_that_do_not_fit_together_are_refused():
    models, X, y = trained()
    [number], _, _ = trained("mse", n=1)
    [other], _, _ = trained(n=1, C=2)

    for wrong, words in (
        ([], "at least one"),
        ([Sequential(Linear(6, 3))], "not been trained"),
        ([models[0], number], "one kind"),
        ([models[0], other], "outputs"),
        ([models[0], "model"], "Sequential"),
        (models[0], "list"),
    ):
        with refused((TypeError, ValueError), words):
            Ensemble(wrong)
    with refused(ValueError, "weights"):
        Ensemble(models, [1, 2])
    with refused(ValueError, "other outputs"):
        Ensemble(models).evaluate(X, y, loss="mse")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_ensemble_comes_back_from_its_file(dtype, tmp_path):
    models, X, y = trained(dtype=dtype)
    ensemble = Ensemble(models, [0.2, 1 / 3, 0.7])
    ensemble.save(tmp_path / "ensemble.safetensors")

    loaded = fastmlp.load(tmp_path / "ensemble.safetensors")

    assert isinstance(loaded, Ensemble)
    np.testing.assert_array_equal(loaded.weights, ensemble.weights)
    np.testing.assert_array_equal(loaded.predict(X), ensemble.predict(X))
    assert loaded.evaluate(X, y) == ensemble.evaluate(X, y)


def test_running_statistics_and_settings_of_every_layer_come_back(tmp_path):
    X, y = blobs(60, 12, 3)
    models = [every_layer(12, width, 3) for width in (9, 5)]
    for model in models:
        model.fit(X, y, epochs=1, batch_size=20, verbose=False)
    Ensemble(models).save(tmp_path / "ensemble")

    loaded = fastmlp.load(tmp_path / "ensemble")

    for model, back in zip(models, loaded.models, strict=True):
        np.testing.assert_array_equal(back.predict(X), model.predict(X))


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """Return the bytes of an ensemble's file."""
    path = tmp_path_factory.mktemp("saved") / "ensemble.safetensors"
    Ensemble(trained()[0]).save(path)
    return path.read_bytes()


def assert_refused(tmp_path, content, *words):
    (tmp_path / "damaged").write_bytes(content)
    with refused(ValueError, "damaged", *words):
        fastmlp.load(tmp_path / "damaged")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a | {"format": "fastmlp ensemble 9"}, "version"),
        (lambda a: a | {"weights": [1.0, 2.0]}, "weights"),
        (lambda a: a | {"weights": [1.0, -2.0, 1.0]}, "negative"),
        (lambda a: a | {"weights": [0.0, 0.0, 0.0]}, "weights"),
        (lambda a: a | {"weights": "equal"}, ""),
        (lambda a: a | {"weights": None}, ""),
        (lambda a: a | {"models": a["models"][:2]}, "match its models"),
        (lambda a: a | {"models": [*a["models"], a["models"][0]]}, "model 3"),
        (lambda a: a | {"models": []}, "match its models"),
        (lambda a: a | {"models": a["models"][::-1]}, "model 0"),
        (lambda a: a | {"models": 3}, "corrupt"),
        (lambda a: {k: v for k, v in a.items() if k != "models"}, "corrupt"),
        (lambda a: {k: v for k, v in a.items() if k != "weights"}, "corrupt"),
        (lambda a: a | {"models": [m | {"loss": {"loss": "exec"}} for m in a["models"]]}, "loss"),
        (lambda a: a | {"models": [m | {"dtype": "float16"} for m in a["models"]]}, "corrupt"),
    ],
)
def test_a_damaged_description_is_refused(change, words, content, tmp_path):
    assert_refused(tmp_path, with_architecture(content, change), words)


@pytest.mark.parametrize("name", ["7.0.weight", "weight", "-1.0.weight", "0.9.weight", "00", "²"])
def test_an_array_of_no_model_is_refused(name, content, tmp_path):
    header, data = header_of(content)
    renamed = {name if k == "0.0.weight" else k: v for k, v in header.items()}

    assert_refused(tmp_path, with_header(renamed, data))


@pytest.mark.parametrize("n", [1, 100])
def test_a_truncated_or_longer_ensemble_is_refused(n, content, tmp_path):
    assert_refused(tmp_path, content[:-n], "truncated")
    assert_refused(tmp_path, content + bytes(n), "longer")


def test_the_bound_on_layers_counts_those_of_all_models(tmp_path):
    models, _, _ = trained()
    Ensemble(models).save(tmp_path / "ensemble")

    with refused(ValueError, "9 layers", "max_layers"):
        fastmlp.load(tmp_path / "ensemble", max_layers=8)
    assert len(fastmlp.load(tmp_path / "ensemble", max_layers=9)) == 3


def test_what_a_file_cannot_hold_is_refused_by_its_model(tmp_path):
    models, X, y = trained(n=1)
    own = Sequential(Linear(6, 3), Identity())
    own.fit(X, y, epochs=1, verbose=False)

    with refused(TypeError, "model 1", "Identity"):
        Ensemble([*models, own]).save(tmp_path / "ensemble")
    with refused(ValueError, "safetensors"):
        Ensemble(models).save(tmp_path / "ensemble.onnx")
    assert not list(tmp_path.iterdir())


def test_a_model_trained_with_ones_own_loss_is_averaged_but_not_saved(tmp_path):
    class Own:
        def value_and_gradient(self, outputs, targets, sample_weight):
            return losses.MSE().value_and_gradient(outputs, targets, sample_weight)

    X, _ = blobs(30, 6, 3)
    model = Sequential(Linear(6, 2))
    model.fit(X, X[:, :2], loss=Own(), epochs=1, verbose=False)

    np.testing.assert_allclose(Ensemble([model]).predict(X), model.predict(X))
    with refused(TypeError, "model 0", "loss"):
        Ensemble([model]).save(tmp_path / "ensemble")


def test_weights_that_are_not_finite_are_reported(tmp_path):
    models, _, _ = trained()
    models[2].theta[0] = np.nan

    with pytest.warns(RuntimeWarning, match="model 2 of the ensemble"):
        Ensemble(models).save(tmp_path / "ensemble")
    with pytest.warns(RuntimeWarning, match="model 2 of the ensemble"):
        fastmlp.load(tmp_path / "ensemble")
