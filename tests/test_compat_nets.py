"""The two-layer nets of R2 and R3, and the net of R4."""

import numpy as np
import pytest

from fastmlp.compat import momentum_net
from fastmlp.compat.cs231n.classifiers.neural_net import TwoLayerNet as ColumnsNet
from fastmlp.compat.cs231n.gradient_check import eval_numerical_gradient
from fastmlp.compat.nndl.neural_net import TwoLayerNet as RowsNet
from fastmlp.gradcheck import relative_error

NETS = (RowsNet, ColumnsNet)


def by_layers(kind):
    """Return a custom subclass, whose own loss is used for every step."""

    class Own(kind):
        def loss(self, X, y=None, reg=0.0):
            return super().loss(X, y, reg)

    return Own


def toy_data(seed=1, n=5, d=4):
    np.random.seed(seed)
    return 10 * np.random.randn(n, d), np.arange(n) % 3


def make(kind, *sizes, std=1e-1):
    np.random.seed(0)
    return kind(*sizes, std=std)


def test_published_toy_scores_and_loss():
    net = RowsNet(4, 10, 3, std=1e-1)
    X, y = toy_data()[0], np.array([0, 1, 2, 2, 1])

    scores = net.loss(X)
    loss, _ = net.loss(X, y, reg=0.05)

    published = [
        [-1.07260209, 0.05083871, -0.87253915],
        [-2.02778743, -0.10832494, -1.52641362],
        [-0.74225908, 0.15259725, -0.39578548],
        [-0.38172726, 0.10835902, -0.17328274],
        [-0.64417314, -0.18886813, -0.41106892],
    ]
    np.testing.assert_allclose(scores, published, atol=5e-9)
    assert loss == pytest.approx(1.071696123862817, abs=1e-12)


def test_shapes_of_the_weights():
    assert {k: v.shape for k, v in make(RowsNet, 4, 6, 3).params.items()} == {
        "W1": (6, 4),
        "b1": (6,),
        "W2": (3, 6),
        "b2": (3,),
    }
    assert make(ColumnsNet, 4, 6, 3).params["W1"].shape == (4, 6)


@pytest.mark.parametrize("kind", NETS)
def test_gradients_are_the_numerical_ones(kind):
    net, (X, y) = make(kind, 4, 10, 3), toy_data()

    _, grads = net.loss(X, y, reg=0.05)

    for name, param in net.params.items():
        numerical = eval_numerical_gradient(
            lambda _: net.loss(X, y, reg=0.05)[0], param, verbose=False
        )
        assert relative_error(grads[name], numerical) < 1e-7


@pytest.mark.parametrize("kind", NETS)
def test_compiled_and_readable_training_are_the_same(kind):
    X, y = toy_data(n=230, d=7)
    results = []
    for net in (make(kind, 7, 9, 3), make(by_layers(kind), 7, 9, 3)):
        np.random.seed(3)
        options = {"learning_rate": 1e-2, "reg": 0.1, "num_iters": 31, "batch_size": 32}
        results.append((net.params, net.train(X, y, X[:40], y[:40], **options)))

    (params, history), (own_params, own_history) = results

    assert len(history["loss_history"]) == 31
    assert len(history["val_acc_history"]) == 5  # iterations 0, 7, 14, 21, 28
    np.testing.assert_allclose(history["loss_history"], own_history["loss_history"], rtol=1e-12)
    assert history["train_acc_history"] == own_history["train_acc_history"]
    assert history["val_acc_history"] == own_history["val_acc_history"]
    for name, param in params.items():
        np.testing.assert_allclose(param, own_params[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
def test_training_accepts_any_numeric_dtype(dtype):
    X, y = toy_data(n=64)
    X = np.abs(X).astype(dtype)
    results = []
    for net in (make(ColumnsNet, 4, 5, 3), make(by_layers(ColumnsNet), 4, 5, 3)):
        np.random.seed(3)
        results.append(net.train(X, y, X, y, num_iters=5, batch_size=8)["loss_history"])

    np.testing.assert_allclose(*results, rtol=1e-6)


def test_training_prints_as_published(capsys):
    X, y = toy_data(n=40)

    make(ColumnsNet, 4, 5, 3).train(X, y, X, y, num_iters=201, batch_size=10, verbose=True)

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "iteration 0 / 201",
        "iteration 100 / 201",
        "iteration 200 / 201",
    ]


def test_training_continues_when_the_loss_is_not_finite():
    X, y = toy_data(n=40)
    with np.errstate(all="ignore"):
        history = make(ColumnsNet, 4, 5, 3).train(
            X, y, X, y, learning_rate=1e200, reg=1.0, num_iters=12, batch_size=10
        )

    assert len(history["loss_history"]) == 12
    assert not np.isfinite(history["loss_history"][-1])
    assert len(history["val_acc_history"]) == 3


@pytest.mark.parametrize("kind", NETS)
def test_replaced_parameters_are_used(kind):
    net, (X, y) = make(kind, 4, 6, 3), toy_data()
    other = {name: np.array(value[::-1]) for name, value in net.params.items()}
    other["b2"] = np.array([5.0, 0.0, 0.0])

    net.params = other
    net.train(X, y, X, y, learning_rate=0.0, num_iters=2, batch_size=5)

    assert net.params is other
    assert (net.predict(X) == 0).mean() > 0.5
    np.testing.assert_array_equal(net.params["b2"], [5.0, 0.0, 0.0])


def test_labels_out_of_range_are_refused():
    X, _ = toy_data()
    with pytest.raises(ValueError, match="3"):
        make(ColumnsNet, 4, 6, 3).train(X, np.arange(5), X, np.arange(5), num_iters=1)


class TestMomentumNet:
    def test_gradients_are_the_numerical_ones(self):
        np.random.seed(0)
        net = momentum_net.FullyConnectedNet(6, input_dim=12, num_classes=3)
        x, y = np.random.randn(5, 3, 4), np.array([0, 1, 2, 2, 1])
        before = x.copy()

        scores, cache = net.forward(x)
        _, dscores = momentum_net.cross_entropy_loss(scores, y)
        net.backward(dscores, cache)

        def loss(_):
            return momentum_net.cross_entropy_loss(net.forward(x)[0], y)[0]

        np.testing.assert_array_equal(x, before)
        for name, param in net.params.items():
            numerical = eval_numerical_gradient(loss, param, verbose=False)
            assert relative_error(net.grads[name], numerical) < 1e-7

    def test_weights_start_with_the_published_deviation(self):
        np.random.seed(0)
        net = momentum_net.FullyConnectedNet(500)

        assert net.params["W1"].shape == (3072, 500)
        assert net.params["W1"].std() == pytest.approx(1 / np.sqrt(3072 / 2), rel=1e-2)
        assert not net.params["b1"].any()

    def test_steps_are_the_published_formula_in_place(self):
        rng = np.random.default_rng(0)
        params = {"a": rng.normal(size=(3, 4)), 7: np.asfortranarray(rng.normal(size=(4, 2)))}
        expected = {name: value.copy() for name, value in params.items()}
        m = {name: np.zeros_like(value) for name, value in params.items()}
        held = dict(params)
        optimizer = momentum_net.SGD(params, 0.1, beta=0.9)

        for alpha in (0.1, 0.1, 0.02):
            optimizer.alpha = alpha
            grads = {name: rng.normal(size=value.shape) for name, value in params.items()}
            optimizer.step(grads)
            for name in expected:
                m[name] = 0.9 * m[name] + grads[name]
                expected[name] -= alpha * m[name]

        for name, value in params.items():
            assert value is held[name]
            np.testing.assert_allclose(value, expected[name], rtol=1e-13)
            np.testing.assert_allclose(optimizer.m[name], m[name], rtol=1e-13)
