"""The network behind an estimator: its layers, its loss, and the scale of both in scikit-learn."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from fastmlp import layers
from fastmlp.common.rows import Rows
from fastmlp.losses import LOSSES, MAE, MSE, Loss, Poisson
from fastmlp.model import Sequential

__all__ = ["ACTIVATIONS", "REGRESSION_LOSSES", "Network", "Objective", "Views", "build"]

ACTIVATIONS: dict[str, type[layers.Layer] | None] = {
    "identity": None,
    "logistic": layers.Sigmoid,
    "tanh": layers.Tanh,
    "relu": layers.ReLU,
}
"""scikit-learn's names, then fastmlp's -> the layer, or None for none."""
ACTIVATIONS |= {
    name: layer for name, layer in layers.ACTIVATIONS.items() if layer not in ACTIVATIONS.values()
}

REGRESSION_LOSSES: dict[str, type[Loss]] = {
    "squared_error": MSE,
    "poisson": Poisson,
    "absolute_error": MAE,
}
"""Names that scikit-learn has or would have, then fastmlp's -> the loss on numbers."""
REGRESSION_LOSSES |= {
    name: loss
    for name, loss in LOSSES.items()
    if not (loss.takes_labels or loss.has_accuracy or loss in REGRESSION_LOSSES.values())
}


@dataclass(frozen=True)
class Objective:
    """A fastmlp loss and its relation to scikit-learn's.

    fastmlp's losses are means over rows and outputs. scikit-learn's gradients are those of a sum
    over outputs, and of half the squared error; its reported loss may have yet another scale.

    Attributes
    ----------
    loss : Loss
    gradient_scale : float
        fastmlp's gradient divided by scikit-learn's. The optimizer compensates for it exactly: a
        step of SGD is lr * g, and a step of Adam is unchanged if g and epsilon are scaled alike.
    report_scale : float
        The reported loss divided by fastmlp's.
    row_offsets : callable, optional
        ``row_offsets(targets) -> (N,)``: the part of each row's loss that does not depend on the
        weights. It is added to the reported loss.
    searched_as_reported : bool, default True
        Whether lbfgs minimises the reported loss, as scikit-learn does even if that is a mean over
        outputs while the gradient is that of their sum. The line search uses both, so it takes
        the same steps only with the same pair. If False, loss and gradient are consistent.

    """

    loss: Loss
    gradient_scale: float = 1.0
    report_scale: float = 1.0
    row_offsets: Callable[[np.ndarray], np.ndarray] | None = None
    searched_as_reported: bool = True

    def offset(self, rows: Rows, order: Any = None, starts: Any = 0) -> float:
        """Return the offset of some rows' reported loss: the mean of their minibatches' offsets.

        Parameters
        ----------
        rows : Rows
        order : numpy.ndarray, int64, optional
            The rows in the order in which they are visited. Default: all.
        starts : numpy.ndarray, int64, optional
            Where each minibatch starts. Default: a single minibatch.

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
    """A list of a network's arrays, one per layer; assigned values are copied to the network."""

    def __setitem__(self, index: Any, values: Any) -> None:
        """Copy the values of an array, or of several, to the network.

        Raises
        ------
        ValueError
            If their number or a shape is wrong.

        """
        if not isinstance(index, slice):
            index, values = slice(index, index + 1 or None), [values]
        views, arrays = self[index], [np.asarray(value) for value in values]
        if [view.shape for view in views] != [array.shape for array in arrays]:
            raise ValueError(
                f"expected arrays of the network's shapes, {[view.shape for view in views]}, "
                f"got {[array.shape for array in arrays]}"
            )
        for view, array in zip(views, arrays, strict=True):
            view[...] = array


class Network:
    """A Sequential, with its weights and biases presented as in scikit-learn."""

    def __init__(self, model: Sequential, plan: tuple[Any, ...]):
        self.model = model
        self.plan = plan

    @property
    def linears(self) -> list[layers.Linear]:
        """The Linear layers, which are the only ones that scikit-learn counts."""
        return [layer for layer in self.model.layers if isinstance(layer, layers.Linear)]

    def twin(self, dtype: np.dtype) -> Sequential:
        """Return a copy of the model in another dtype."""
        return Sequential(*map(copy.deepcopy, self.model.layers), dtype=dtype)

    def set_dropout(self, dropout: float) -> None:
        """Change the probability of all dropout layers."""
        for layer in self.model.layers:
            if isinstance(layer, layers.Dropout):
                layer.p = dropout

    def squared_weights(self) -> float:
        """Return the sum of the squares of all weights, without the biases."""
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
    """Return a network with initial weights drawn as in scikit-learn.

    Weights and biases are uniform in +-sqrt(6 / (fan_in + fan_out)), with 2 instead of 6 for the
    logistic activation (Glorot and Bengio, 2010).

    Parameters
    ----------
    units : sequence of int
        Features, units of each hidden layer, outputs.
    dtype : numpy.dtype
        float32 or float64.
    random_state : numpy.random.RandomState
        Source of the weights; its state advances.
    activation : str
        A key of ``ACTIVATIONS``.
    normalization : str, optional
        Normalisation before each hidden layer's activation, a key of ``layers.NORMALIZATIONS``.
    dropout : float
        Probability of dropping a unit after each hidden layer.

    """
    stack: list[layers.Layer] = []
    make = ACTIVATIONS[activation]
    for index, (n_in, n_out) in enumerate(pairwise(units)):
        stack.append(layers.Linear(n_in, n_out, init="zeros"))
        if index == len(units) - 2:
            break
        if normalization is not None:
            stack.append(layers.NORMALIZATIONS[normalization](n_out))
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
