"""Compiled steps for a `Solver` on one of the nets of ``nndl.fc_net``."""

from collections.abc import MutableMapping
from typing import Any

import numpy as np

from fastmlp import optimizers
from fastmlp.compat.cs231n import optim
from fastmlp.compat.nndl.fc_net import FullyConnectedNet, TwoLayerNet
from fastmlp.compat.steps import CompiledSteps, Parameter
from fastmlp.layers import BatchNorm, Dropout, Layer, Linear, ReLU
from fastmlp.optimizers import Optimizer

__all__ = ["compiled_steps"]

# The state arrays in each update rule's config, in the kernels' order.
_STATES = {
    "sgd": (),
    "sgd_momentum": ("velocity",),
    "nesterov": ("velocity",),
    "rmsprop": ("cache",),
    "adam": ("m", "v"),
}


def compiled_steps(solver: Any) -> CompiledSteps | None:
    """Return compiled steps for the solver, or None if it must use its own loop.

    It must with another kind of net, a subclass that overrides the loss, dropout with a fixed
    seed, or different update settings for different parameters.
    """
    model, rule = solver.model, solver.update_rule.__name__
    kinds = [kind for kind in (TwoLayerNet, FullyConnectedNet) if isinstance(model, kind)]
    if not kinds or type(model).loss is not kinds[0].loss or model.reg < 0:
        return None
    optimizer = _optimizer(rule, list(solver.optim_configs.values()))
    layers, names, running = _layers(model)
    if optimizer is None or layers is None or set(names.values()) != set(model.params):
        return None
    parameters = [
        Parameter(
            theirs,
            model.params,
            name,
            states=[(solver.optim_configs[name], state) for state in _STATES[rule]],
        )
        for theirs, name in names.items()
    ]
    drops = any(isinstance(layer, Dropout) for layer in layers)
    return CompiledSteps(
        layers,
        parameters,
        optimizer,
        solver.X_train,
        solver.y_train,
        solver.batch_size,
        l2=float(model.reg),
        seed=int(np.random.randint(2**31)) if drops else 0,
        running=running,
        counters=[(c, "t") for c in solver.optim_configs.values()] if rule == "adam" else (),
    )


def _optimizer(rule: str, configs: list[dict[str, Any]]) -> Optimizer | None:
    """Return the optimizer with these settings, or None if they differ or are invalid."""
    settings = [{name: config[name] for name in optim.DEFAULTS[rule]} for config in configs]
    if any(s != settings[0] for s in settings):
        return None
    s = settings[0]
    try:
        match rule:
            case "sgd":
                return optimizers.SGD(lr=0.0)
            case "sgd_momentum":
                return optimizers.SGD(0.0, s["momentum"]) if s["momentum"] else None
            case "nesterov":
                return optimizers.SGD(0.0, s["momentum"], nesterov=True)
            case "rmsprop":
                return optimizers.RMSprop(0.0, s["decay_rate"], s["epsilon"])
        return optimizers.Adam(0.0, s["beta1"], s["beta2"], s["epsilon"])
    except (TypeError, ValueError):  # numbers that only the original accepts
        return None


def _layers(
    model: Any,
) -> tuple[list[Layer] | None, dict[str, str], list[tuple[int, MutableMapping[str, Any]]]]:
    """Return layers, a map from fastmlp's parameter names to theirs, and running statistics."""
    n_layers, normalizes, dropout = 2, (), {}
    if isinstance(model, FullyConnectedNet):
        n_layers, normalizes, dropout = model.num_layers, model.bn_params, model.dropout_param
    layers: list[Layer] = []
    names: dict[str, str] = {}
    running: list[tuple[int, MutableMapping[str, Any]]] = []
    for i in range(1, n_layers + 1):
        shape = np.shape(model.params.get(f"W{i}", 0))
        if len(shape) != 2 or "seed" in dropout:
            return None, names, running
        names |= {f"{len(layers)}.weight": f"W{i}", f"{len(layers)}.bias": f"b{i}"}
        layers.append(Linear(*shape, init="zeros"))
        if i == n_layers:
            break
        if normalizes:
            names |= {f"{len(layers)}.gamma": f"gamma{i}", f"{len(layers)}.beta": f"beta{i}"}
            param = normalizes[i - 1]
            running.append((len(layers), param))
            layers.append(BatchNorm(shape[1], param.get("momentum", 0.9), param.get("eps", 1e-5)))
        layers.append(ReLU())
        if dropout:
            layers.append(Dropout(dropout["p"]))
    return layers, names, running
