"""Weights as whole numbers of 8 bits, with a scale for each output."""

from dataclasses import replace

import numpy as np

from fastmlp.export.blocks import Block, Network
from fastmlp.formulas.expressions import Expression, Operand, operations, value_of

__all__ = ["error_of", "with_int8_weights"]

_LARGEST = 127
_ROWS = 1000


def with_int8_weights(network: Network) -> Network:
    """Return a network whose products are those of whole numbers, and then scaled."""
    return replace(network, blocks=tuple(map(_rounded, network.blocks)))


def error_of(network: Network, exact: Network) -> float:
    """Return the largest difference between two networks' predictions, relative to the largest.

    It is measured on random rows with the mean and standard deviation that the model expects, or
    else standard normal ones.
    """
    rows = np.random.default_rng(0).standard_normal((_ROWS, exact.n_inputs))
    x = rows * exact.std + exact.mean
    given, wanted = _predicted(network, x), _predicted(exact, x)
    largest = float(np.abs(wanted).max())
    return float(np.abs(given - wanted).max()) / largest if largest else 0.0


def _rounded(block: Block) -> Block:
    new: dict[int, Expression] = {}

    def now(operand: Operand) -> Operand:
        return new[id(operand)] if isinstance(operand, Expression) else operand

    for each in operations(block.root):
        operands = tuple(map(now, each.operands))
        if each.operation == "matmul":
            x, weight = operands
            assert isinstance(weight, np.ndarray), "a product is one with a layer's weight"
            sizes = np.abs(weight).max(axis=0)
            scale = np.where(sizes > 0, sizes, 1.0) / _LARGEST
            product = Expression("matmul", (x, np.rint(weight / scale).astype(np.int8)))
            new[id(each)] = Expression("multiply", (product, scale))
        else:
            new[id(each)] = Expression(each.operation, operands) if operands else each
    return replace(block, root=new[id(block.root)])


def _predicted(network: Network, x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        for block in network.all_blocks:
            x = value_of(block.root, x)
    return x
