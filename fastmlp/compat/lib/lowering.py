"""Conversion of a network of ``lib`` to a fastmlp model and to compiled steps."""

from typing import Any

import numpy as np

from fastmlp import layers as ours
from fastmlp import optimizers
from fastmlp.compat.lib import layer_utils as theirs
from fastmlp.compat.lib import optim
from fastmlp.compat.lib.fully_conn import Module
from fastmlp.compat.steps import CompiledSteps, Mirror, Parameter
from fastmlp.optimizers import Optimizer

__all__ = ["as_model", "compiled_steps"]

# The names of each optimizer's state dicts, in the kernels' order.
_STATES = {
    optim.SGD: (),
    optim.SGDM: ("velocity",),
    optim.RMSProp: ("cache",),
    optim.Adam: ("mt", "vt"),
}


def as_model(model: Any) -> Mirror | None:
    """Return a model with the network's values, or None if it has custom parts."""
    lowered = _lower(model, ())
    if lowered is None:
        return None
    mirror = Mirror(*lowered)
    mirror.enter()
    return mirror


def compiled_steps(
    model: Any, loss_func: Any, optimizer: Any, X: np.ndarray, y: np.ndarray, batch_size: int
) -> CompiledSteps | None:
    """Return compiled steps for `train_net`, or None if it must run layer by layer.

    It must with a custom layer, loss or optimizer, an optimizer of other layers, or dropout with a
    fixed seed.
    """
    stepper = _optimizer(optimizer)
    if stepper is None or type(loss_func) is not theirs.cross_entropy or not loss_func.dim_average:
        return None
    lowered = _lower(model, [getattr(optimizer, name) for name in _STATES[type(optimizer)]])
    if lowered is None:
        return None
    stages = model.net.layers
    if len(optimizer.layers) != len(stages):
        return None
    if any(a is not b for a, b in zip(optimizer.layers, stages, strict=True)):
        return None
    if any(isinstance(layer, theirs.dropout) and layer.seed is not None for layer in stages):
        return None
    drops = any(isinstance(layer, theirs.dropout) and layer.p > 0.0 for layer in stages)
    return CompiledSteps(
        *lowered,
        stepper,
        X,
        y,
        batch_size,
        seed=int(np.random.randint(2**31)) if drops else 0,
        counters=[(vars(optimizer), "t")] if isinstance(optimizer, optim.Adam) else (),
    )


def _lower(model: Any, states: Any) -> tuple[list[ours.Layer], list[Parameter]] | None:
    """Return equivalent fastmlp layers, and where the network's parameters are."""
    kind = type(model)
    if not isinstance(model, Module) or (kind.forward, kind.backward) != (
        Module.forward,
        Module.backward,
    ):
        return None
    layers: list[ours.Layer] = []
    parameters: list[Parameter] = []
    for layer in model.net.layers:
        if type(layer) is theirs.fc:
            shape = np.shape(layer.params[layer.w_name])
            if set(layer.params) != {layer.w_name, layer.b_name} or len(shape) != 2:
                return None
            for local, name in (("weight", layer.w_name), ("bias", layer.b_name)):
                held = [(state, name) for state in states]
                place = f"{len(layers)}.{local}"
                parameters.append(Parameter(place, layer.params, name, states=held))
            layers.append(ours.Linear(*shape, init="zeros"))
        else:
            other = _without_parameters(layer)
            if other is None:
                return None
            layers.append(other)
    return (layers, parameters) if parameters else None


def _without_parameters(layer: Any) -> ours.Layer | None:
    if type(layer) is theirs.relu:
        return ours.ReLU()
    if type(layer) is theirs.leaky_relu:
        return ours.LeakyReLU(layer.alpha)
    if type(layer) is theirs.elu:
        return ours.ELU(layer.alpha)
    if type(layer) is theirs.sigmoid:
        return ours.Sigmoid()
    if type(layer) is theirs.tanh:
        return ours.Tanh()
    if type(layer) is theirs.dropout:
        return ours.Dropout(layer.p)
    return None


def _optimizer(optimizer: Any) -> Optimizer | None:
    """Return the equivalent fastmlp optimizer, or None if there is none."""
    kind = type(optimizer)
    try:
        if kind is optim.SGD:
            return optimizers.SGD(0.0)
        if kind is optim.SGDM:
            return optimizers.SGD(0.0, optimizer.momentum) if optimizer.momentum else None
        if kind is optim.RMSProp:
            return optimizers.RMSprop(0.0, optimizer.decay, eps_in_root=True)
        if kind is optim.Adam:
            return optimizers.Adam(0.0, optimizer.beta1, optimizer.beta2)
    except (TypeError, ValueError):  # numbers that only the original accepts
        return None
    return None
