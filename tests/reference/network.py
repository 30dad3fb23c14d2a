"""A whole network.

A network is a list of (kind, argument) pairs: ("linear", None), ("batchnorm", None),
or another of NORMALIZATIONS, ("normalize", (mean, std)), or an activation's name with its alpha.
Parameters are a dict "index.name" -> array.
"""

from .layers import (
    NORMALIZATIONS,
    activation,
    activation_derivative,
    affine,
    affine_backward,
    scale,
    scale_backward,
)
from .losses import loss
from .optimizers import DECOUPLED, clip_by_norm, max_norm, update


def forward(network, params, x):
    """Return the outputs and the inputs of all layers, in training mode."""
    inputs = []
    for i, (kind, argument) in enumerate(network):
        inputs.append(x)
        if kind == "linear":
            x = affine(x, params[f"{i}.weight"], params.get(f"{i}.bias", 0.0))
        elif kind in NORMALIZATIONS:
            vectors = [f"{i}.{name}" for name in ("gamma", "beta")]
            x = NORMALIZATIONS[kind][0](x, *(params[name] for name in vectors if name in params))
        elif kind == "normalize":
            x = (x - argument[0]) / argument[1]
        elif kind == "scale":
            x = scale(x, params[f"{i}.scale"])
        else:
            x = activation(kind, x, argument)
    return x, inputs


def backward(network, params, inputs, dy):
    """Return the gradients by parameter name, and that with respect to the network's input."""
    grads = {}
    for i, (kind, argument) in reversed(list(enumerate(network))):
        x = inputs[i]
        if kind == "linear":
            dy, grads[f"{i}.weight"], dbias = affine_backward(dy, x, params[f"{i}.weight"])
            if f"{i}.bias" in params:
                grads[f"{i}.bias"] = dbias
        elif kind in NORMALIZATIONS:
            dy, *vectors = NORMALIZATIONS[kind][1](dy, x, params[f"{i}.gamma"])
            for name, gradient in zip(("gamma", "beta"), vectors, strict=False):
                grads[f"{i}.{name}"] = gradient
        elif kind == "normalize":
            dy = dy / argument[1]
        elif kind == "scale":
            dy, grads[f"{i}.scale"] = scale_backward(dy, x, params[f"{i}.scale"])
        else:
            dy = dy * activation_derivative(kind, x, argument)
    return grads, dy


def loss_and_grads(network, params, x, t, kind, *, weights=None, parameter=0.0, l2=0.0):
    """Return the loss, including 0.5 l2 sum(W W) of all weight matrices, and gradients by name."""
    z, inputs = forward(network, params, x)
    value, dz = loss(kind, z, t, weights, parameter)
    grads, _ = backward(network, params, inputs, dz)
    for name in grads:
        if name.endswith("weight"):
            value += 0.5 * l2 * (params[name] ** 2).sum()
            grads[name] = grads[name] + l2 * params[name]
    return float(value), grads


def train_step(
    network, params, state, x, t, loss_kind, rule, *, l2=0.0, weight_decay=0.0, **limits
):
    """Return the loss before a step and the parameters after it; state persists between steps.

    rule is a pair (kind, hyper-parameters) for `update`; limits are clip_norm and max_norm.
    """
    kind, hyper = rule
    value, grads = loss_and_grads(network, params, x, t, loss_kind, l2=l2)
    if limits.get("clip_norm") is not None:
        clipped, _ = clip_by_norm(list(grads.values()), limits["clip_norm"])
        grads = dict(zip(grads, clipped, strict=True))
    state["t"] = state.get("t", 0) + 1
    new = {}
    for name, w in params.items():
        is_weight = name.endswith("weight")
        g, decoupled = grads[name], 0.0
        if is_weight and kind in DECOUPLED:
            decoupled = weight_decay
        elif is_weight:
            g = g + weight_decay * w
        own = state.setdefault(name, {})
        new[name] = update(kind, w, g, own, t=state["t"], decoupled=decoupled, **hyper)
        if is_weight and limits.get("max_norm") is not None:
            new[name] = max_norm(new[name], limits["max_norm"])
    return value, new
