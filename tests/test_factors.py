"""Each array of parameters may have its own rate, epsilon and weight decay."""

import copy
import pickle

import numpy as np
import pytest
import reference
from networks import OPTIMIZERS, Identity, blobs, for_reference
from sentences import refused
from tolerance import assert_close

import fastmlp
from fastmlp.layers import BatchNorm, Linear, Scale, Tanh

FACTORS = {
    "0.scale": {"rate": 3.0, "decay": 2.0},
    "1.weight": {"rate": 0.25, "eps": 5.0},
    "1.bias": {"eps": 0.5, "decay": 0.7},
    "3.weight": {"decay": 0.0},
    "3.bias": {"rate": 0.0},
}


def network(*extra, dtype="float64"):
    """Return a network whose arrays all have different factors."""
    model = fastmlp.Sequential(
        Scale(6), Linear(6, 9), Tanh(), Linear(9, 3), *extra, seed=2, dtype=dtype
    )
    for index in (0, 1, 3):
        names = [name for name in FACTORS if name.startswith(f"{index}.")]
        model.layers[index].factors = {name[2:]: FACTORS[name] for name in names}
    return model


def fit(model, optimizer="adamw", **options):
    X, y = blobs(48, 6, 3)
    rule = OPTIMIZERS[optimizer](weight_decay=0.3)
    model.fit(
        X, y, optimizer=rule, epochs=2, batch_size=16, shuffle=False, verbose=False, **options
    )
    return model.params


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("layerwise", [False, True])
def test_each_array_follows_the_reference_with_its_own_numbers(optimizer, layerwise):
    model = network(*([Identity()] if layerwise else []))
    layers, params = for_reference(network())
    kind, hyper = optimizer, reference.RULES[optimizer]
    X, y = blobs(48, 6, 3)
    states = {name: {} for name in params}

    for t in range(1, 7):
        rows = slice((t - 1) % 3 * 16, (t - 1) % 3 * 16 + 16)
        X64 = X[rows].astype(np.float64)
        _, grads = reference.loss_and_grads(layers, params, X64, y[rows], "cross_entropy")
        for name, w in params.items():
            own = FACTORS[name]
            decay = 0.3 * own.get("decay", float(name.endswith("weight")))
            numbers = hyper | {"lr": hyper["lr"] * own.get("rate", 1.0)}
            if "eps" in hyper:
                numbers["eps"] = hyper["eps"] * own.get("eps", 1.0)
            decoupled = decay if kind in reference.DECOUPLED else 0.0
            g = grads[name] if decoupled else grads[name] + decay * w
            if kind in reference.DECOUPLED:
                g = grads[name]
            params[name] = reference.update(
                kind, w, g, states[name], t=t, decoupled=decoupled, **numbers
            )

    found = fit(model, optimizer)
    for name, expected in params.items():
        assert_close(found[name], expected, K=2000, scale=np.maximum(1.0, np.abs(expected)))


def test_both_engines_agree_with_a_limit_and_a_penalty():
    limits = {"l2": 0.01}

    compiled, layerwise = fit(network(), **limits), fit(network(Identity()), **limits)

    for name, values in compiled.items():
        assert_close(values, layerwise[name], K=2000, scale=1.0)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_rate_of_0_leaves_an_array_alone(n_threads):
    model = network(dtype="float32")
    start = model.params["3.bias"].copy()

    fit(model, n_threads=n_threads)

    np.testing.assert_array_equal(model.params["3.bias"], start)


def test_factors_of_1_change_no_bit():
    plain, same = (fastmlp.Sequential(Linear(6, 9), Tanh(), Linear(9, 3)) for _ in range(2))
    same.layers[0].factors = {"weight": {"rate": 1.0, "eps": 1.0, "decay": 1.0}}

    fit(plain), fit(same)

    np.testing.assert_array_equal(plain.theta, same.theta)


def test_factors_may_change_between_epochs():
    model = network(dtype="float32")
    fit(model)
    model.layers[1].factors = {"weight": {"rate": 0.0}, "bias": {"rate": 0.0}}
    start = model.params["1.weight"].copy()

    fit(model)

    np.testing.assert_array_equal(model.params["1.weight"], start)


@pytest.mark.parametrize("through", ["file", "pickle", "copy"])
def test_factors_stay_with_the_layer(through, tmp_path):
    model = network()
    if through == "file":
        model.save(tmp_path / "model.safetensors")
        again = fastmlp.load(tmp_path / "model.safetensors")
    else:
        again = copy.deepcopy(model) if through == "copy" else pickle.loads(pickle.dumps(model))

    np.testing.assert_array_equal(again.factors, model.factors)
    assert again.layers[0].factors["scale"]["rate"] == 3.0


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ({"wieght": {"rate": 1.0}}, "weight"),
        ({"weight": {"speed": 1.0}}, "speed"),
        ({"weight": {"rate": -1.0}}, "rate"),
        ({"weight": {"eps": 0.0}}, "eps"),
        ({"bias": {"decay": float("nan")}}, "decay"),
        ({"weight": 0.5}, "dict"),
        ([0.5], "dict"),
    ],
)
def test_wrong_factors_are_refused(factors, said):
    layer = Linear(2, 3)

    with refused((TypeError, ValueError), said):
        layer.factors = factors
    assert layer.factors == {}


def test_factors_cannot_be_changed_one_by_one_unnoticed():
    layer = Linear(2, 3)
    layer.factors = {"weight": {"rate": 0.5}}

    with pytest.raises(TypeError):
        layer.factors["weight"]["rate"] = 2.0
    with pytest.raises(TypeError):
        layer.factors["bias"] = {"rate": 2.0}


def test_arrays_that_are_updated_together_need_the_same_factors():
    model = fastmlp.Sequential(Linear(6, 9), BatchNorm(9), Linear(9, 3))
    model.layers[1].factors = {"gamma": {"rate": 2.0}}

    with refused(ValueError, "1.gamma and 1.beta"):
        fit(model)
    model.layers[1].factors = {"gamma": {"rate": 2.0}, "beta": {"rate": 2.0}}
    fit(model)
