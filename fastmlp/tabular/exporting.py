"""A model of a table as exporters write it: from the values of its columns to predictions."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.datasets.cells import UNMISTAKABLE
from fastmlp.export import Column, Head, Network, outputs_of, weighted
from fastmlp.formulas.expressions import INPUT, Expression
from fastmlp.formulas.functions import double, softmax
from fastmlp.formulas.rows import member_mean, member_softmax
from fastmlp.tabular.calendar import DAY
from fastmlp.tabular.columns import CategoryColumn, FittedColumn, MomentColumn, NumberColumn
from fastmlp.tabular.encoder import TableEncoder
from fastmlp.tabular.formulas import encoded, network_inputs
from fastmlp.tabular.methods import Inputs, Recipe, Targets
from fastmlp.tabular.methods.quantiles import QuantileInputs
from fastmlp.tabular.model import TableModel

__all__ = ["network_of"]


def network_of(model: TableModel) -> Network:
    """Return what is written of a model of a table.

    A row has a float64 number for each column that is used, in their order: numbers and time spans
    as they are, moments in seconds since 1970, and the codes of categories, 0 for a missing one.

    Raises
    ------
    ValueError
        If an array of a network holds NaN or infinity.

    """
    columns = _used(model.encoder)
    numbers, codes = encoded(columns, model.encoder.missing_texts, INPUT)
    inputs: dict[int, Expression] = {}  # networks may share them
    predicted = []
    for recipe in model.recipes:
        key = id(recipe.inputs)
        if key not in inputs:
            inputs[key] = network_inputs(recipe.inputs, numbers, codes)
        predicted.append(decoded(recipe.targets, outputs_of(recipe.model, inputs[key])))
    return Network(
        weighted(predicted, model.weights),
        len(columns),
        Head("identity")
        if model.classes is None
        else Head("identity", "multiclass", model.classes),
        takes_double=True,
        columns=tuple(_described(column, model.encoder.missing_texts) for column in columns),
        sample=_sample_of(columns, model.recipes[0]),
    )


def decoded(targets: Targets, outputs: Any) -> Any:
    """Return probabilities in float32, or a number in float64, of the outputs of a network."""
    n = targets.n_members
    if targets.n_classes:
        if n == 1:
            return softmax(outputs)
        return member_mean(member_softmax(outputs, n), n)
    numbers = double(outputs) * targets.std + targets.mean
    if np.isfinite(targets.low) or np.isfinite(targets.high):
        numbers = np.minimum(np.maximum(numbers, targets.low), targets.high)
    return numbers if n == 1 else member_mean(numbers, n)


def _spread_of(inputs: Inputs | QuantileInputs) -> np.ndarray:
    """Return about the deviation of each number."""
    if isinstance(inputs, QuantileInputs):
        return (inputs.quantiles[-1] - inputs.quantiles[0]) / 4
    return np.where(inputs.factor > 0, 1 / np.where(inputs.factor > 0, inputs.factor, 1.0), 0.0)


def _used(encoder: TableEncoder) -> list[FittedColumn]:
    return [column for column in encoder.columns if column.kind != "left out"]


def _described(column: FittedColumn, missing: frozenset[str]) -> Column:
    """Return a column as files describe it."""
    if isinstance(column, CategoryColumn):
        unknown = column.size if column.shared else 0
        return Column(column.name, "category", column.names, _codes(column, missing), unknown)
    if isinstance(column, MomentColumn):
        return Column(column.name, "seconds since 1970")
    assert isinstance(column, NumberColumn), "there is no other kind of column"
    return Column(column.name, "seconds" if column.holds == "span" else "number")


def _codes(column: CategoryColumn, missing: frozenset[str]) -> dict[str, int]:
    """Return the code of each text that is known, in the cases that are likely."""
    gone = ("", *sorted(UNMISTAKABLE | missing))
    codes = {spelled: 0 for text in gone for spelled in _cases(text)}
    known = {text: code for code, text in enumerate(column.categories, 1) if text not in codes}
    if {text.lower() for text in known} == {"false", "true"}:
        known = {spelled: code for text, code in known.items() for spelled in _cases(text)}
    return codes | known


def _cases(text: str) -> tuple[str, ...]:
    return text, text.lower(), text.upper(), text.capitalize()


def _sample_of(
    columns: list[FittedColumn], recipe: Recipe
) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Return what draws rows about such as those of training."""
    spread = iter(_spread_of(recipe.inputs))

    def of(column: FittedColumn) -> tuple[float, float, int]:
        """Return the centre of a column, its spread, and the number of its categories."""
        if isinstance(column, CategoryColumn):
            return 0.0, 0.0, column.size
        assert isinstance(column, NumberColumn | MomentColumn), "there is no other kind of column"
        own = [next(spread) for _ in column.outputs]
        return column.center, own[-1] * (DAY if isinstance(column, MomentColumn) else 1.0), 0

    described = [of(column) for column in columns]

    def sample(rng: np.random.Generator, n: int) -> np.ndarray:
        drawn = [
            rng.integers(0, size + 1, n) if size else centre + deviation * rng.standard_normal(n)
            for centre, deviation, size in described
        ]
        return np.stack(drawn, axis=1).astype(np.float64)

    return sample
