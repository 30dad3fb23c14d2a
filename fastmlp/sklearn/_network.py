"""The network behind an estimator: layers, loss, and scikit-learn's scale of both."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fastmlp import layers
from fastmlp.losses import Loss
from fastmlp.model import Sequential
from fastmlp.rows import Rows

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
    row_offsets : callable, optional
        ``row_offsets(targets) -> (N,)``: the part of each row's loss that no weight changes. It is
        added to what is reported.
    searched_as_reported : bool, default True
        Whether lbfgs searches by the reported loss, as scikit-learn does even where it is a mean
        over outputs and the gradient belongs to their sum: its line search sees both, so that only
        the same pair leads along the same way. Otherwise loss and gradient belong together.

    """

    loss: Loss
    gradient_scale: float = 1.0
    report_scale: float = 1.0
    row_offsets: Callable[[np.ndarray], np.ndarray] | None = None
    searched_as_reported: bool = True

    def offset(self, rows: Rows, order: Any = None, starts: Any = 0) -> float:
        """Return what is added for some rows: the mean of what their minibatches have.

        Parameters
        ----------
        rows : Rows
        order : numpy.ndarray, int64, optional
            Which of them, in the order in which they are visited; default all.
        starts : numpy.ndarray, int64, optional
            Where each minibatch begins; default one of all.

        """
        if self.row_offsets is None:
            return 0.0
        targets, weights = rows.targets, rows.weights
        if order is not None:
            targets, weights = targets[order], None if weights is None else weights[order]
        offsets = self.row_offsets(targets)
        if weights is None:
            return float(offsets.mean())
        starts = np.atleast_1d(starts)
        counts = np.diff(starts, append=len(offsets))
        mass = np.add.reduceat(weights, starts, dtype=np.float64)
        sums = np.add.reduceat(weights * offsets, starts)
        return float(counts @ (sums / np.where(mass > 0, mass, 1.0))) / len(offsets)


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
