"""Networks and data for tests: random architectures, and their conversion for the reference."""

from functools import partial

import numpy as np
import reference
from hypothesis import strategies as st
from strategies import ACTIVATIONS, LABELS, filled

import fastmlp
from fastmlp import layers, optimizers

ACTIVATION_LAYERS = {name: layers.ACTIVATIONS[name] for name in ACTIVATIONS}

_BUILDERS = optimizers.OPTIMIZERS | {
    "rmsprop_in_root": partial(optimizers.RMSprop, eps_in_root=True)
}
_ARGUMENTS = {
    "momentum": {"beta1": "momentum"},
    "nesterov": {"beta1": "momentum"},
    "rmsprop": {"beta2": "decay"},
    "rmsprop_in_root": {"beta2": "decay"},
}


def _builder(kind):
    """Return a function that creates an optimizer with the numbers of the reference."""
    renamed = _ARGUMENTS.get(kind, {})
    numbers = {renamed.get(name, name): value for name, value in reference.RULES[kind].items()}
    if kind in reference.DECOUPLED:
        numbers["weight_decay"] = 0.1
    return partial(_BUILDERS[kind], **numbers)


OPTIMIZERS = {kind: _builder(kind) for kind in reference.RULES}
"""One of each kind."""


def _is_smooth(kind):
    """Tell whether a gradient that is only rounding, of either sign, makes a step like none."""
    steps = [
        reference.update(kind, np.ones(1), np.full(1, g), {}, **reference.RULES[kind])
        for g in (1e-9, -1e-9)
    ]
    return abs(steps[0] - steps[1]) < 1e-6


SMOOTH = [kind for kind in OPTIMIZERS if _is_smooth(kind)]
"""Kinds that can be compared between two ways of computing on any network."""


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
    if loss in LABELS:
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
    if draw(st.booleans()):
        recipe.append((layers.Scale, width))
    for _ in range(draw(st.integers(0, 3))):
        H = draw(st.integers(1, max_width))
        norm = draw(st.sampled_from([None, None, *layers.NORMALIZATIONS.values()]))
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
