"""The modular framework of R2: layers, update rules, nets, solver, pictures."""

import numpy as np
import pytest
import reference

from fastmlp.compat.cs231n import layer_utils, layers, optim, vis_utils
from fastmlp.compat.cs231n.gradient_check import (
    eval_numerical_gradient,
    eval_numerical_gradient_array,
)
from fastmlp.compat.cs231n.solver import Solver
from fastmlp.compat.nndl import fc_net
from fastmlp.gradcheck import relative_error


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def assert_backward(forward, backward, x, *arrays):
    """Assert that the gradients for x and the arrays match the numerical ones."""
    out, cache = forward()
    dout = draw(*out.shape, seed=9)
    gradients = backward(dout, cache)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    for array, gradient in zip((x, *arrays), gradients, strict=True):
        numerical = eval_numerical_gradient_array(lambda _: forward()[0], array, dout)
        assert gradient.shape == array.shape
        assert relative_error(gradient, numerical) < 1e-7


class TestLayers:
    def test_affine(self):
        x, w, b = draw(2, 3, 4), draw(12, 5, seed=1), draw(5, seed=2)
        assert_backward(lambda: layers.affine_forward(x, w, b), layers.affine_backward, x, w, b)

    def test_relu(self):
        x = draw(3, 4, 2)
        assert_backward(lambda: layers.relu_forward(x), layers.relu_backward, x)

    def test_affine_relu(self):
        x, w, b = draw(3, 2, 2), draw(4, 5, seed=1), draw(5, seed=2)
        assert_backward(
            lambda: layer_utils.affine_relu_forward(x, w, b),
            layer_utils.affine_relu_backward,
            x,
            w,
            b,
        )

    def test_batchnorm(self):
        x, gamma, beta = draw(6, 5), draw(5, seed=1), draw(5, seed=2)
        assert_backward(
            lambda: layers.batchnorm_forward(x, gamma, beta, {"mode": "train"}),
            layers.batchnorm_backward,
            x,
            gamma,
            beta,
        )

    def test_batchnorm_keeps_running_statistics_for_the_test(self):
        x, param = 3.0 + 2.0 * draw(200, 4), {"mode": "train"}
        for _ in range(100):
            layers.batchnorm_forward(x, np.ones(4), np.zeros(4), param)
        param["mode"] = "test"

        out, _ = layers.batchnorm_forward(x, np.ones(4), np.zeros(4), param)

        np.testing.assert_allclose(param["running_mean"], x.mean(axis=0), rtol=1e-3)
        np.testing.assert_allclose(out.std(axis=0), 1.0, rtol=1e-3)

    def test_dropout_is_the_same_mask_forward_and_backward(self):
        x, param = draw(40, 50), {"mode": "train", "p": 0.3, "seed": 7}
        assert_backward(
            lambda: layers.dropout_forward(x[:3, :4], param),
            layers.dropout_backward,
            x[:3, :4],
        )
        out, _ = layers.dropout_forward(x, param)
        kept = out != 0
        np.testing.assert_allclose(out[kept], x[kept] / 0.7)
        assert kept.mean() == pytest.approx(0.7, abs=0.03)

    def test_dropout_in_test_mode_is_the_identity(self):
        x = draw(4, 5)
        out, cache = layers.dropout_forward(x, {"mode": "test", "p": 0.3})
        np.testing.assert_array_equal(out, x)
        np.testing.assert_array_equal(layers.dropout_backward(x, cache), x)

    def test_unknown_mode_is_refused(self):
        with pytest.raises(ValueError, match="mode"):
            layers.dropout_forward(draw(2, 2), {"mode": "validate", "p": 0.3})

    @pytest.mark.parametrize(("name", "kind"), [("svm", "hinge"), ("softmax", "cross_entropy")])
    def test_losses(self, name, kind):
        x, y = draw(5, 10), np.random.default_rng(1).integers(0, 10, 5)
        function = getattr(layers, f"{name}_loss")

        loss, dx = function(x, y)

        numerical = eval_numerical_gradient(lambda z: function(z, y)[0], x, verbose=False)
        assert loss == pytest.approx(reference.loss(kind, x, y)[0])
        assert relative_error(dx, numerical) < 1e-7


@pytest.mark.parametrize("rule", optim.RULES)
def test_update_rules_leave_w_and_return_the_formula(rule):
    kinds = {"sgd_momentum": "momentum"}
    numbers = {"momentum": "beta1", "decay_rate": "beta2", "epsilon": "eps"}
    w, config = draw(4, 5), {"learning_rate": 1e-2}
    expected, state, given = w.copy(), {}, w.copy()
    for t in range(1, 4):
        dw = draw(4, 5, seed=t)
        w, config = optim.RULES[rule](w, dw, config)
        options = {
            numbers.get(name, name): value
            for name, value in optim.DEFAULTS[rule].items()
            if name not in ("learning_rate", "t")
        }
        expected, state = _reference_step(
            kinds.get(rule, rule), expected, dw, state, t=t, lr=1e-2, **options
        )

    np.testing.assert_allclose(w, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(given, draw(4, 5))


def _reference_step(kind, w, g, state, **options):
    updated = reference.update(kind, w, g, state, **options)
    return updated if isinstance(updated, tuple) else (updated, state)


class TestFullyConnectedNet:
    @pytest.mark.parametrize("dropout", [0, 0.3])
    @pytest.mark.parametrize("use_batchnorm", [False, True])
    def test_gradients_are_the_numerical_ones(self, dropout, use_batchnorm):
        np.random.seed(2)
        X, y = draw(6, 3, 5), np.array([0, 1, 2, 3, 4, 5])
        net = fc_net.FullyConnectedNet(
            [11, 9],
            input_dim=15,
            dropout=dropout,
            use_batchnorm=use_batchnorm,
            reg=0.3,
            weight_scale=0.3,
            dtype=np.float64,
            seed=5,
        )
        for name, param in net.params.items():  # no ReLU input may be at the kink, 0
            if name.startswith("b"):
                param[...] = 0.1 * draw(*param.shape)

        _, grads = net.loss(X, y)

        assert set(grads) == set(net.params)
        for name, param in net.params.items():
            numerical = eval_numerical_gradient(lambda _: net.loss(X, y)[0], param, verbose=False)
            np.testing.assert_allclose(grads[name], numerical, rtol=1e-5, atol=1e-8)

    def test_reg_can_change_between_calls(self):
        X, y = draw(6, 15), np.arange(6)
        net = fc_net.TwoLayerNet(15, 8, weight_scale=0.3)

        plain, _ = net.loss(X, y)
        net.reg = 2.0
        penalized, _ = net.loss(X, y)

        weights = sum((net.params[name] ** 2).sum() for name in ("W1", "W2"))
        assert penalized - plain == pytest.approx(weights)

    def test_works_in_the_dtype_asked_for(self):
        net = fc_net.FullyConnectedNet([8], input_dim=15, dtype=np.float32)
        assert net.loss(draw(6, 15)).dtype == np.float32


def data(n=300, n_classes=7):
    X = draw(n, 4, 5)
    y = np.random.default_rng(4).integers(0, n_classes, n)
    return {"X_train": X, "y_train": y, "X_val": X[:50], "y_val": y[:50]}


def trained(kind, rule, rate, **options):
    np.random.seed(0)
    net = kind(
        [15, 12], 20, 7, use_batchnorm=True, reg=0.1, weight_scale=0.3, dtype=np.float64, **options
    )
    np.random.seed(1)
    solver = Solver(
        net,
        data(),
        update_rule=rule,
        optim_config={"learning_rate": rate},
        lr_decay=0.9,
        batch_size=32,
        num_epochs=3,
        verbose=False,
    )
    solver.train()
    return solver


class Own(fc_net.FullyConnectedNet):
    """A custom net, whose own loss is used for every step."""

    def loss(self, X, y=None):
        return super().loss(X, y)


class TestSolver:
    @pytest.mark.parametrize(
        ("rule", "rate"),
        [
            ("sgd", 1e-2),
            ("sgd_momentum", 1e-2),
            ("nesterov", 1e-2),
            ("rmsprop", 1e-3),
            ("adam", 1e-3),
        ],
    )
    def test_compiled_and_readable_training_are_the_same(self, rule, rate):
        ours, own = trained(fc_net.FullyConnectedNet, rule, rate), trained(Own, rule, rate)

        assert len(ours.loss_history) == 27
        assert len(ours.val_acc_history) == 4
        np.testing.assert_allclose(ours.loss_history, own.loss_history, rtol=1e-9)
        assert ours.train_acc_history == own.train_acc_history
        assert ours.val_acc_history == own.val_acc_history
        for name, param in ours.model.params.items():
            np.testing.assert_allclose(param, own.model.params[name], rtol=1e-6, atol=1e-9)
        for name, config in ours.optim_configs.items():
            assert config.keys() == own.optim_configs[name].keys()
            assert config["learning_rate"] == pytest.approx(rate * 0.9**3)
            assert config.get("t") in (None, 27)

    def test_prints_as_published(self, capsys):
        solver = Solver(
            fc_net.TwoLayerNet(20, 10, 7), data(), num_epochs=2, batch_size=100, print_every=4
        )

        solver.train()

        lines = capsys.readouterr().out.splitlines()
        first = [line.split(":")[0] for line in lines]
        assert first == [
            "(Iteration 1 / 6) loss",
            "(Epoch 0 / 2) train acc",
            "(Epoch 1 / 2) train acc",
            "(Iteration 5 / 6) loss",
            "(Epoch 2 / 2) train acc",
        ]
        assert "; val_acc: 0." in lines[1]

    def test_ends_with_the_best_parameters(self):
        solver = trained(fc_net.FullyConnectedNet, "adam", 1e-2)
        X, y = solver.X_val, solver.y_val

        assert solver.model.params is solver.best_params
        assert max(solver.val_acc_history) == solver.best_val_acc
        assert len(solver.best_params) == 10
        assert 0.0 <= solver.check_accuracy(X, y) <= 1.0

    def test_training_again_continues(self):
        solver = trained(fc_net.FullyConnectedNet, "adam", 1e-3)

        solver.train()

        assert len(solver.loss_history) == 54
        assert {config["t"] for config in solver.optim_configs.values()} == {54}

    def test_dropout_trains_compiled(self):
        solver = trained(fc_net.FullyConnectedNet, "adam", 1e-2, dropout=0.2)
        assert np.mean(solver.loss_history[-5:]) < np.mean(solver.loss_history[:5])

    def test_a_seeded_dropout_draws_the_same_mask_at_every_step(self):
        ours = trained(fc_net.FullyConnectedNet, "sgd", 1e-2, dropout=0.2, seed=3)
        own = trained(Own, "sgd", 1e-2, dropout=0.2, seed=3)
        assert ours.loss_history == own.loss_history

    def test_any_model_with_params_and_loss_trains(self):
        class Line:
            def __init__(self):
                self.params = {"w": np.zeros((20, 7))}

            def loss(self, X, y=None):
                X = X.reshape(len(X), -1)
                scores = X @ self.params["w"]
                if y is None:
                    return scores
                loss, dscores = layers.softmax_loss(scores, y)
                return loss, {"w": X.T @ dscores}

        solver = Solver(Line(), data(), optim_config={"learning_rate": 0.1}, verbose=False)
        solver.train()

        assert solver.loss_history[-1] < solver.loss_history[0]

    def test_unknown_names_are_refused(self):
        net = fc_net.TwoLayerNet(20, 10, 7)
        with pytest.raises(ValueError, match="did you mean 'sgd_momentum'"):
            Solver(net, data(), update_rule="sgd_momentun")
        with pytest.raises(ValueError, match="'n_epochs'"):
            Solver(net, data(), n_epochs=3)


def test_visualize_grid_stretches_each_picture():
    pictures = draw(5, 4, 6, 3)

    grid = vis_utils.visualize_grid(pictures, ubound=255.0, padding=2)

    assert grid.shape == (3 * 6 - 2, 3 * 8 - 2, 3)
    assert grid[:4, :6].min() == 0.0
    assert grid[:4, :6].max() == 255.0
    assert not grid[4:6].any()
    assert not grid[6:10, 16:].any()
