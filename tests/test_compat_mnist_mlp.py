"""R5: the MNIST perceptron whose layers get their inputs again."""

import json

import numpy as np
import pytest

from fastmlp.compat import mnist_mlp
from fastmlp.compat.cs231n.gradient_check import eval_numerical_gradient_array
from fastmlp.gradcheck import relative_error


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_linear_layer_gradients():
    np.random.seed(0)
    layer, X, grad = mnist_mlp.linear_layer(5, 4), draw(6, 5), draw(6, 4, seed=1)

    dX = layer.backward(X, grad)

    assert relative_error(dX, eval_numerical_gradient_array(layer.forward, X, grad)) < 1e-8
    for name, param in layer.params.items():
        numerical = eval_numerical_gradient_array(lambda _: layer.forward(X), param, grad)
        assert layer.gradient[name].shape == param.shape
        assert relative_error(layer.gradient[name], numerical) < 1e-8


@pytest.mark.parametrize("kind", [mnist_mlp.relu, mnist_mlp.tanh])
def test_activation_gradients(kind):
    layer, X, grad = kind(), draw(6, 5), draw(6, 5, seed=1)
    numerical = eval_numerical_gradient_array(layer.forward, X, grad)
    assert relative_error(layer.backward(X, grad), numerical) < 1e-8


def test_dropout_keeps_what_numpy_draws():
    layer, X, grad = mnist_mlp.dropout(0.3), draw(6, 5), draw(6, 5, seed=1)
    np.random.seed(4)
    draws = np.random.uniform(0.0, 1.0, X.shape)
    np.random.seed(4)

    y = layer.forward(X, is_train=True)

    np.testing.assert_allclose(y, X * (draws >= 0.3) / 0.7)
    np.testing.assert_allclose(layer.backward(X, grad), grad * (draws >= 0.3) / 0.7)
    np.testing.assert_array_equal(layer.forward(X, is_train=False), X)


def test_loss_takes_labels_in_a_column():
    loss, X, Y = mnist_mlp.softmax_cross_entropy(), draw(6, 5), np.array([[0, 1, 2, 3, 4, 0]]).T
    share = np.exp(X) / np.exp(X).sum(axis=1, keepdims=True)

    value, gradient = loss.forward(X, Y), loss.backward(X, Y)

    assert value == pytest.approx(-np.log(share[np.arange(6), Y[:, 0]]).mean())
    np.testing.assert_allclose(gradient, (share - np.eye(5)[Y[:, 0]]) / 6, atol=1e-15)


@pytest.mark.parametrize("alpha", [0.0, 0.9])
def test_steps_are_the_published_formula(alpha):
    np.random.seed(0)
    model = {"L1": mnist_mlp.linear_layer(4, 3), "act": mnist_mlp.relu()}
    momentum = mnist_mlp.add_momentum(model) if alpha else None
    w, v = model["L1"].params["W"].copy(), np.zeros((4, 3))

    for seed in range(3):
        model["L1"].gradient = {"W": draw(4, 3, seed=seed), "b": np.zeros((1, 3))}
        result = mnist_mlp.miniBatchStochasticGradientDescent(model, momentum, 0.1, alpha, 0.05)
        v = alpha * v - 0.05 * (draw(4, 3, seed=seed) + 0.1 * w)
        w += v

    assert result is model
    np.testing.assert_allclose(model["L1"].params["W"], w, rtol=1e-12)
    if alpha:
        assert set(momentum) == {"L1_W", "L1_b"}
        np.testing.assert_allclose(momentum["L1_W"], v, rtol=1e-12)


@pytest.fixture
def subset(tmp_path):
    """A file of 150 rows in which the brightest of ten pixels is the label."""
    rng = np.random.default_rng(0)
    X, y = rng.random((150, 12)), rng.integers(0, 10, 150)
    X[np.arange(150), y] += 2.0
    parts = {"train": slice(0, 100), "valid": slice(100, 130), "test": slice(130, 150)}
    path = tmp_path / "subset.json"
    content = {name: [X[rows].tolist(), y[rows].tolist()] for name, rows in parts.items()}
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "relu"},
        {"activation": "tanh", "alpha": 0.5},
        {"lambda": 1e-3, "num_epoch": 12},
    ],
)
def test_main_learns_and_prints_its_progress(subset, tmp_path, capsys, options):
    out = tmp_path / "out.json"
    params = {"input_file": subset, "learning_rate": 0.02, "num_epoch": 15, "output_file": out}

    losses, train_acc, val_acc = mnist_mlp.main(params | {"dropout_rate": 0.1} | options)

    n_epochs = {**params, **options}["num_epoch"]
    printed = capsys.readouterr().out
    assert len(losses) == len(train_acc) == len(val_acc) == n_epochs
    assert losses[-1] < losses[0]
    assert train_acc[-1] > 0.9
    assert f"Validation accuracy at epoch 3 is {val_acc[2]}" in printed
    assert json.loads(out.read_text()) == {"train": train_acc, "val": val_acc}


def test_main_with_the_same_seed_gives_the_same_result(subset):
    params = {"input_file": subset, "num_epoch": 2, "random_seed": 7}
    assert mnist_mlp.main(params) == mnist_mlp.main(params)


def test_a_minibatch_has_at_most_all_rows(subset):
    params = {"input_file": subset, "num_epoch": 2}

    assert mnist_mlp.main(params | {"minibatch_size": 5000}) == mnist_mlp.main(
        params | {"minibatch_size": 100}
    )


def test_compiled_and_readable_training_are_the_same(subset, monkeypatch):
    params = {"input_file": subset, "num_epoch": 1, "alpha": 0.8, "dropout_rate": 0.0}

    compiled = mnist_mlp.main(params)
    monkeypatch.setattr(mnist_mlp, "_compiled_steps", lambda *_: np.random.randint(2**31) and None)
    readable = mnist_mlp.main(params)

    np.testing.assert_allclose(compiled, readable, rtol=1e-9)


def test_unknown_names_are_refused(subset):
    with pytest.raises(ValueError, match="did you mean 'relu'"):
        mnist_mlp.main({"input_file": subset, "activation": "rellu"})
    with pytest.raises(ValueError, match="optimization_type"):
        mnist_mlp.main({"input_file": subset}, "newton")
