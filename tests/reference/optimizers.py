"""Updates of parameters, and limits on gradients and weights."""

import math

import numpy as np

RULES = {
    "sgd": {"lr": 0.05},
    "momentum": {"lr": 0.02, "beta1": 0.9},
    "nesterov": {"lr": 0.02, "beta1": 0.9},
    "rmsprop": {"lr": 0.002, "beta2": 0.9, "eps": 1e-2},
    "rmsprop_in_root": {"lr": 0.002, "beta2": 0.9, "eps": 1e-3},
    "adam": {"lr": 0.003, "eps": 1e-2},
    "adamw": {"lr": 0.003, "eps": 1e-2},
    "adagrad": {"lr": 0.02, "eps": 1e-2},
    "lion": {"lr": 0.002, "beta1": 0.9, "beta2": 0.98},
}
"""The numbers of every kind that the tests train with.

A large eps keeps a gradient that is only rounding from being a full step.
"""

STATES = {
    "sgd": (),
    "momentum": ("first",),
    "nesterov": ("first",),
    "rmsprop": ("second",),
    "rmsprop_in_root": ("second",),
    "adam": ("first", "second"),
    "adamw": ("first", "second"),
    "adagrad": ("second",),
    "lion": ("first",),
}
"""Which arrays every kind keeps in its state, in this order."""

DECOUPLED = ("adamw", "lion")
"""The kinds whose weight decay is no part of the gradient."""


def update(kind, w, g, state, *, t=1, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, decoupled=0.0):
    """Return the new weights, and store the new "first" and "second" arrays in the dict state.

    beta1 is the momentum, beta2 the decay of the mean square, t the number of this step, counting
    from 1, and decoupled the weight decay of a DECOUPLED kind. The caller adds that of others to g.
    """
    first = state.setdefault("first", np.zeros_like(w))
    second = state.setdefault("second", np.zeros_like(w))
    if kind == "sgd":
        return w - lr * g
    if kind in ("momentum", "nesterov"):
        state["first"] = v = beta1 * first - lr * g
        return w + v if kind == "momentum" else w + beta1 * v - lr * g
    if kind == "adagrad":
        state["second"] = c = second + g * g
        return w - lr * g / (np.sqrt(c) + eps)
    if kind == "lion":
        state["first"] = beta2 * first + (1.0 - beta2) * g
        return w - lr * (np.sign(beta1 * first + (1.0 - beta1) * g) + decoupled * w)
    state["second"] = c = beta2 * second + (1.0 - beta2) * g * g
    if kind == "rmsprop":
        return w - lr * g / (np.sqrt(c) + eps)
    if kind == "rmsprop_in_root":
        return w - lr * g / np.sqrt(c + eps)
    if kind in ("adam", "adamw"):
        state["first"] = m = beta1 * first + (1.0 - beta1) * g
        m_hat, c_hat = m / (1.0 - beta1**t), c / (1.0 - beta2**t)
        return w - lr * decoupled * w - lr * m_hat / (np.sqrt(c_hat) + eps)
    raise KeyError(kind)


def update_size(kind, g, pull, state, new, *, t, beta1, beta2, eps):
    """Return the size of the terms of an update, by which its rounding error is measured.

    pull is the size of the gradient's terms. state and new are the states before and after.
    """
    if kind in ("sgd", "momentum", "nesterov"):
        return pull + np.abs(state["first"])
    if kind == "lion":  # rounding may give a sum near 0 any sign
        total, terms = beta1 * state["first"] + (1 - beta1) * g, np.abs(state["first"]) + pull
        return np.where(np.abs(total) > 1e-5 * terms, 1.0, np.inf)
    floor = eps if kind != "rmsprop_in_root" else np.sqrt(eps)
    if kind in ("adam", "adamw"):
        top = (np.abs(state["first"]) + (1 - beta1) * pull) / (1 - beta1**t)
        return top / (np.sqrt(new["second"] / (1 - beta2**t)) + floor)
    return pull / (np.sqrt(new["second"]) + floor)


def clip_by_norm(gradients, limit):
    """Scale a list of arrays by the same factor so that their joint norm is at most limit."""
    norm = math.sqrt(sum(float((g**2).sum()) for g in gradients))
    scale = min(1.0, limit / norm) if norm > 0 else 1.0
    return [g * scale for g in gradients], norm


def max_norm(weight, limit):
    """Scale each column of weight (D, H), a unit's incoming weights, to a norm of at most limit."""
    norm = np.sqrt((weight**2).sum(axis=0))
    return weight * np.where(norm > limit, limit / np.maximum(norm, 1e-300), 1.0)
