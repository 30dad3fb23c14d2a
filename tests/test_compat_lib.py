"""R1: modular layers with named parameters, their optimizers and training loop."""

import copy

import numpy as np
import pytest

from fastmlp.compat.lib import fully_conn, layer_utils, optim
from fastmlp.compat.lib.grad_check import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
    rel_error,
)
from fastmlp.compat.lib.layer_utils import cross_entropy, dropout, fc, relu, sequential, softmax
from fastmlp.compat.lib.train import compute_acc, data_loader, train_net

CURVES = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.1 * x),
    "relu": lambda x: np.maximum(0, x),
    "elu": lambda x: np.where(x > 0, x, 0.5 * (np.exp(x) - 1)),
    "selu": lambda x: 1.0507 * np.where(x > 0, x, 1.6732 * (np.exp(x) - 1)),
    "tanh": np.tanh,
}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


class TestLayers:
    def test_fc_holds_its_parameters_by_name(self):
        np.random.seed(0)
        layer = fc(3072, 100, 0.05, name="mine")

        assert layer.params[layer.w_name].shape == (3072, 100)
        assert set(layer.params) == set(layer.grads) == {"mine_w", "mine_b"}
        assert layer.params["mine_w"].std() == pytest.approx(0.05, rel=1e-2)
        assert not layer.params["mine_b"].any()

    def test_fc_gradients(self):
        x, layer = draw(5, 2, 3), fc(6, 4, name="f")
        layer.params["f_w"] = draw(6, 4, seed=1)
        layer.params["f_b"] = draw(4, seed=2)
        dout = draw(5, 4, seed=3)

        layer.forward(x)
        dx = layer.backward(dout)

        assert dx.shape == x.shape
        assert rel_error(dx, eval_numerical_gradient_array(layer.forward, x, dout)) < 2e-9
        for name, param in layer.params.items():
            numerical = eval_numerical_gradient_array(lambda _: layer.forward(x), param, dout)
            assert rel_error(layer.grads[name], numerical) < 2e-9

    @pytest.mark.parametrize("name", CURVES)
    def test_activation_curves_and_gradients(self, name):
        layer, x = getattr(layer_utils, name)(), np.linspace(-4, 4, 100).reshape(2, 5, 10)
        dout = draw(2, 5, 10)

        y = layer.forward(x)
        dx = layer.backward(dout)

        assert rel_error(y, CURVES[name](x)) < 1e-9
        assert rel_error(dx, eval_numerical_gradient_array(layer.forward, x, dout)) < 1e-8

    def test_dropout_with_a_seed_draws_one_mask(self):
        x, layer, dout = draw(6, 7), dropout(0.4, seed=3), draw(6, 7, seed=1)

        layer.forward(x, True)
        dx = layer.backward(dout)

        numerical = eval_numerical_gradient_array(lambda z: layer.forward(z, True), x, dout)
        assert rel_error(dx, numerical) < 1e-9

    def test_dropout_without_a_seed_draws_a_new_mask(self):
        x, layer = np.ones((100, 100)), dropout(0.4)

        first, second = layer.forward(x, True), layer.forward(x, True)

        assert (first != second).any()
        assert (first == 0).mean() == pytest.approx(0.4, abs=0.02)
        np.testing.assert_allclose(first[first != 0], 1 / 0.6)

    @pytest.mark.parametrize(("p", "training"), [(0.0, True), (0.4, False)])
    def test_dropout_can_be_the_identity(self, p, training):
        x, layer = draw(3, 4), dropout(p, seed=1)
        np.testing.assert_array_equal(layer.forward(x, training), x)
        np.testing.assert_array_equal(layer.backward(x), x)

    def test_cross_entropy_and_softmax(self):
        x, y, loss = draw(6, 5), np.array([0, 1, 2, 3, 4, 0]), cross_entropy()

        value = loss.forward(x, y)
        gradient = loss.backward()

        share = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
        numerical = eval_numerical_gradient(lambda z: loss.forward(z, y), x, False)
        assert value == pytest.approx(-np.log(share[np.arange(6), y]).mean())
        assert rel_error(gradient, numerical) < 1e-7
        assert rel_error(softmax(x), share) < 1e-12

    def test_backward_before_forward_is_refused(self):
        with pytest.raises(ValueError, match="forward"):
            relu().backward(np.ones(3))


class TestSequential:
    def test_gathers_and_assigns_by_name(self):
        first, second = fc(3, 4, name="a"), fc(4, 2, name="b")
        net = sequential(first, relu(), second)
        w = draw(4, 2)

        net.assign("b_w", w)
        net.assign_grads("a_b", np.ones(4))
        net.params["a_b"] = np.full(4, 2.0)

        assert second.params["b_w"] is w
        assert net.get_params("b_w") is w
        assert net.get_grads("a_b").sum() == 4
        assert first.params["a_b"].sum() == 8
        assert list(net.params) == ["a_w", "a_b", "b_w", "b_b"]

    def test_replaced_dicts_are_used(self):
        layer = fc(3, 2, name="a")
        net = sequential(layer)
        layer.params = {"a_w": np.ones((3, 2)), "a_b": np.array([1.0, 2.0])}
        layer.grads = {"a_w": np.ones((3, 2)), "a_b": np.ones(2)}

        optim.SGD(net, lr=0.5).step()

        np.testing.assert_array_equal(layer.forward(np.ones((1, 3))), [[2.0, 3.0]])

    def test_load_copies_and_prints(self, capsys):
        source = sequential(fc(3, 4, name="a"))
        saved = copy.deepcopy(source.params)
        net = sequential(fc(3, 4, name="a"))

        net.load(saved)

        assert "Loading Params: a_w Shape: (3, 4)" in capsys.readouterr().out
        np.testing.assert_array_equal(net.params["a_w"], source.params["a_w"])
        assert net.params["a_w"] is not saved["a_w"]
        assert type(saved) is dict

    def test_one_name_twice_is_refused(self):
        with pytest.raises(ValueError, match="Existing name a"):
            sequential(fc(3, 4, name="a"), fc(4, 4, name="a"))


@pytest.mark.parametrize(
    ("kind", "width", "tolerance"),
    [
        (fully_conn.TestFCReLU, 12, 1e-7),
        (fully_conn.SmallFullyConnectedNetwork, 4, 1e-7),
        (fully_conn.DropoutNet, 15, 1e-5),
    ],
)
def test_gradients_of_networks(kind, width, tolerance):
    np.random.seed(1)
    net = kind(dropout_p=0.3, seed=3)
    for name, param in net.net.params.items():
        net.net.assign(name, 0.5 * draw(*param.shape, seed=len(name) + param.size))
    x = draw(4, width)
    dout = draw(*net.forward(x).shape, seed=2)

    net.forward(x)
    dx = net.backward(dout)

    assert rel_error(dx, eval_numerical_gradient_array(net.forward, x, dout)) < tolerance
    for name, param in net.net.params.items():
        numerical = eval_numerical_gradient_array(lambda _: net.forward(x), param, dout)
        assert rel_error(net.net.grads[name], numerical) < tolerance


@pytest.mark.parametrize(
    ("kind", "shapes"),
    [
        (fully_conn.TinyNet, [(3072, 512), (512, 10)]),
        (fully_conn.DropoutNetTest, [(3072, 500), (500, 500), (500, 10)]),
        (fully_conn.FullyConnectedNetwork, [(3072, 100), *3 * [(100, 100)], (100, 10)]),
    ],
)
def test_published_networks(kind, shapes):
    net = kind(dtype=np.float32)
    assert [p.shape for p in net.net.params.values() if p.ndim == 2] == shapes
    assert {p.dtype.name for p in net.net.params.values()} == {"float32"}


class Net(fully_conn.Module):
    """A small network with every kind of layer that can be compiled."""

    def __init__(self, p=0.0, seed=None):
        np.random.seed(0)
        layers = [fc(20, 15, 0.3, name="a"), relu(), fc(15, 12, 0.3, name="b"), layer_utils.elu()]
        self.net = sequential(*layers, fc(12, 7, 0.3, name="c"), dropout(p, seed=seed))


class Own(Net):
    """The same as a custom class, so that it runs layer by layer."""

    def forward(self, feat, is_Training=True):
        return super().forward(feat, is_Training)


OPTIMIZERS = {
    "SGD": lambda net: optim.SGD(net, 1e-1),
    "SGDM": lambda net: optim.SGDM(net, 1e-2, 0.9),
    "RMSProp": lambda net: optim.RMSProp(net, 1e-3),
    "Adam": lambda net: optim.Adam(net.net, 1e-3),
}


def data(n=300):
    X, y = draw(n, 4, 5), np.random.default_rng(1).integers(0, 7, n)
    return {"data_train": (X, y), "data_val": (X[:50], y[:50])}


class TestTrainNet:
    @pytest.mark.parametrize("name", OPTIMIZERS)
    def test_compiled_and_layer_by_layer_are_the_same(self, name):
        results, optimizers = [], []
        for net in (Net(), Own()):
            optimizers.append(OPTIMIZERS[name](net))
            np.random.seed(2)
            results.append(train_net(data(), net, cross_entropy(), optimizers[-1], 32, 4, 0.5, 2))
        (best, losses, *accuracies), (own_best, own_losses, *own_accuracies) = results

        assert len(losses) == 4 * 10  # the last minibatch of an epoch is short
        np.testing.assert_allclose(losses, own_losses, rtol=1e-9)
        assert accuracies == own_accuracies
        for key, value in best.items():
            np.testing.assert_allclose(value, own_best[key], rtol=1e-6, atol=1e-9)
        ours, own = (vars(optimizer) for optimizer in optimizers)
        assert ours["lr"] == own["lr"]
        assert ours.get("t") == own.get("t")
        for state in ("velocity", "cache", "mt", "vt"):
            for key, value in ours.get(state, {}).items():
                np.testing.assert_allclose(value, own[state][key], rtol=1e-6, atol=1e-9)

    def test_prints_as_published(self, capsys):
        net = Net()
        train_net(data(), net, cross_entropy(), optim.SGD(net, 0.1), 100, 2, 0.5, 1, 4, True)

        lines = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()]

        assert lines == [
            "(Iteration 1 / 6) loss",
            "(Epoch 1 / 2) Training Accuracy",
            "Decaying learning rate of the optimizer to 0.05",
            "(Iteration 5 / 6) loss",
            "(Epoch 2 / 2) Training Accuracy",
        ]

    def test_returns_copies_of_the_best_parameters(self):
        net = Net()
        best, _, train_acc, val_acc = train_net(
            data(), net, cross_entropy(), optim.Adam(net, 1e-2), 50, 8
        )
        other = Net()
        other.net.load(best)

        X, y = data()["data_val"]
        assert compute_acc(other, X, y) == max(val_acc)
        assert len(train_acc) == 8
        assert best["a_w"] is not net.net.params["a_w"]

    def test_compute_acc_is_the_same_layer_by_layer(self):
        (X, y), _ = data().values()
        assert compute_acc(Net(0.5), X, y) == compute_acc(Own(0.5), X, y)

    def test_a_seeded_dropout_runs_layer_by_layer(self):
        histories = []
        for net in (Net(0.3, seed=4), Own(0.3, seed=4)):
            np.random.seed(2)
            histories.append(train_net(data(), net, cross_entropy(), optim.SGD(net), 32, 2)[1])
        assert histories[0] == histories[1]

    def test_dropout_learns_compiled(self):
        net = Net(0.2)
        losses = train_net(data(), net, cross_entropy(), optim.Adam(net, 1e-2), 50, 10)[1]
        assert np.mean(losses[-6:]) < np.mean(losses[:6])

    def test_selu_and_a_custom_loss_train(self):
        class Doubled(cross_entropy):
            def backward(self):
                return 2.0 * super().backward()

        class SeluNet(fully_conn.Module):
            def __init__(self):
                self.net = sequential(fc(20, 9, 0.3, "a"), layer_utils.selu(), fc(9, 7, 0.3, "b"))

        net = SeluNet()
        losses = train_net(data(), net, Doubled(), optim.SGD(net, 0.1), 50, 5)[1]
        assert losses[-1] < losses[0]


def test_data_loader_visits_each_row_once():
    loader = data_loader(np.arange(10)[:, None], np.arange(10), 4)

    rows = [loader.get_batch() for _ in range(3)]

    assert [len(labels) for _, labels in rows] == [4, 4, 2]
    assert sorted(np.concatenate([labels for _, labels in rows])) == list(range(10))
    assert all((X[:, 0] == labels).all() for X, labels in rows)


def test_optimizer_states_may_be_set_from_outside():
    layer = fc(2, 2, name="a")
    layer.params = {"a_w": np.ones((2, 2)), "a_b": np.ones(2)}
    layer.grads = {"a_w": np.full((2, 2), 0.5), "a_b": np.zeros(2)}
    adam = optim.Adam(sequential(layer), lr=0.1, t=5)
    adam.mt = {"a_w": np.full((2, 2), 0.3), "a_b": np.zeros(2)}
    adam.vt = {"a_w": np.full((2, 2), 0.2), "a_b": np.zeros(2)}

    adam.step()

    m, v = 0.9 * 0.3 + 0.1 * 0.5, 0.999 * 0.2 + 0.001 * 0.25
    expected = 1 - 0.1 * (m / (1 - 0.9**6)) / (np.sqrt(v / (1 - 0.999**6)) + 1e-8)
    assert adam.t == 6
    np.testing.assert_allclose(layer.params["a_w"], expected, rtol=1e-13)
    np.testing.assert_allclose(adam.mt["a_w"], m, rtol=1e-13)
