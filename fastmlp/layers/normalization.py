"""Layers that standardise: batch normalisation, layer normalisation, and fixed input scaling."""

from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.layers.base import Layer
from fastmlp.layers.settings import Fixed, Setting
from fastmlp.parameters import Arrays, FlatStore
from fastmlp.validation import as_data, fraction, positive, positive_int

__all__ = ["BatchNorm", "LayerNorm", "Normalize"]

_FAR = 256  # deviations: rounding to float32 first then costs up to 1.5e-5 of a deviation


class _Scaled(Layer):
    """The learned scale gamma (D,) and shift beta (D,) that end a normalisation."""

    n_features = Fixed(positive_int)
    eps = Setting(positive)

    def __init__(self, n_features: int, eps: float = 1e-5):
        self.n_features = n_features
        self.eps = eps

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """gamma (D,), beta (D,)."""
        return {"gamma": (self.n_features,), "beta": (self.n_features,)}

    def draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """gamma starts at 1, beta at 0."""
        return {"gamma": np.ones(self.n_features), "beta": np.zeros(self.n_features)}

    @property
    def input_width(self) -> int:
        """D."""
        return self.n_features

    def config(self) -> dict[str, Any]:
        """The size, and eps."""
        return {"n_features": self.n_features, "eps": self.eps}


class BatchNorm(_Scaled):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, statistics of each feature over the batch.

    In training the batch's own mean and biased variance are used, and ``running_mean`` and
    ``running_var`` follow them: ``running = momentum * running + (1 - momentum) * batch``; in
    inference the running ones are used. (Ioffe and Szegedy, 2015, algorithms 1 and 2.)

    A batch of one row has no variance. It is normalised with the running statistics, as in
    inference, and they then follow it in steps sixteen times smaller than for a batch:
    ``mean += r * (x - mean)`` and ``var = (1 - r) * (var + r * (x - mean)**2)`` with
    ``r = (1 - momentum) / 16``.

    Parameters
    ----------
    n_features : int
        D.
    momentum : float, default 0.9
        Share of the running statistics that stays; 0 <= momentum < 1.
    eps : float, default 1e-5
        > 0.

    """

    momentum = Setting(fraction)

    def __init__(self, n_features: int, momentum: float = 0.9, eps: float = 1e-5):
        super().__init__(n_features, eps)
        self.momentum = momentum

    def start_state(self) -> dict[str, np.ndarray]:
        """running_mean (D,) starts at 0, running_var (D,) at 1."""
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
        """Return dL/dx; after training on two rows or more also through mean and variance."""
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

    def config(self) -> dict[str, Any]:
        """The size, momentum and eps."""
        return {"n_features": self.n_features, "momentum": self.momentum, "eps": self.eps}


class LayerNorm(_Scaled):
    """y = gamma * (x - mean) / sqrt(var + eps) + beta, statistics of each row over its features.

    The variance is the biased one; training and inference are the same (Ba et al., 2016).

    Parameters
    ----------
    n_features : int
        D.
    eps : float, default 1e-5
        > 0.

    """

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return x normalised, in its own shape."""
        self._x = self._enter(x, self.n_features)
        y, self._mean, self._inv_std = ops.layernorm(
            self._x, self.params["gamma"], self.params["beta"], self.eps
        )
        return self._leave(y)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx, through mean and variance too."""
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


class Normalize(Layer):
    """y = (x - mean) / std with fixed numbers: the first layer for raw inputs.

    Training reads uint8 images where they are and standardises each minibatch as it is gathered,
    so the data is never stored as floats. Kept with the model: a saved one takes raw inputs too.

    mean and std are float64 in any model. Where a mean is far from 0 against its deviation (times
    since 1970, amounts with a large offset), rows are standardised in float64 and rounded once, so
    that they keep their content: as the first layer, also behind a Flatten, it then takes float64
    and large whole numbers as they are.

    Parameters
    ----------
    mean, std : array_like, shape (D,), or float
        Of each input feature, in its units; std > 0.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a value is not finite, or std is not greater than 0.

    """

    def __init__(self, mean: Any, std: Any):
        pair = [np.asarray(a, dtype=np.float64) for a in (mean, std)]
        try:
            mean, std = (a.reshape(-1) if a.ndim else a for a in np.broadcast_arrays(*pair))
        except ValueError:
            raise ValueError(
                f"mean and std must have one shape, got {pair[0].shape} and {pair[1].shape}"
            ) from None
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
            raise ValueError("mean must be finite and std finite and greater than 0")
        self._state = Arrays({"mean": np.array(mean), "std": np.array(std)})

    @classmethod
    def from_data(cls, X: Any) -> "Normalize":
        """Return the layer that standardises X.

        Parameters
        ----------
        X : array_like, shape (N, ...)
            The *training* rows. Floats: each feature gets its own mean and deviation (at least 1
            where it is constant within 8 units in the last place of its largest value). uint8,
            images: each pixel gets its own mean, all share one deviation, so that dim pixels are
            not blown up.

        """
        X = np.asarray(X)
        X = as_data(X, np.dtype(np.float32 if X.dtype == np.float32 else np.float64))
        rows = X.reshape(len(X), -1)
        mean = rows.mean(axis=0, dtype=np.float64)
        squares = np.zeros(rows.shape[1])
        for start in range(0, len(rows), 4096):  # in float64 only a block at a time
            squares += ((rows[start : start + 4096] - mean) ** 2).sum(axis=0)
        variance = squares / len(rows)
        if X.dtype == np.uint8:
            variance[:] = variance.mean()
        else:  # what differs by rounding alone is constant, and its rounding is not blown up
            low, high = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)
            unit = float(np.finfo(rows.dtype).eps) * np.maximum(-low, high)
            constant = high - low <= 8 * unit
            variance[constant] = np.maximum(variance[constant], 1.0)
        return cls(mean, np.sqrt(np.where(variance == 0.0, 1.0, variance)))

    @property
    def mean(self) -> np.ndarray:
        """What is subtracted, shape (D,) or ()."""
        return self.state["mean"]

    @property
    def std(self) -> np.ndarray:
        """What is divided by, shape (D,) or ()."""
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
        """Keep mean and std in float64: in float32, a mean may be wrong by many deviations."""
        state = self.state
        super().bind(store, index, views)
        self._state = state

    def dtype_between(self, dtype: np.dtype) -> np.dtype:
        """Return in what dtype a model in ``dtype`` standardises.

        float64 where rounding the input or the mean first would cost digits of the result.
        """
        far = (abs(self.mean) > _FAR * self.std).any()
        return np.dtype(np.float64) if far else dtype

    @property
    def input_width(self) -> int | None:
        """D, None if mean and std are single numbers."""
        return self.mean.size if self.mean.ndim else None

    def __repr__(self) -> str:
        """Normalize(D features)."""
        size = f"{self.mean.size} features" if self.mean.ndim else f"{self.mean:g}, {self.std:g}"
        return f"Normalize({size})"
