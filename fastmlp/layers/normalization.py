"""Normalisation layers: batch norm, layer norm, RMS norm, and fixed scaling of the inputs."""

# X is a matrix, not a constant.
# pyright: reportConstantRedefinition=false

from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.common.errors import counted
from fastmlp.common.validation import as_data, fraction, positive, positive_int
from fastmlp.engine.parameters import Arrays, FlatStore
from fastmlp.engine.plan import Core, Standardise
from fastmlp.layers.base import Layer
from fastmlp.layers.settings import Fixed, Setting

# What `fastmlp` shows; `fastmlp.layers` shows NORMALIZATIONS too.
__all__ = ["BatchNorm", "LayerNorm", "Normalize", "RMSNorm"]

_FAR = 256  # standard deviations: here, rounding x to float32 first costs up to 1.5e-5 of one


class _Scaled(Layer):
    """Base class of normalisations with a learned scale gamma (D,) and shift beta (D,)."""

    n_features: Fixed[int] = Fixed(positive_int)
    eps: Setting[float] = Setting(positive)

    def __init__(self, n_features: int, eps: float = 1e-5):
        self.n_features = n_features
        self.eps = eps

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shapes of gamma and beta, both (D,)."""
        return {"gamma": (self.n_features,), "beta": (self.n_features,)}

    def draw(self, rng: "np.random.Generator") -> dict[str, np.ndarray]:
        """Return gamma = 1 and beta = 0."""
        return {"gamma": np.ones(self.n_features), "beta": np.zeros(self.n_features)}

    @property
    def input_width(self) -> int:
        """The number of input features, D."""
        return self.n_features

    def config(self) -> dict[str, Any]:
        """Return ``n_features`` and ``eps`` by name."""
        return {"n_features": self.n_features, "eps": self.eps}


class BatchNorm(_Scaled):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, with each feature's batch statistics.

    Training uses the mean and the biased variance of the batch, and updates the running
    statistics: ``running = momentum * running + (1 - momentum) * batch``. Inference uses
    ``running_mean`` and ``running_var`` (Ioffe and Szegedy, 2015, algorithms 1 and 2).

    A batch of one row has no variance. It is normalised with the running statistics, as at
    inference, and updates them sixteen times more slowly than a larger batch does:
    ``mean += r * (x - mean)`` and ``var = (1 - r) * (var + r * (x - mean)**2)`` with
    ``r = (1 - momentum) / 16``.

    Parameters
    ----------
    n_features : int
        D.
    momentum : float, default 0.9
        Share of the running statistics that is kept at each step; 0 <= momentum < 1.
    eps : float, default 1e-5
        Added to the variance; must be > 0.

    """

    momentum: Setting[float] = Setting(fraction)

    def __init__(self, n_features: int, momentum: float = 0.9, eps: float = 1e-5):
        super().__init__(n_features, eps)
        self.momentum = momentum

    def start_state(self) -> dict[str, np.ndarray]:
        """Return running_mean = 0 and running_var = 1, both of shape (D,)."""
        return {"running_mean": np.zeros(self.n_features), "running_var": np.ones(self.n_features)}

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return x normalised, in its own shape."""
        self._x, self._train = self._enter(x, self.n_features), train
        gamma, beta = self.params["gamma"], self.params["beta"]
        mean, var = self.state["running_mean"], self.state["running_var"]
        if train and len(self._x) == 1:
            y, self._mean, self._inv_std = ops.batchnorm_row(
                self._x, gamma, beta, mean, var, self.momentum, self.eps
            )
        else:
            y, self._mean, self._inv_std = ops.batchnorm(
                self._x, gamma, beta, mean, var, self.momentum, self.eps, train
            )
        return self._leave(y)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx, through the batch's mean and variance too if training used them."""
        dy = self._enter_gradient(dy)
        gamma, grads = self.params["gamma"], self.grads
        if self._train:
            rule = ops.batchnorm_backward if len(self._x) > 1 else ops.batchnorm_row_backward
            dx = rule(dy, self._x, gamma, self._mean, self._inv_std, grads["gamma"], grads["beta"])
        else:  # mean and variance are constants
            grads["gamma"] = (dy * ((self._x - self._mean) * self._inv_std)).sum(axis=0)
            grads["beta"] = dy.sum(axis=0)
            dx = dy * (gamma * self._inv_std)
        return self._leave(dx)

    def lowered(self, width: int) -> Core:
        """Describe the layer to the engine."""
        return Core("batch_norm", self.n_features, (self.eps, self.momentum))

    def config(self) -> dict[str, Any]:
        """Return ``n_features``, ``momentum`` and ``eps`` by name."""
        return {"n_features": self.n_features, "momentum": self.momentum, "eps": self.eps}


class LayerNorm(_Scaled):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, with each row's mean and biased variance.

    Training and inference compute the same (Ba et al., 2016).

    Parameters
    ----------
    n_features : int
        D.
    eps : float, default 1e-5
        Added to the variance; must be > 0.

    """

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return x normalised, in its own shape."""
        self._x = self._enter(x, self.n_features)
        y, self._mean, self._inv_std = ops.layernorm(
            self._x, self.params["gamma"], self.params["beta"], self.eps
        )
        return self._leave(y)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx, through the row's mean and variance too."""
        dy, grads = self._enter_gradient(dy), self.grads
        dx = ops.layernorm_backward(
            dy,
            self._x,
            self.params["gamma"],
            self._mean,
            self._inv_std,
            grads["gamma"],
            grads["beta"],
        )
        return self._leave(dx)

    def lowered(self, width: int) -> Core:
        """Describe the layer to the engine."""
        return Core("layer_norm", self.n_features, (self.eps,))


class RMSNorm(_Scaled):
    """y = gamma * x / sqrt(mean(x**2) + eps), with each row's mean; there is no beta.

    Training and inference compute the same (Zhang and Sennrich, 2019).

    Parameters
    ----------
    n_features : int
        D.
    eps : float, default 1e-5
        Added to the mean square; must be > 0.

    """

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of gamma, (D,)."""
        return {"gamma": (self.n_features,)}

    def draw(self, rng: "np.random.Generator") -> dict[str, np.ndarray]:
        """Return gamma = 1."""
        return {"gamma": np.ones(self.n_features)}

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return x normalised, in its own shape."""
        self._x = self._enter(x, self.n_features)
        y, self._inv_rms = ops.rmsnorm(self._x, self.params["gamma"], self.eps)
        return self._leave(y)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx, through the row's mean square too."""
        dy, gamma, dgamma = self._enter_gradient(dy), self.params["gamma"], self.grads["gamma"]
        return self._leave(ops.rmsnorm_backward(dy, self._x, gamma, self._inv_rms, dgamma))

    def lowered(self, width: int) -> Core:
        """Describe the layer to the engine."""
        return Core("rms_norm", self.n_features, (self.eps,))


NORMALIZATIONS: dict[str, type[BatchNorm | LayerNorm | RMSNorm]] = {
    "batch": BatchNorm,
    "layer": LayerNorm,
    "rms": RMSNorm,
}
"""Name, as for the estimators -> the layer, which is created with a number of features."""


class Normalize(Layer):
    """y = (x - mean) / std with fixed mean and std, as the first layer of a model on raw inputs.

    Training reads uint8 images directly and standardises each minibatch as it is gathered, so no
    float copy of the data is made. The layer is saved with the model, so a loaded model takes raw
    inputs too.

    mean and std are float64 in every model. If a mean is large relative to its standard deviation
    (times since 1970, amounts with a large offset), rows are standardised in float64 and rounded
    only once, so that no information is lost. For this, the layer must come first, or right after
    a Flatten; it then receives float64 and large whole numbers unrounded.

    Parameters
    ----------
    mean, std : array_like, shape (D,), or float
        Mean and standard deviation of each input feature, in its units; std > 0.

    Raises
    ------
    ValueError
        If the shapes do not match, a value is not finite, or std is not greater than 0.

    """

    def __init__(self, mean: Any, std: Any):
        pair = [np.asarray(a, dtype=np.float64) for a in (mean, std)]
        try:
            mean, std = (a.reshape(-1) if a.ndim else a for a in np.broadcast_arrays(*pair))
        except ValueError:
            raise ValueError(
                f"mean and std must have the same shape, got {pair[0].shape} and {pair[1].shape}"
            ) from None
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
            raise ValueError("mean must be finite and std finite and greater than 0")
        self._state = Arrays({"mean": np.array(mean), "std": np.array(std)})

    @classmethod
    def from_data(cls, X: Any) -> "Normalize":
        """Return a layer that standardises X.

        Parameters
        ----------
        X : array_like, shape (N, ...)
            The *training* rows. In general, each feature has its own mean and standard deviation;
            a feature that is constant, to within 8 units in the last place of its largest value,
            gets a standard deviation of at least 1. For uint8 images, each pixel has its own mean,
            but all share one standard deviation, so that dim pixels are not amplified.

        """
        X = np.asarray(X)
        X = as_data(X, np.dtype(np.float32 if X.dtype == np.float32 else np.float64))
        rows = X.reshape(len(X), -1)
        mean = rows.mean(axis=0, dtype=np.float64)
        squares = np.zeros(rows.shape[1])
        for start in range(0, len(rows), 4096):  # one block in float64 at a time
            squares += ((rows[start : start + 4096] - mean) ** 2).sum(axis=0)
        variance = squares / len(rows)
        if X.dtype == np.uint8:
            variance[:] = variance.mean()
        else:  # a feature that varies only by rounding is constant: do not amplify the rounding
            low, high = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)
            unit = float(np.finfo(rows.dtype).eps) * np.maximum(-low, high)
            constant = high - low <= 8 * unit
            variance[constant] = np.maximum(variance[constant], 1.0)
        return cls(mean, np.sqrt(np.where(variance == 0.0, 1.0, variance)))

    @property
    def mean(self) -> np.ndarray:
        """The mean that is subtracted, float64, shape (D,) or ()."""
        return self.state["mean"]

    @property
    def std(self) -> np.ndarray:
        """The standard deviation that x is divided by, float64, shape (D,) or ()."""
        return self.state["std"]

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return x standardised, in its own shape."""
        if self._store is None:
            rows = self._enter(x, self.input_width)
            return self._leave((rows - self.mean) * (1 / self.std))
        between = self.dtype_between(self._store.dtype)
        rows = self._enter(x, self.input_width, between)
        rows = (rows - self.mean.astype(between)) * (1 / self.std.astype(between))
        return self._leave(rows.astype(self._store.dtype, copy=False))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dy / std."""
        dy = self._enter_gradient(dy)
        return self._leave(dy * (1 / self.std.astype(dy.dtype)))

    def bind(self, store: FlatStore, index: int, views: Arrays) -> None:
        """Keep mean and std in float64: in float32, a mean can be off by many deviations."""
        state = self.state
        super().bind(store, index, views)
        self._state = state

    def lowered(self, width: int) -> Standardise:
        """Describe the layer to the engine."""
        return Standardise(self.mean, self.std, self.dtype_between)

    def dtype_between(self, dtype: np.dtype) -> np.dtype:
        """Return the dtype in which a model of the given dtype standardises.

        It is float64 if rounding the input or the mean first would cost accuracy.
        """
        far = (abs(self.mean) > _FAR * self.std).any()
        return np.dtype(np.float64) if far else dtype

    @property
    def input_width(self) -> int | None:
        """The number of input features, D, or None if mean and std are scalars."""
        return self.mean.size if self.mean.ndim else None

    def __repr__(self) -> str:
        """Show the number of features, or mean and std if they are scalars."""
        size = (
            counted(self.mean.size, "feature") if self.mean.ndim else f"{self.mean:g}, {self.std:g}"
        )
        return f"Normalize({size})"
