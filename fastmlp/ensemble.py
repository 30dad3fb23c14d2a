"""Several models that predict as one."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, NamedTuple, Self

import numpy as np

from fastmlp import export, losses
from fastmlp.common.validation import as_weights, positive_int
from fastmlp.formulas.functions import logistic, softmax
from fastmlp.layers.custom import Custom
from fastmlp.model import Sequential
from fastmlp.storage import model_file

__all__ = ["Ensemble"]


class Ensemble(export.Exported):
    """The mean of several trained models.

    What is averaged depends on the loss that the models were trained with: probabilities for
    cross_entropy and binary_cross_entropy, expected counts for poisson, and the outputs themselves
    for all others.

    Parameters
    ----------
    models : sequence of Sequential
        Trained with losses of one kind, for the same inputs and outputs. A model may occur twice.
    weights : array_like, shape (M,), optional
        Weights >= 0 of the models in the mean, not all 0; only their ratios matter. Default: equal.

    Attributes
    ----------
    models : tuple of Sequential
    weights : numpy.ndarray, float64, shape (M,)
        They sum to 1.
    loss : Loss
        The loss of the first model, the default in `evaluate`.

    Raises
    ------
    TypeError, ValueError
        If there is no model, a model has not been trained, or they do not fit together.

    Examples
    --------
    >>> models = [Sequential(Linear(64, 32), ReLU(), Linear(32, 10), seed=s) for s in range(5)]
    >>> histories = fit_many(models, X, y, epochs=20)
    >>> ensemble = Ensemble(models)
    >>> probabilities = ensemble.predict(X_test)
    >>> ensemble.save("ensemble.safetensors")

    """

    def __init__(self, models: Sequence[Sequential], weights: Any = None):
        self.models: tuple[Sequential, ...] = _checked(models)
        shares = np.ones(len(self.models))
        if weights is not None:
            shares = as_weights(weights, len(self.models), np.dtype(np.float64), "weights")
        self.weights: np.ndarray = shares / shares.sum()
        self.weights.flags.writeable = False
        loss = self.models[0].loss
        assert loss is not None, "only trained models pass the checks"
        self.loss: losses.Loss = loss

    @classmethod
    def select(
        cls,
        models: Sequence[Sequential],
        X: Any,
        y: Any,
        *,
        size: int = 25,
        loss: Any = None,
        sample_weight: Any = None,
    ) -> Self:
        """Choose models by the loss of their mean on validation rows (Caruana et al., 2004).

        Starting from none, it adds the model, maybe again, that makes the mean's loss the least,
        ``size`` times. The ensemble consists of the models that had been added when the loss was
        the least; their weights are how often each was added.

        Parameters
        ----------
        models : sequence of Sequential
        X : array_like, shape (N, ...)
            Rows that the models were not trained on.
        y : array_like
            Labels (N,) or targets (N, C), depending on the loss.
        size : int, default 25
            The most models to add, counting repetitions.
        loss : str or Loss, optional
            Default: the loss that the first model was trained with.
        sample_weight : array_like, shape (N,), optional

        Returns
        -------
        Ensemble

        Raises
        ------
        ValueError
            If there are no models, they differ in their outputs, the rows do not fit them, or no
            model has a finite loss.

        """
        size, everyone = positive_int("size", size), cls(models)
        judge = _Judge(everyone, X, y, loss, sample_weight)
        means = [everyone._means_of(model, X) for model in everyone.models]
        total = np.zeros_like(means[0])
        added, least, n_best = [], np.inf, 0
        for n in range(1, size + 1):
            values = [judge((total + mean) / n)[0] for mean in means]
            values = [value if np.isfinite(value) else np.inf for value in values]
            best = int(np.argmin(values))
            added.append(best)
            total += means[best]
            if values[best] < least:
                least, n_best = values[best], n
        if n_best == 0:
            raise ValueError(
                f"none of the {len(means)} models has a finite loss on these rows: train them "
                "with a lower learning rate"
            )
        counts = np.bincount(added[:n_best], minlength=len(means))
        chosen = np.flatnonzero(counts)
        return cls([everyone.models[i] for i in chosen], counts[chosen])

    def predict(self, X: Any) -> np.ndarray:
        """Return the mean of the models' predictions.

        Parameters
        ----------
        X : array_like, shape (N, ...)

        Returns
        -------
        numpy.ndarray, shape (N, C), the models' dtype
            Probabilities for cross_entropy (of each class) and binary_cross_entropy (of each
            output), expected counts for poisson, otherwise the mean output.
            ``predict(X).argmax(axis=1)`` are the labels, as for a single model.

        """
        return self._mean(X).astype(np.result_type(*(model.dtype for model in self.models)))

    def __call__(self, X: Any) -> np.ndarray:
        """Return `predict` of X."""
        return self.predict(X)

    def evaluate(
        self, X: Any, y: Any, *, loss: Any = None, sample_weight: Any = None
    ) -> tuple[float, float | None]:
        """Return the loss and accuracy of the mean.

        Parameters
        ----------
        X : array_like, shape (N, ...)
        y : array_like
            Labels (N,) or targets (N, C), depending on the loss.
        loss : str or Loss, optional
            Default: the loss that the first model was trained with.
        sample_weight : array_like, shape (N,), optional

        Returns
        -------
        loss : float
            Without penalties.
        accuracy : float or None
            Fraction of correct answers; None if the loss does not define correct answers.

        """
        return _Judge(self, X, y, loss, sample_weight)(self._mean(X))

    def save(self, path: str | PathLike[str]) -> None:
        """Write all models atomically to one safetensors file, which `fastmlp.load` reads.

        Raises
        ------
        TypeError
            If a model has a custom layer, or was trained with a custom loss.
        ValueError
            If the file name has the extension of another format, such as .onnx or .pt.
        OSError
            If the file cannot be written; an existing file of that name is left untouched.

        Warns
        -----
        RuntimeWarning
            If weights are NaN or infinite; the file is still written.

        """
        for number, model in enumerate(self.models):
            if not losses.is_built_in(model.loss):
                raise TypeError(
                    f"model {number} was trained with {model.loss!r}, which is not a built-in loss "
                    "and cannot be saved: set its loss, such as model.loss = fastmlp.losses.MSE()"
                )
        model_file.save_ensemble(self.models, self.weights.tolist(), path)

    def _exported(self) -> export.Network:
        head = export.Head(_FORMS[self.loss.predicts].link)
        chosen = np.flatnonzero(self.weights)
        members = [export.Member(self.models[i], head) for i in chosen]
        return export.mean_of(members, self.weights[chosen].tolist())

    def __len__(self) -> int:
        """Return the number of models."""
        return len(self.models)

    def __repr__(self) -> str:
        """Show the number of models and their loss."""
        return f"Ensemble({len(self)} models, loss={self.loss!r})"

    def _mean(self, X: Any) -> np.ndarray:
        """Return the mean predictions in float64."""
        total: Any = 0.0
        for model, weight in zip(self.models, self.weights, strict=True):
            if weight > 0:
                means = self._means_of(model, X)
                if np.shape(total) not in ((), means.shape):
                    raise ValueError(
                        f"the models of an ensemble must have equally many outputs, got "
                        f"{np.shape(total)[1]} and {means.shape[1]}"
                    )
                total += weight * means
        return total

    def _means_of(self, model: Sequential, X: Any) -> np.ndarray:
        """Return the predictions of one model, in the form that is averaged."""
        return _FORMS[self.loss.predicts].of_outputs(model.predict(X).astype(np.float64))


class _Judge:
    """Computes the loss and accuracy of mean predictions on some rows."""

    def __init__(self, ensemble: Ensemble, X: Any, y: Any, loss: Any, sample_weight: Any):
        self.loss = ensemble.loss if loss is None else losses.get(loss)
        if self.loss.predicts != ensemble.loss.predicts:
            raise ValueError(
                f"an ensemble of models trained with {ensemble.loss!r} cannot be evaluated with "
                f"{self.loss!r}, which takes other outputs"
            )
        rows = ensemble.models[0].check_data(self.loss, X, y, sample_weight)
        self.targets, self.weights = rows.targets, rows.weights
        if self.targets.dtype.kind == "f":
            self.targets = self.targets.astype(np.float64)
        if self.weights is not None:
            self.weights = self.weights.astype(np.float64)

    def __call__(self, mean: np.ndarray) -> tuple[float, float | None]:
        outputs = np.ascontiguousarray(_FORMS[self.loss.predicts].to_outputs(mean))
        value, n_correct = self.loss.compute(outputs, self.targets, self.weights)
        return value, self.loss.accuracy(n_correct, *outputs.shape)


class _Form(NamedTuple):
    """How the outputs that a loss takes become numbers that can be averaged, and back.

    ``link`` is the name of ``of_outputs`` in `fastmlp.formulas.links`.
    """

    link: str
    of_outputs: Callable[[np.ndarray], np.ndarray]
    to_outputs: Callable[[np.ndarray], np.ndarray]


_LEAST = np.finfo(np.float64).tiny


def _exp(z: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.exp(z)


def _log(p: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(p, _LEAST))


_FORMS = {
    "numbers": _Form("identity", lambda z: z, lambda mean: mean),
    "class probabilities": _Form("softmax", softmax, _log),
    "probabilities": _Form("logistic", logistic, lambda p: _log(p) - _log(1.0 - p)),
    "counts": _Form("exp", _exp, _log),
}


def _checked(models: Any) -> tuple[Sequential, ...]:
    """Return the models after checking that they can be averaged."""
    if not isinstance(models, Sequence) or not all(isinstance(m, Sequential) for m in models):
        raise TypeError(f"models must be a list of Sequential models, got {models!r}")
    if not models:
        raise ValueError("an ensemble needs at least one model")
    for number, model in enumerate(models):
        if model.loss is None:
            raise ValueError(
                f"model {number} has not been trained, so it is unknown what its outputs mean: "
                "train it, or set its loss, such as model.loss = fastmlp.losses.MSE()"
            )
        if model.loss.predicts != models[0].loss.predicts:
            raise ValueError(
                f"the models of an ensemble must have losses of one kind, but model 0 was trained "
                f"with {models[0].loss!r} and model {number} with {model.loss!r}"
            )
        if _sizes(model) != _sizes(models[0]) and None not in (_sizes(model), _sizes(models[0])):
            raise ValueError(
                f"the models of an ensemble must have the same numbers of (inputs, outputs), but "
                f"model 0 has {_sizes(models[0])} and model {number} has {_sizes(model)}"
            )
    return tuple(models)


def _sizes(model: Sequential) -> tuple[int, int] | None:
    """Return the numbers of inputs and outputs; None if the layers leave them open."""
    if any(isinstance(layer, Custom) for layer in model.stages):
        return None
    first = next((s.input_width for s in model.stages if s.input_width is not None), None)
    if first is None:
        return None
    width = first
    for layer in model.stages:
        width = layer.output_width(width)
    return first, width
