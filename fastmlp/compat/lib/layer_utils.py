"""Layers with named parameters in plain dicts, and a container for a sequence of layers.

Every layer has ``name``, ``params``, ``grads``, ``forward(x)`` and ``backward(dout) -> dx``; dx has
the shape of x. Users can edit and replace the dicts and the arrays in them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.common.errors import unknown
from fastmlp.compat import arrays

__all__ = [
    "cross_entropy",
    "dropout",
    "elu",
    "fc",
    "leaky_relu",
    "relu",
    "selu",
    "sequential",
    "sigmoid",
    "softmax",
    "tanh",
]


class sequential:
    """A sequence of layers, with their parameters by name.

    Parameters
    ----------
    *args : layer
        The layers, with distinct names.

    Attributes
    ----------
    layers : list
    params, grads : dict
        Arrays of all layers, collected at each access; setting one sets it in its layer.

    Raises
    ------
    ValueError
        If two layers have the same name.

    """

    def __init__(self, *args: Any):
        names = [layer.name for layer in args]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"Existing name {name}!")
        self.layers = list(args)

    @property
    def params(self) -> "_Gathered":
        """Parameters of all layers by name."""
        return _Gathered(layer.params for layer in self.layers)

    @params.setter
    def params(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            self.assign(name, value)

    @property
    def grads(self) -> "_Gathered":
        """Gradients of all layers by name, None before the first backward pass."""
        return _Gathered(layer.grads for layer in self.layers)

    @grads.setter
    def grads(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            self.assign_grads(name, value)

    def assign(self, name: str, val: Any) -> None:
        """Set the named parameter in its layer."""
        self.params[name] = val

    def assign_grads(self, name: str, val: Any) -> None:
        """Set the named gradient in its layer."""
        self.grads[name] = val

    def get_params(self, name: str) -> np.ndarray:
        """Return the named parameter."""
        return self.params[name]

    def get_grads(self, name: str) -> np.ndarray:
        """Return the named gradient."""
        return self.grads[name]

    def gather_params(self) -> None:
        """Do nothing: ``params`` is always up to date."""

    def gather_grads(self) -> None:
        """Do nothing: ``grads`` is always up to date."""

    def load(self, pretrained: Mapping[str, Any]) -> None:
        """Copy the network's parameters from a dict, and print the name and shape of each."""
        for layer in self.layers:
            for name in layer.params:
                if name in pretrained:
                    layer.params[name] = np.array(pretrained[name])
                    print(f"Loading Params: {name} Shape: {layer.params[name].shape}")


class _Gathered(dict[str, Any]):
    """The dicts of several layers as one; setting a value also sets it in the layer's dict."""

    def __init__(self, dicts: Any):
        self._owners = list(dicts)
        super().__init__((name, value) for owner in self._owners for name, value in owner.items())

    def __setitem__(self, name: str, value: Any) -> None:
        """Set a value here and in the layer's dict."""
        owner = next((owner for owner in self._owners if name in owner), None)
        if owner is None:
            raise unknown("parameter", name, self)
        owner[name] = value
        super().__setitem__(name, value)

    # dict's has overloads, for the same arguments.
    def update(self, values: Any = (), **named: Any) -> None:  # type: ignore[override]
        """Set each of the values."""
        for name, value in dict(values, **named).items():
            self[name] = value

    def __reduce__(self) -> Any:
        """Copy and pickle as a plain dict."""
        return dict, (dict(self),)


class fc:
    """The affine layer x w + b.

    Parameters
    ----------
    input_dim, output_dim : int
        D, H; the trailing axes of x are flattened to D features.
    init_scale : float, default 0.02
        Standard deviation of the initial weight; the bias starts at 0.
    name : str, default "fc"
        The parameters are ``name + "_w"`` (D, H) and ``name + "_b"`` (H,).

    """

    def __init__(self, input_dim: int, output_dim: int, init_scale: float = 0.02, name: str = "fc"):
        self.name, self.w_name, self.b_name = name, name + "_w", name + "_b"
        self.input_dim, self.output_dim = input_dim, output_dim
        self.params: dict[str, Any] = {
            self.w_name: init_scale * np.random.randn(input_dim, output_dim),
            self.b_name: np.zeros(output_dim),
        }
        self.grads: dict[str, Any] = {self.w_name: None, self.b_name: None}
        self.meta: Any = None

    def forward(self, feat: Any) -> np.ndarray:
        """Return (N, H) for x (N, ...)."""
        self.meta = feat
        return arrays.affine(feat, self.params[self.w_name], self.params[self.b_name])

    def backward(self, dprev: Any) -> np.ndarray:
        """Return dx and set both gradients."""
        dfeat, dweight, dbias = arrays.affine_backward(dprev, _last(self), self.params[self.w_name])
        self.grads[self.w_name] = dweight
        self.grads[self.b_name] = dbias.reshape(np.shape(self.params[self.b_name]))
        self.meta = None
        return dfeat


class _activation:
    """scale * f(x), elementwise, where f is one of the kernels' activations."""

    kind = ""
    scale = 1.0
    alpha = 0.0

    def __init__(self, name: str | None = None):
        self.name = type(self).__name__ if name is None else name
        self.params: dict[str, Any] = {}
        self.grads: dict[str, Any] = {}
        self.meta: Any = None

    def forward(self, feat: Any) -> np.ndarray:
        """Return f(x) in the shape of x."""
        self.meta = feat
        y = arrays.activation(self.kind, feat, self.alpha)
        return y if self.scale == 1.0 else self.scale * y

    def backward(self, dprev: Any) -> np.ndarray:
        """Return dout * f'(x)."""
        dfeat = arrays.activation_backward(self.kind, dprev, _last(self), self.alpha)
        self.meta = None
        return dfeat if self.scale == 1.0 else self.scale * dfeat


class relu(_activation):
    """max(0, x)."""

    kind = "relu"


class leaky_relu(_activation):
    """x where x > 0, else negative_slope * x; the slope is 0.1 by default."""

    kind = "leaky_relu"

    def __init__(self, negative_slope: float = 0.1, name: str | None = None):
        super().__init__(name)
        self.alpha = self.negative_slope = negative_slope


class elu(_activation):
    """x where x > 0, else alpha * (exp(x) - 1); alpha is 0.5 by default."""

    kind = "elu"

    def __init__(self, alpha: float = 0.5, name: str | None = None):
        super().__init__(name)
        self.alpha = alpha


class selu(_activation):
    """scale * elu(x), with the published, rounded constants."""

    kind = "elu"

    def __init__(self, alpha: float = 1.6732, scale: float = 1.0507, name: str | None = None):
        super().__init__(name)
        self.alpha, self.scale = alpha, scale


class sigmoid(_activation):
    """1 / (1 + exp(-x))."""

    kind = "sigmoid"


class tanh(_activation):
    """The hyperbolic tangent."""

    kind = "tanh"


class dropout:
    """In training, drops elements at random and scales the others by 1 / (1 - p).

    Parameters
    ----------
    p : float
        Probability of dropping an element; 0 <= p < 1. With 0, the layer is the identity.
    seed : int, optional
        If given, every call of `forward` draws the same mask.
    name : str, default "dropout"

    """

    def __init__(self, p: float, seed: int | None = None, name: str = "dropout"):
        if not 0.0 <= p < 1.0:
            raise ValueError(f"p, the probability of dropping, must be from 0 to below 1, got {p}")
        self.name, self.p, self.seed = name, p, seed
        self.params: dict[str, Any] = {}
        self.grads: dict[str, Any] = {}
        self.mask: np.ndarray | None = None

    def forward(self, feat: Any, is_Training: bool = True) -> np.ndarray:
        """Return x; in training, with elements dropped."""
        self.mask = None
        if not is_Training or self.p == 0.0:
            return feat
        random = np.random if self.seed is None else np.random.RandomState(self.seed)
        self.mask = arrays.draw_mask(np.shape(feat), self.p, random)
        return (feat * self.mask).astype(np.asarray(feat).dtype, copy=False)

    def backward(self, dprev: Any) -> np.ndarray:
        """Return dout with the same elements dropped."""
        if self.mask is None:
            return dprev
        return (dprev * self.mask).astype(np.asarray(dprev).dtype, copy=False)


class cross_entropy:
    """The mean over the batch of -log softmax(scores)[y].

    Parameters
    ----------
    dim_average : bool, default True
        Whether to divide by the number of rows; if not, the loss is a sum.

    """

    def __init__(self, dim_average: bool = True):
        self.dim_average = dim_average
        self.dLoss: np.ndarray | None = None

    def forward(self, feat: Any, label: Any) -> float:
        """Return the loss of scores (N, C) and labels (N,)."""
        loss, self.dLoss = arrays.classification_loss("cross_entropy", feat, label)
        if not self.dim_average:
            loss, self.dLoss = loss * len(feat), self.dLoss * len(feat)
        return loss

    def backward(self) -> np.ndarray:
        """Return the loss's gradient for the scores."""
        if self.dLoss is None:
            raise ValueError("cross_entropy.backward needs a forward pass first")
        return self.dLoss


def softmax(feat: Any) -> np.ndarray:
    """Return the softmax of each row, shape (N, C)."""
    feat = np.asarray(feat)
    best = np.argmax(feat, axis=1)
    _, gradient = arrays.classification_loss("cross_entropy", feat, best)
    scores = gradient * len(feat)  # the gradient of cross-entropy is (softmax - onehot) / N
    scores[np.arange(len(feat)), best] += 1.0
    return scores


def _last(layer: Any) -> Any:
    if layer.meta is None:
        raise ValueError("No forward function called before for this module!")
    return layer.meta
