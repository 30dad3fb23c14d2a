"""A model at inference as a list of formulas with the arrays of its layers."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from fastmlp.engine.lowering import part_of
from fastmlp.engine.plan import Core, Elementwise, Standardise
from fastmlp.engine.protocols import Layer
from fastmlp.formulas.activations import ACTIVATIONS
from fastmlp.formulas.layers import CORES, normalize

__all__ = ["Step", "steps_of"]


@dataclass(frozen=True)
class Step:
    """A layer that changes its rows at inference.

    Attributes
    ----------
    layer : int
        Its index.
    formula : callable
        One of `fastmlp.formulas`.
    arguments : dict
        What the formula takes besides the rows: the layer's own arrays, and its settings.
    n_in, n_out : int
        Input and output features.
    standardise : Standardise or None
        The layer's part if it standardises raw inputs, which may need float64.

    """

    layer: int
    formula: Callable[..., Any]
    arguments: dict[str, Any]
    n_in: int
    n_out: int
    standardise: Standardise | None = None

    def __call__(self, x: Any) -> Any:
        """Return the formula of rows x."""
        return self.formula(x, **self.arguments)


def steps_of(layers: Sequence[Layer], n_features: int) -> list[Step]:
    """Return the steps of a model; layers that do nothing at inference have none.

    Raises
    ------
    TypeError
        If a layer is not one of fastmlp's own.

    """
    steps: list[Step] = []
    width = n_features
    for index, layer in enumerate(layers):
        part, standardise, n_out = part_of(layer, width), None, width
        if part is None:
            raise TypeError(
                f"layer {index}, {layer!r}, cannot be exported: only fastmlp's own layers have a "
                "formula to write"
            )
        if isinstance(part, Core):
            formula, n_out = CORES[part.name], part.n_out
        elif isinstance(part, Elementwise):
            formula = ACTIVATIONS[part.name]
        elif isinstance(part, Standardise):
            formula, standardise = normalize, part
        else:
            continue
        arguments = {name: _argument(layer, name) for name in _names(formula)}
        steps.append(Step(index, formula, arguments, width, n_out, standardise))
        width = n_out
    return steps


@cache
def _names(formula: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a formula's arguments after the rows."""
    return tuple(inspect.signature(formula).parameters)[1:]


def _argument(layer: Layer, name: str) -> Any:
    """Return a layer's array, or its setting, of this name."""
    for arrays in (layer.params, layer.state):
        if name in arrays:
            return arrays[name]
    return getattr(layer, name)
