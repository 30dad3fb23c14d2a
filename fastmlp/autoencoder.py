"""A linear autoencoder with tied weights, which learns the subspace closest to the data."""

from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.common.errors import counted
from fastmlp.common.validation import positive_int, seed_int
from fastmlp.layers.base import Layer
from fastmlp.losses import MSE
from fastmlp.model import Sequential
from fastmlp.optimizers import Adam, Optimizer
from fastmlp.training.history import History

__all__ = ["TiedAutoencoder"]


class TiedAutoencoder:
    """Encodes x as W x and decodes it as W'W x, with W (m, n) that minimises 0.5 ||W'W x - x||^2.

    After training, the rows of W span the directions in which the data is largest; if its mean is
    0, these are its first m principal components.

    Parameters
    ----------
    n_features : int
        n, the length of a row of data.
    n_components : int
        m, the length of its code; m <= n.
    seed : int, default 0
        Seed of the initial W, whose rows are orthonormal.
    dtype : {"float32", "float64"}, default "float32"

    Attributes
    ----------
    components : numpy.ndarray, shape (m, n)
        W; can be edited in place or assigned to.
    history : History or None
        Results of the last call of `fit`; losses are means over rows of 0.5 ||W'W x - x||^2.

    Raises
    ------
    TypeError, ValueError
        If a size is not a whole number >= 1, or there are more components than features.

    """

    def __init__(
        self, n_features: int, n_components: int, *, seed: int = 0, dtype: Any = "float32"
    ):
        n_features = positive_int("n_features", n_features)
        n_components = positive_int("n_components", n_components)
        if n_components > n_features:
            raise ValueError(
                f"n_components must be at most n_features, {n_features}, got {n_components}"
            )
        self.n_features: int = n_features
        self.n_components: int = n_components
        self._layer = _Tied(n_features, n_components)
        self._model = Sequential(self._layer, seed=seed_int("seed", seed), dtype=dtype)
        self._model.told_layerwise = True  # no need to report it: this layer has no plan
        self._optimizer = Adam(lr=1e-3)
        self.history: History | None = None

    @property
    def components(self) -> np.ndarray:
        """The weight matrix W, shape (m, n)."""
        return self._layer.params["weight"]

    @components.setter
    def components(self, value: Any) -> None:
        self._layer.params["weight"] = value

    def fit(
        self,
        X: Any,
        *,
        epochs: int = 20,
        batch_size: int = 128,
        optimizer: str | Optimizer | None = None,
        **options: Any,
    ) -> "TiedAutoencoder":
        """Train on the rows of X; a further call continues from the current weights.

        Parameters
        ----------
        X : array_like, shape (N, ...) of n features
        epochs : int, default 20
        batch_size : int, default 128
            Number of rows per step, at most all of them.
        optimizer : str or Optimizer, optional
            Default: ``Adam(lr=1e-3)``, kept between calls.
        **options
            Passed to `Sequential.fit`: ``seed``, ``callbacks``, ``early_stopping``, ``time_limit``,
            ``verbose`` and so on; ``validation_data`` is an array of rows.

        Returns
        -------
        TiedAutoencoder
            This object.

        """
        X = self._rows(X)
        validation = options.pop("validation_data", None)
        if validation is not None:
            validation = self._rows(validation)
            options["validation_data"] = validation, validation
        self.history = self._model.fit(
            X,
            X,
            loss=_HalfSquares(),
            optimizer=self._optimizer if optimizer is None else optimizer,
            epochs=epochs,
            batch_size=batch_size,
            **options,
        )
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the codes W x, shape (N, m), of rows X, shape (N, ...) with n features each."""
        return ops.affine(self._rows(X), np.ascontiguousarray(self.components.T))

    def inverse_transform(self, codes: Any) -> np.ndarray:
        """Return the rows W'c, shape (N, n), of codes, shape (N, m).

        Raises
        ------
        ValueError
            If the codes do not have m columns.

        """
        rows = ops.as_rows(np.atleast_2d(codes), self._model.dtype)
        if rows.shape[1] != self.n_components:
            raise ValueError(
                f"codes must have {counted(self.n_components, 'column')}, got shape "
                f"{np.shape(codes)}"
            )
        return ops.affine(rows, self.components)

    def fit_transform(self, X: Any, **options: Any) -> np.ndarray:
        """Return ``fit(X, **options).transform(X)``."""
        return self.fit(X, **options).transform(X)

    def reconstruction_error(self, X: Any) -> float:
        """Return the mean over rows of ||W'W x - x||^2, in the data's units squared."""
        X = self._rows(X)
        return 2.0 * self._model.evaluate(X, X, loss=_HalfSquares())[0]

    def loss_and_gradient(self, X: Any) -> tuple[float, np.ndarray]:
        """Return the mean over rows of 0.5 ||W'W x - x||^2, and its gradient for W, (m, n).

        The gradient is the mean over rows of W (W'W xx' + xx' W'W - 2 xx').
        """
        X = self._rows(X)
        loss, gradients = self._model.loss_and_grads(X, X, loss=_HalfSquares())
        return loss, gradients["0.weight"]

    def _rows(self, X: Any) -> np.ndarray:
        """Check X and return it as (N, n) in the model's dtype."""
        rows = ops.as_rows(X, self._model.dtype)
        if rows.shape[1] != self.n_features:
            raise ValueError(
                f"X must have {counted(self.n_features, 'feature')} per row, got shape "
                f"{np.shape(X)}"
            )
        return rows

    def __repr__(self) -> str:
        """Show n and m."""
        return f"TiedAutoencoder({self.n_features}, {self.n_components})"


class _Tied(Layer):
    """y = x W'W, W (m, n)."""

    def __init__(self, n_features: int, n_components: int):
        self.n_features, self.n_components = n_features, n_components

    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of W, (m, n)."""
        return {"weight": (self.n_components, self.n_features)}

    def draw(self, rng: "np.random.Generator") -> dict[str, np.ndarray]:
        """Return a random W with orthonormal rows, so that W'W starts as a projection."""
        columns, _ = np.linalg.qr(rng.normal(size=(self.n_features, self.n_components)))
        return {"weight": np.ascontiguousarray(columns.T)}

    def forward(self, x: np.ndarray, train: bool = False) -> np.ndarray:
        """Return x W'W."""
        self._x, weight = self._enter(x, self.n_features), self.params["weight"]
        self._transposed = np.ascontiguousarray(weight.T)
        self._code = ops.affine(self._x, self._transposed)
        return self._leave(ops.affine(self._code, weight))

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Return dL/dx; dL/dW is c'dy from the decoder plus (x'(dy W'))' from the encoder.

        For dy = W'W x - x, the sum is W (W'W xx' + xx' W'W - 2 xx').
        """
        dy = self._enter_gradient(dy)
        gradient, of_encoder = self.grads["weight"], np.empty_like(self._transposed)
        dcode = ops.affine_backward(dy, self._code, self.params["weight"], gradient)
        assert dcode is not None, "only need_dx=False gives None"
        dx = ops.affine_backward(dcode, self._x, self._transposed, of_encoder)
        assert dx is not None, "only need_dx=False gives None"
        gradient += of_encoder.T
        return self._leave(dx)

    @property
    def input_width(self) -> int:
        """The number of input features, n."""
        return self.n_features


class _HalfSquares(MSE):
    """0.5 ||z - t||^2, averaged over rows: n / 2 times the mean over all elements."""

    def compute(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray | None = None,
        doutputs: np.ndarray | None = None,
    ) -> tuple[float, int]:
        """Return the loss and 0, for no correct rows; fill doutputs."""
        value, _ = super().compute(outputs, targets, weights, doutputs)
        scale = 0.5 * outputs.shape[1]
        if doutputs is not None:
            doutputs *= doutputs.dtype.type(scale)
        return scale * value, 0
