"""Losses: a mean over rows, optionally weighted, and its gradient with respect to the outputs.

N rows, C outputs, z the outputs, t the targets. With row weights w the mean is
sum_i w_i l_i / sum_i w_i. `fastmlp.ops.loss` computes them.
"""

from inspect import isclass
from typing import Any

import numpy as np

from fastmlp import ops
from fastmlp.common.attributes import Checked
from fastmlp.common.errors import instead_of_object, unknown
from fastmlp.common.labels import as_binary, as_labels
from fastmlp.common.validation import (
    as_float_targets,
    as_weights,
    fraction,
    positive,
    positive_int,
    representable,
)

__all__ = [
    "LOSSES",
    "MAE",
    "MSE",
    "BinaryCrossEntropy",
    "CrossEntropy",
    "Hinge",
    "Huber",
    "LogCosh",
    "Loss",
    "MemberCrossEntropy",
    "Poisson",
    "Quantile",
    "get",
    "is_built_in",
]


class Loss(Checked):
    """Base class of losses.

    Attributes
    ----------
    kind : str
        Its name in ``fit(loss=...)`` and in `fastmlp.ops.loss`.
    parameter : float
        The loss's parameter, 0 if it has none.
    takes_labels : bool
        Whether targets are class labels (N,). If not, they are numbers (N, C), or (N,) if C = 1.
    has_accuracy : bool
        Whether an output can be right or wrong, so that accuracy is defined.
    predicts : {"numbers", "class probabilities", "probabilities", "counts"}
        What the outputs stand for: the numbers themselves, or the logits of probabilities, or the
        logarithms of expected counts. `fastmlp.Ensemble` averages what they stand for.

    """

    kind: str = ""
    parameter: float = 0.0
    takes_labels: bool = False
    has_accuracy: bool = False
    predicts: str = "numbers"

    def __call__(self, outputs: Any, targets: Any, sample_weight: Any = None) -> float:
        """Return the loss.

        Parameters
        ----------
        outputs : array_like, shape (N, C)
        targets : array_like
            int (N,) for losses on labels, otherwise float (N, C).
        sample_weight : array_like, shape (N,), optional
            Weights >= 0; default: 1 for every row.

        Raises
        ------
        TypeError, ValueError
            If targets or weights do not match the outputs.

        """
        return self.compute(*self._checked(outputs, targets, sample_weight))[0]

    def gradient(self, outputs: Any, targets: Any, sample_weight: Any = None) -> np.ndarray:
        """Return dL/d(outputs), shape (N, C), in the dtype of the outputs."""
        return self.value_and_gradient(outputs, targets, sample_weight)[1]

    def value_and_gradient(
        self, outputs: Any, targets: Any, sample_weight: Any = None
    ) -> tuple[float, np.ndarray]:
        """Return the loss and dL/d(outputs)."""
        rows, targets, weights = self._checked(outputs, targets, sample_weight)
        gradient = np.empty_like(rows)
        value, _ = self.compute(rows, targets, weights, gradient)
        return value, gradient.reshape(np.shape(outputs))

    def compute(
        self,
        outputs: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray | None = None,
        doutputs: np.ndarray | None = None,
    ) -> tuple[float, int]:
        """Return the loss and the number of correct rows; fill doutputs. Checks no arguments."""
        return ops.loss(self.kind, outputs, targets, weights, self.parameter, doutputs)

    def as_targets(
        self, targets: Any, n_rows: int, n_outputs: int, dtype: np.dtype, name: str = "y"
    ) -> np.ndarray:
        """Check the targets and return them in the form that `compute` takes."""
        if self.takes_labels:
            return as_labels(targets, n_rows, n_outputs, name)
        return as_float_targets(targets, n_rows, n_outputs, dtype, name)

    def require_dtype(self, dtype: np.dtype) -> None:
        """Raise ValueError if the parameter would be 0 or infinite in the dtype."""
        representable(f"the parameter of {self!r}", self.parameter, dtype)

    def accuracy(self, n_correct: int, n_rows: int, n_outputs: int) -> float | None:
        """Return the share of correct answers, or None if accuracy is undefined for this loss."""
        if not self.has_accuracy:
            return None
        return n_correct / (n_rows if self.takes_labels else n_rows * n_outputs)

    def _checked(
        self, outputs: Any, targets: Any, sample_weight: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        outputs = np.asarray(outputs)
        if outputs.ndim < 1 or outputs.size == 0:
            raise ValueError(f"outputs must have shape (N, C), got {outputs.shape}")
        rows = ops.as_rows(outputs, np.float32 if outputs.dtype == np.float32 else np.float64)
        self.require_dtype(rows.dtype)
        targets = self.as_targets(targets, len(rows), rows.shape[1], rows.dtype, "targets")
        weights = sample_weight
        if weights is not None:
            weights = as_weights(weights, len(rows), rows.dtype)
        return rows, targets, weights

    def __repr__(self) -> str:
        """Show the call that creates this loss."""
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({values})"


class CrossEntropy(Loss):
    """-sum_c t_c log softmax(z)_c with t = (1 - s) onehot(label) + s / C; labels (N,).

    Parameters
    ----------
    label_smoothing : float, default 0.0
        s; 0 <= s < 1 (Szegedy et al., 2016, section 7).

    """

    kind = "cross_entropy"
    takes_labels = True
    has_accuracy = True
    predicts = "class probabilities"

    def __init__(self, label_smoothing: float = 0.0):
        self.label_smoothing: float = fraction("label_smoothing", label_smoothing)

    @property
    def parameter(self) -> float:  # type: ignore[override] - is a setting
        """``label_smoothing``, under the name that the kernels use."""
        return self.label_smoothing


class Hinge(Loss):
    """Sum of max(0, z_c - z_label + 1) over all classes c other than the label; labels (N,).

    The multiclass hinge of Weston and Watkins, 1999.
    """

    kind = "hinge"
    takes_labels = True
    has_accuracy = True


class MemberCrossEntropy(Loss):
    """The mean cross-entropy of k members, whose C logits each stand one after the other in a row.

    A row is right if the mean of the members' probabilities is largest at the label.

    Parameters
    ----------
    n_members : int, default 1
        k.

    """

    kind = "member_cross_entropy"
    takes_labels = True
    has_accuracy = True

    def __init__(self, n_members: int = 1):
        self.n_members: int = positive_int("n_members", n_members)

    @property
    def parameter(self) -> float:  # type: ignore[override] - is a setting
        """``n_members``, under the name that the kernels use."""
        return float(self.n_members)

    def as_targets(
        self, targets: Any, n_rows: int, n_outputs: int, dtype: np.dtype, name: str = "y"
    ) -> np.ndarray:
        """Return labels from 0 to C - 1; raise ValueError if the outputs cannot be divided."""
        n_classes = n_outputs // self.n_members
        if n_outputs % self.n_members:
            raise ValueError(f"{self!r} needs k C outputs of k members, got {n_outputs}")
        return as_labels(targets, n_rows, n_classes, name)


class MSE(Loss):
    """(z - t)**2, averaged over the C outputs too."""

    kind = "mse"


class BinaryCrossEntropy(Loss):
    """log(1 + exp(z)) - t z on logits, averaged over the C outputs too; 0 <= t <= 1.

    Whole-number targets may use another number than 1 for the positive class, such as 0 and 255.
    An output is correct if z > 0 and t > 1/2, or neither.
    """

    kind = "binary_cross_entropy"
    has_accuracy = True
    predicts = "probabilities"

    def as_targets(
        self, targets: Any, n_rows: int, n_outputs: int, dtype: np.dtype, name: str = "y"
    ) -> np.ndarray:
        """Return targets in [0, 1]; whole numbers such as 0 and 255 become 0 and 1."""
        return as_binary(super().as_targets(targets, n_rows, n_outputs, dtype, name), name)


class MAE(Loss):
    """|z - t|, averaged over the C outputs too; its gradient at z = t is 0."""

    kind = "mae"


class Huber(Loss):
    """r**2 / 2 where |r| <= delta, else delta (|r| - delta / 2), r = z - t (Huber, 1964).

    Parameters
    ----------
    delta : float, default 1.0
        Error at which the loss turns linear, in units of the targets; must be > 0.

    """

    kind = "huber"

    def __init__(self, delta: float = 1.0):
        self.delta: float = positive("delta", delta)

    @property
    def parameter(self) -> float:  # type: ignore[override] - is a setting
        """``delta``, under the name that the kernels use."""
        return self.delta


class LogCosh(Loss):
    """log(cosh(z - t)), averaged over the C outputs too: smooth, and close to Huber's loss.

    It is about r**2 / 2 for a small error r = z - t, and |r| - log(2) for a large one.
    """

    kind = "log_cosh"


class Quantile(Loss):
    """max(q (t - z), (q - 1) (t - z)), minimal at the q-quantile (Koenker and Bassett, 1978).

    Parameters
    ----------
    q : float, default 0.5
        The quantile to predict; 0 < q < 1.

    """

    kind = "quantile"

    def __init__(self, q: float = 0.5):
        self.q: float = fraction("q", positive("q", q))

    @property
    def parameter(self) -> float:  # type: ignore[override] - is a setting
        """``q``, under the name that the kernels use."""
        return self.q


class Poisson(Loss):
    """exp(z) - t z, the negative log-likelihood of counts t >= 0 with mean exp(z), less a constant.

    A model trained with it outputs the logarithm of the expected count.
    """

    kind = "poisson"
    predicts = "counts"

    def as_targets(
        self, targets: Any, n_rows: int, n_outputs: int, dtype: np.dtype, name: str = "y"
    ) -> np.ndarray:
        """Return targets; raise ValueError if one is negative."""
        array = super().as_targets(targets, n_rows, n_outputs, dtype, name)
        if array.min() < 0:
            raise ValueError(
                f"{name} must hold values of at least 0 for this loss, got {array.min()}"
            )
        return array


LOSSES: dict[str, type[Loss]] = {
    loss.kind: loss
    for loss in (
        CrossEntropy,
        Hinge,
        MSE,
        BinaryCrossEntropy,
        MAE,
        Huber,
        LogCosh,
        Quantile,
        Poisson,
        MemberCrossEntropy,
    )
}


def is_built_in(loss: Any) -> bool:
    """Tell whether a loss is one of ours, and not of a class derived from them."""
    return type(loss) in LOSSES.values()


class _Custom(Loss):
    """Wraps a custom loss, which has ``value_and_gradient(outputs, targets, sample_weight)``."""

    def __init__(self, loss: Any):
        self.loss = loss
        self.takes_labels = bool(getattr(loss, "takes_labels", False))

    def as_targets(
        self, targets: Any, n_rows: int, n_outputs: int, dtype: np.dtype, name: str = "y"
    ) -> np.ndarray:
        """Return targets as an array, after checking that there is one per row."""
        array = np.asarray(targets)
        if array.shape[:1] != (n_rows,):
            raise ValueError(f"{name} must have {n_rows} rows, got shape {array.shape}")
        return array

    def compute(
        self, outputs: np.ndarray, targets: np.ndarray, weights: Any = None, doutputs: Any = None
    ) -> tuple[float, int]:
        """Call the custom loss."""
        value, gradient = self.loss.value_and_gradient(outputs, targets, weights)
        if doutputs is not None:
            doutputs[...] = gradient
        return float(value), 0

    def __repr__(self) -> str:
        """Show the name of the custom class."""
        return f"{type(self.loss).__name__}()"


def get(loss: Any, label_smoothing: float = 0.0) -> Loss:
    """Return the loss with the given name, the loss itself, or a custom loss, wrapped.

    A custom loss has ``value_and_gradient(outputs, targets, sample_weight) -> (float, array)``.
    Raises TypeError or ValueError if the name is unknown, the object is not a loss, or a loss other
    than cross_entropy is given label smoothing.
    """
    label_smoothing = fraction("label_smoothing", label_smoothing)
    if isclass(loss) and hasattr(loss, "value_and_gradient"):
        loss = loss()
    if isinstance(loss, str):
        if loss not in LOSSES:
            raise unknown("loss", loss, LOSSES)
        loss = LOSSES[loss]()
    elif not hasattr(loss, "value_and_gradient"):
        raise TypeError(
            f"loss must be a name or have value_and_gradient(outputs, targets, sample_weight), "
            f"got {instead_of_object(loss)}"
        )
    if label_smoothing:
        if type(loss) is not CrossEntropy:
            raise ValueError(f"label_smoothing works with loss='cross_entropy', not with {loss!r}")
        loss = CrossEntropy(label_smoothing)
    return loss if isinstance(loss, Loss) else _Custom(loss)
