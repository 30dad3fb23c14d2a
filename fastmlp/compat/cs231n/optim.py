"""Update rules: ``rule(w, dw, config) -> (next_w, config)``.

w and dw are arrays of the same shape; config is a dict of numbers and of the rule's state arrays.
Missing entries are filled in with the defaults given below. w itself is not changed.
"""

from typing import Any

import numpy as np

from fastmlp.compat import arrays

__all__ = ["DEFAULTS", "RULES", "adam", "nesterov", "rmsprop", "sgd", "sgd_momentum"]

DEFAULTS: dict[str, dict[str, float]] = {
    "sgd": {"learning_rate": 1e-2},
    "sgd_momentum": {"learning_rate": 1e-2, "momentum": 0.9},
    "nesterov": {"learning_rate": 1e-2, "momentum": 0.9},
    "rmsprop": {"learning_rate": 1e-2, "decay_rate": 0.99, "epsilon": 1e-8},
    "adam": {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "t": 0},
}

_Result = tuple[np.ndarray, dict[str, Any]]


def sgd(w: Any, dw: Any, config: dict[str, Any] | None = None) -> _Result:
    """w - learning_rate * dw. Default: learning_rate 1e-2."""
    config = _filled("sgd", config)
    next_w, _ = arrays.update("sgd", w, dw, lr=config["learning_rate"])
    return next_w, config


def sgd_momentum(w: Any, dw: Any, config: dict[str, Any] | None = None) -> _Result:
    """w + v, v = momentum * velocity - learning_rate * dw. Defaults: 1e-2, momentum 0.9."""
    return _with_velocity("sgd_momentum", w, dw, config)


def nesterov(w: Any, dw: Any, config: dict[str, Any] | None = None) -> _Result:
    """w + momentum * v - learning_rate * dw, with v and the defaults of `sgd_momentum`."""
    return _with_velocity("nesterov", w, dw, config)


def rmsprop(w: Any, dw: Any, config: dict[str, Any] | None = None) -> _Result:
    """w - learning_rate * dw / (sqrt(c) + epsilon), c = decay_rate * cache + (1 - decay_rate) dw^2.

    Defaults: learning_rate 1e-2, decay_rate 0.99, epsilon 1e-8.
    """
    config = _filled("rmsprop", config)
    next_w, (config["cache"],) = arrays.update(
        "rmsprop",
        w,
        dw,
        [config.get("cache")],
        lr=config["learning_rate"],
        beta2=config["decay_rate"],
        eps=config["epsilon"],
    )
    return next_w, config


def adam(w: Any, dw: Any, config: dict[str, Any] | None = None) -> _Result:
    """Adam with bias correction; ``t`` is incremented before it is used.

    Defaults: learning_rate 1e-3, beta1 0.9, beta2 0.999, epsilon 1e-8, t 0. State: m and v.
    """
    config = _filled("adam", config)
    config["t"] += 1
    next_w, (config["m"], config["v"]) = arrays.update(
        "adam",
        w,
        dw,
        [config.get("m"), config.get("v")],
        lr=config["learning_rate"],
        t=config["t"],
        beta1=config["beta1"],
        beta2=config["beta2"],
        eps=config["epsilon"],
    )
    return next_w, config


def _with_velocity(rule: str, w: Any, dw: Any, config: dict[str, Any] | None) -> _Result:
    config = _filled(rule, config)
    next_w, (config["velocity"],) = arrays.update(
        {"sgd_momentum": "momentum", "nesterov": "nesterov"}[rule],
        w,
        dw,
        [config.get("velocity")],
        lr=config["learning_rate"],
        beta1=config["momentum"],
    )
    return next_w, config


def _filled(rule: str, config: dict[str, Any] | None) -> dict[str, Any]:
    """Return the same dict, after filling in the rule's defaults."""
    config = {} if config is None else config
    for name, value in DEFAULTS[rule].items():
        config.setdefault(name, value)
    return config


RULES = {rule.__name__: rule for rule in (sgd, sgd_momentum, nesterov, rmsprop, adam)}
