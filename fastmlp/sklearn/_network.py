"""The network behind an estimator: layers, loss, and scikit-learn's scale of both."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fastmlp import layers
from fastmlp.losses import Loss
from fastmlp.sequential import Sequential

__all__ = ["ACTIVATIONS", "Network", "Objective", "Views", "build"]

ACTIVATIONS: dict[str, type[layers.Layer] | None] = {
    "identity": None,
    "logistic": layers.Sigmoid,
    "tanh": layers.Tanh,
    "relu": layers.ReLU,
    "leaky_relu": layers.LeakyReLU,
    "elu": layers.ELU,
    "selu": layers.SELU,
    "gelu": layers.GELU,
    "silu": layers.SiLU,
    "mish": layers.Mish,
}
_NORMALIZATIONS = {"batch": layers.BatchNorm, "layer": layers.LayerNorm}


@dataclass(frozen=True)
class Objective:
    """A loss of ours, and how it stands to the one that scikit-learn's formulas speak of.

    Ours are means over rows and outputs. scikit-learn's gradients belong to sums over outputs,
    and to half of the squared error; what it reports may be scaled differently again.

    Attributes
    ----------
    loss : Loss
    gradient_scale : float
        Our gradient divided by scikit-learn's. The optimizer makes up for it exactly: a step of
        SGD is lr * g, one of Adam does not change when g and epsilon are scaled alike.
    report_scale : float
        The reported loss divided by ours.
    offset : float
        Added to what is reported: the part of a loss that no weight changes.

    """

    loss: Loss
    gradient_scale: float = 1.0
    report_scale: float = 1.0
    offset: float = 0.0


class Views(list[np.ndarray]):
    """Arrays of a network, a layer each; what is assigned to one is copied into the network."""

    def __setitem__(self, index: Any, values: Any) -> None:
        """Copy in an array, or several.

        Raises
        ------
        ValueError
            If there are not as many, or of other shapes.

        """
        if not isinstance(index, slice):
            index, values = slice(index, index + 1 or None), [values]
        views, arrays = self[index], [np.asarray(value) for value in values]
        if [view.shape for view in views] != [array.shape for array in arrays]:
            raise ValueError(
                f"expected arrays of shapes {[view.shape for view in views]}, as the network has "
                f"them, got {[array.shape for array in arrays]}"
            )
        for view, array in zip(views, arrays, strict=True):
            view[...] = array


class Network:
    """A Sequential, and its products' weights and biases as scikit-learn shows them."""

    def __init__(self, model: Sequential, plan: tuple[Any, ...]):
        self.model = model
        self.plan = plan

    @property
    def linears(self) -> list[layers.Linear]:
        """The layers that scikit-learn counts."""
        return [layer for layer in self.model.layers if isinstance(layer, layers.Linear)]

    def twin(self, dtype: np.dtype) -> Sequential:
        """Return a model of the same layers and values in another dtype."""
        return Sequential(*map(copy.deepcopy, self.model.layers), dtype=dtype)

    def set_dropout(self, dropout: float) -> None:
        """Change the probability of dropping in layers that drop."""
        for layer in self.model.layers:
            if isinstance(layer, layers.Dropout):
                layer.p = dropout

    def squared_weights(self) -> float:
        """Sum of the squares of all weights, without the biases."""
        return sum(float(np.vdot(layer.weight, layer.weight)) for layer in self.linears)


def build(
    units: Sequence[int],
    dtype: np.dtype,
    random_state: np.random.RandomState,
    *,
    activation: str,
    normalization: str | None,
    dropout: float,
) -> Network:
    """Return a network with starting weights drawn as scikit-learn draws them.

    Uniform in +-sqrt(6 / (fan_in + fan_out)), 2 in place of 6 for the logistic activation, weights
    and biases alike (Glorot and Bengio, 2010).

    Parameters
    ----------
    units : sequence of int
        Features, units of each hidden layer, outputs.
    dtype : numpy.dtype
        float32 or float64.
    random_state : numpy.random.RandomState
        Is advanced.
    activation : str
        A key of ``ACTIVATIONS``.
    normalization : {"batch", "layer"}, optional
        Between a hidden layer's product and its activation.
    dropout : float
        Probability of dropping behind each hidden layer.

    """
    stack: list[layers.Layer] = []
    make = ACTIVATIONS[activation]
    for index, (n_in, n_out) in enumerate(pairwise(units)):
        stack.append(layers.Linear(n_in, n_out, init="zeros"))
        if index == len(units) - 2:
            break
        if normalization is not None:
            stack.append(_NORMALIZATIONS[normalization](n_out))
        if make is not None:
            stack.append(make())
        if dropout:
            stack.append(layers.Dropout(dropout))
    network = Network(
        Sequential(*stack, dtype=dtype), (tuple(units), activation, normalization, dropout > 0)
    )
    factor = 2.0 if activation == "logistic" else 6.0
    for layer in network.linears:
        bound = np.sqrt(factor / (layer.in_features + layer.out_features))
        layer.weight = random_state.uniform(-bound, bound, (layer.in_features, layer.out_features))
        layer.bias = random_state.uniform(-bound, bound, layer.out_features)
    return network
