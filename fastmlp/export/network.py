"""A model as the expression that exporters write: from a row of inputs to outputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from fastmlp.common.validation import is_finite
from fastmlp.engine.steps import Step, steps_of
from fastmlp.export.head import Head
from fastmlp.export.inputs import Column
from fastmlp.formulas.expressions import INPUT, Expression
from fastmlp.formulas.functions import double, single
from fastmlp.formulas.links import LINKS, both
from fastmlp.formulas.rows import columns as columns_of
from fastmlp.layers.stack import Stack

__all__ = ["Member", "Network", "mean_of", "network_of", "outputs_of", "weighted"]

_SINGLE = np.dtype(np.float32)


@dataclass(frozen=True)
class Network:
    """What is written to a file.

    Attributes
    ----------
    root : Expression
        The outputs or predictions of a row.
    n_inputs : int
    head : Head or None
        What an estimator makes of the outputs.
    decides : Expression or None
        The part of ``root`` whose largest number is the class, if it is not ``root`` itself.
    takes_double : bool
        Whether inputs are float64.
    columns : tuple of Column
        The inputs, if they are the columns of a table.
    sample : callable
        ``sample(rng, n)`` returns n rows of inputs such as the model expects.

    """

    root: Expression
    n_inputs: int
    head: Head | None = None
    decides: Expression | None = None
    takes_double: bool = False
    columns: tuple[Column, ...] = ()
    sample: "Callable[[np.random.Generator, int], np.ndarray] | None" = None


@dataclass(frozen=True)
class Member:
    """A network whose predictions are averaged with those of others.

    Attributes
    ----------
    model : Stack
    head : Head
        From its outputs to what is averaged.
    places : numpy.ndarray, optional
        The place of each class among the member's own, -1 for a class that it does not know.
        Default: the member knows all of them.

    """

    model: Stack
    head: Head
    places: np.ndarray | None = None


def network_of(model: Stack, head: Head | None = None) -> Network:
    """Return a single network.

    Raises
    ------
    TypeError
        If the model has a layer that is not one of fastmlp's own.
    ValueError
        If its layers take any number of features, or an array holds NaN or infinity.

    """
    steps = _steps([model])[0]
    wide = _starts_in_double(steps)
    outputs = _computed(steps, INPUT, wide)
    return Network(
        outputs if head is None else _predictions(head, outputs),
        model.require_width(),
        head,
        decides=None if head is None else outputs,
        takes_double=wide,
        sample=_sample_of(model, steps),
    )


def mean_of(
    members: Sequence[Member], weights: Sequence[float], head: Head | None = None
) -> Network:
    """Return the weighted mean of what several networks predict for a row.

    Raises
    ------
    TypeError, ValueError
        As for one network.

    """
    steps = _steps([member.model for member in members])
    wide = any(map(_starts_in_double, steps))
    predicted = [
        _placed(_predictions(member.head, _computed(own, INPUT, wide)), member.places)
        for member, own in zip(members, steps, strict=True)
    ]
    model = members[0].model
    return Network(
        weighted(predicted, weights),
        model.require_width(),
        head,
        takes_double=wide,
        sample=_sample_of(model, steps[0]),
    )


def outputs_of(model: Stack, x: Expression) -> Expression:
    """Return a model's outputs for a row x in float32."""
    return _computed(_steps([model])[0], x, False)


def weighted(rows: Sequence[Expression], weights: Sequence[float]) -> Expression:
    """Return the sum of some rows, each times its weight; weights of 0 leave no trace."""
    parts: list[Any] = [
        row if weight == 1 else row * float(weight)
        for row, weight in zip(rows, weights, strict=True)
        if weight > 0
    ]
    return reduce(add, parts)


def _steps(models: Sequence[Stack]) -> list[list[Step]]:
    """Return the steps of each model, after checking that all can be written."""
    found = []
    for model in models:
        found.append(steps_of(model.stages, model.require_width()))
        _require_finite(model)
    return found


def _computed(steps: Sequence[Step], x: Expression, wide: bool) -> Expression:
    """Return the outputs of some steps for a row x, which is float64 if it is ``wide``."""
    for number, step in enumerate(steps):
        is_wide = wide and number == 0
        if _needs_double(step):
            x = single(step(x if is_wide else double(x)))
        else:
            x = step(single(x) if is_wide else x)
    return x


def _starts_in_double(steps: Sequence[Step]) -> bool:
    return bool(steps) and _needs_double(steps[0])


def _needs_double(step: Step) -> bool:
    """Tell whether a step loses accuracy where its input is rounded to float32."""
    return step.standardise is not None and step.standardise.dtype_between(_SINGLE) != _SINGLE


def _predictions(head: Head, outputs: Expression) -> Expression:
    predicted = LINKS[head.link](outputs)
    return both(predicted) if head.kind == "binary" else predicted


def _placed(predicted: Expression, places: np.ndarray | None) -> Any:
    """Return the probabilities of all classes, given those of a member's own."""
    if places is None:
        return predicted
    if (places >= 0).sum() > 1:
        return columns_of(predicted, places)
    return columns_of(predicted, np.full_like(places, -1)) + (places >= 0).astype(np.float32)


def _sample_of(
    model: Stack, steps: Sequence[Step]
) -> "Callable[[np.random.Generator, int], np.ndarray]":
    """Return what draws normal numbers with the mean and deviation that a model expects."""
    n_inputs, part = model.require_width(), steps[0].standardise

    def sample(rng: "np.random.Generator", n: int) -> np.ndarray:
        rows = rng.standard_normal((n, n_inputs))
        return rows if part is None else rows * part.std + part.mean

    return sample


def _require_finite(model: Stack) -> None:
    """Raise ValueError for a model that is useless."""
    for name, array in (dict(model.params) | model.state).items():
        if not is_finite(array):
            index, local = name.split(".")
            raise ValueError(
                f"the model holds NaN or infinity in {local!r} of layer {index}, "
                f"{model.stages[int(index)]!r}: its training diverged, train it again"
            )
