"""Networks and data for tests: random architectures, and their conversion for the reference."""

import numpy as np
from hypothesis import strategies as st
from strategies import ACTIVATIONS, filled

import fastmlp
from fastmlp import layers, optimizers

ACTIVATION_LAYERS = {name: layers.ACTIVATIONS[name] for name in ACTIVATIONS}

OPTIMIZERS = {
    "sgd": lambda **k: optimizers.SGD(lr=0.05, **k),
    "momentum": lambda **k: optimizers.SGD(lr=0.02, momentum=0.9, **k),
    "nesterov": lambda **k: optimizers.SGD(lr=0.02, momentum=0.9, nesterov=True, **k),
    "rmsprop": lambda **k: optimizers.RMSprop(lr=0.002, eps=1e-2, **k),
    "rmsprop_in_root": lambda **k: optimizers.RMSprop(lr=0.002, eps=1e-3, eps_in_root=True, **k),
    "adam": lambda **k: optimizers.Adam(lr=0.003, eps=1e-2, **k),
    "adamw": lambda **k: optimizers.AdamW(lr=0.003, eps=1e-2, **({"weight_decay": 0.1} | k)),
    "adagrad": lambda **k: optimizers.Adagrad(lr=0.02, eps=1e-2, **k),
}
"""One of each kind. A large eps keeps a gradient that is only rounding from being a full step."""


class Identity:
    """A custom layer that does nothing, but keeps a model from being compiled."""

    def forward(self, x, train=False):
        return x

    def backward(self, dy):
        return dy


def blobs(N, D, C, seed=0, dtype="float32"):
    """Return N rows around C centres and their labels (N,)."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, C, N)
    X = rng.standard_normal((C, D))[y] * 2 + rng.standard_normal((N, D))
    return X.astype("float32").astype(dtype), y


def targets(loss, N, C, seed=0):
    """Return valid targets for the loss: labels (N,) or an array (N, C)."""
    rng = np.random.default_rng(seed)
    if loss in ("cross_entropy", "hinge"):
        return rng.integers(0, C, N)
    if loss == "binary_cross_entropy":
        return rng.integers(0, 2, (N, C)).astype("float64")
    if loss == "poisson":
        return rng.poisson(1.5, (N, C)).astype("float64")
    return filled((N, C), "normal", seed)


def every_layer(D, H, C, *, activation=layers.ReLU, **options):
    """Return a network that contains each kind of layer."""
    return fastmlp.Sequential(
        layers.Normalize(np.full(D, 0.5), np.full(D, 2.0)),
        layers.Linear(D, H),
        layers.BatchNorm(H),
        activation(),
        layers.Dropout(0.3),
        layers.Linear(H, H),
        layers.LayerNorm(H),
        activation(),
        layers.Linear(H, C),
        **options,
    )


@st.composite
def architectures(draw, *, max_width=40, dropout=True):
    """Draw (D, C, build), where build() returns new layers of a random network."""
    D, C = draw(st.integers(1, max_width)), draw(st.integers(1, 11))
    recipe, width = [], D
    if draw(st.booleans()):
        mean, std = filled((D,), "normal", 1), 0.5 + np.abs(filled((D,), "normal", 2))
        recipe.append((layers.Normalize, mean, std))
    for _ in range(draw(st.integers(0, 3))):
        H = draw(st.integers(1, max_width))
        norm = draw(st.sampled_from([None, None, layers.BatchNorm, layers.LayerNorm]))
        recipe.append((layers.Linear, width, H, "he", draw(st.booleans())))
        activation = draw(st.sampled_from([None, *ACTIVATION_LAYERS.values()]))
        block = [(norm, H)] if norm else []
        if activation:
            block.insert(draw(st.integers(0, len(block))), (activation,))
        if dropout and draw(st.booleans()):
            block.append((layers.Dropout, 0.25))
        recipe += block
        width = H
    recipe.append((layers.Linear, width, C, "he", draw(st.booleans())))
    return D, C, lambda: [kind(*arguments) for kind, *arguments in recipe]


def for_reference(model):
    """Return the network and its parameters in the form that reference.forward reads."""
    names = {kind: name for name, kind in ACTIVATION_LAYERS.items()}
    network = []
    for layer in model.layers:
        kind = type(layer)
        if kind is layers.Normalize:
            mean, std = (layer.state[n].astype(np.float64) for n in ("mean", "std"))
            network.append(("normalize", (mean, std)))
        elif kind in names:
            alpha = {layers.LeakyReLU: 0.01, layers.ELU: 1.0}.get(kind, 0.0)
            network.append((names[kind], alpha))
        else:
            network.append((kind.__name__.lower(), None))
    return network, {name: p.astype(np.float64) for name, p in model.params.items()}
