"""A model as the blocks that exporters write: a few expressions from rows to outputs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastmlp.common.validation import is_finite
from fastmlp.engine.steps import Step, steps_of
from fastmlp.export.head import Head
from fastmlp.formulas.expressions import INPUT, Expression, operations
from fastmlp.formulas.links import LINKS, both
from fastmlp.layers.stack import Stack

__all__ = ["Block", "Network", "network_of"]

_WHOLE_ROW = frozenset({"matmul", "row_mean", "row_sum", "row_max", "softmax", "both"})
"""Operations that need more of a row than one number."""


@dataclass(frozen=True)
class Block:
    """An expression that takes the rows which the block before it gave.

    Attributes
    ----------
    root : Expression
    n_in, n_out : int
        Input and output features.
    double : bool
        Whether it takes float64 and computes in it. Its outputs are then rounded to float32.

    """

    root: Expression
    n_in: int
    n_out: int
    double: bool = False


@dataclass(frozen=True)
class Network:
    """What is written to a file.

    Attributes
    ----------
    blocks : tuple of Block
        From the inputs to the network's outputs.
    head : Head or None
        What an estimator does with the outputs.
    predictions : tuple of Block
        From the network's outputs to numbers, or to the probability of each class.
    mean, std : numpy.ndarray or float
        The mean and the standard deviation of the inputs, as far as the model says.

    """

    blocks: tuple[Block, ...]
    n_inputs: int
    n_outputs: int
    head: Head | None = None
    predictions: tuple[Block, ...] = ()
    mean: np.ndarray | float = 0.0
    std: np.ndarray | float = 1.0

    @property
    def all_blocks(self) -> tuple[Block, ...]:
        """The blocks from the inputs to the predictions."""
        return (*self.blocks, *self.predictions)

    @property
    def takes_double(self) -> bool:
        """Whether inputs are float64."""
        return bool(self.blocks) and self.blocks[0].double


def network_of(model: Stack, head: Head | None = None) -> Network:
    """Return a model in blocks.

    Raises
    ------
    TypeError
        If the model has a layer that is not one of fastmlp's own.
    ValueError
        If its layers take any number of features.

    """
    n_inputs = next((s.input_width for s in model.stages if s.input_width is not None), None)
    steps = steps_of(model.stages, n_inputs or 1)
    if n_inputs is None:
        raise ValueError(
            "the model cannot be exported: none of its layers says how many inputs there are"
        )
    _require_finite(model)
    n_outputs = steps[-1].n_out
    network = Network(
        _joined(steps), n_inputs, n_outputs, head, tuple(_predictions(head, n_outputs))
    )
    first = steps[0].standardise
    return network if first is None else replace(network, mean=first.mean, std=first.std)


def _joined(steps: list[Step]) -> tuple[Block, ...]:
    """Return the blocks of some steps; one that works element by element joins the one before."""
    blocks: list[Block] = []
    for step in steps:
        double = _needs_double(step)
        alone = step(INPUT)
        joins = blocks and not blocks[-1].double and not double and not _needs_rows(alone)
        if joins:
            last = blocks.pop()
            blocks.append(Block(step(last.root), last.n_in, step.n_out))
        else:
            blocks.append(Block(alone, step.n_in, step.n_out, double))
    return tuple(blocks)


def _needs_double(step: Step) -> bool:
    """Tell whether a step loses accuracy where its input is rounded to float32."""
    single = np.dtype(np.float32)
    return step.standardise is not None and step.standardise.dtype_between(single) != single


def _needs_rows(root: Expression) -> bool:
    return any(each.operation in _WHOLE_ROW for each in operations(root))


def _predictions(head: Head | None, n_outputs: int) -> Iterator[Block]:
    if head is None:
        return
    link: Any = LINKS[head.link](INPUT)
    if link is not INPUT:
        yield Block(link, n_outputs, n_outputs)
    if head.kind == "binary":
        yield Block(both(INPUT), 1, 2)


def _require_finite(model: Stack) -> None:
    """Raise ValueError for a model that is useless."""
    for name, array in (dict(model.params) | model.state).items():
        if not is_finite(array):
            index, local = name.split(".")
            raise ValueError(
                f"the model holds NaN or infinity in {local!r} of layer {index}, "
                f"{model.stages[int(index)]!r}: its training diverged, train it again"
            )
