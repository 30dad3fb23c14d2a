"""Weights as whole numbers of 8 bits, with a scale for each output."""

from dataclasses import replace

import numpy as np

from fastmlp.export.network import Network
from fastmlp.export.shapes import array_of, count_of
from fastmlp.formulas.expressions import Expression, Operand, operations, value_of

__all__ = ["error_of", "with_int8_weights"]

_LARGEST = 127
_ROWS = 1000


def with_int8_weights(network: Network) -> Network:
    """Return a network whose products are those of whole numbers, and then scaled."""
    return replace(network, root=_rounded(network.root), decides=None)


def error_of(network: Network, exact: Network) -> float:
    """Return the largest difference between two networks' predictions, relative to the largest.

    It is measured on random rows such as the model expects.
    """
    assert exact.sample is not None, "a whole network knows its inputs"
    x = exact.sample(np.random.default_rng(0), _ROWS)
    with np.errstate(all="ignore"):
        given, wanted = value_of(network.root, x), value_of(exact.root, x)
    largest = float(np.abs(wanted).max())
    return float(np.abs(given - wanted).max()) / largest if largest else 0.0


def _rounded(root: Expression) -> Expression:
    new: dict[int, Expression] = {}

    def now(operand: Operand) -> Operand:
        return new[id(operand)] if isinstance(operand, Expression) else operand

    for each in operations(root):
        operands = tuple(map(now, each.operands))
        if each.operation in ("matmul", "products"):
            x, weight, *n = operands[0], array_of(operands[1]), *operands[2:]
            sizes = np.abs(weight).max(axis=-2, keepdims=True)
            scale = np.where(sizes > 0, sizes, 1.0) / _LARGEST
            whole = np.rint(weight / scale).astype(np.int8)
            product = Expression(each.operation, (x, whole, *n))
            scales = scale.ravel()
            if each.operation == "products" and weight.ndim == 2:
                scales = np.tile(scales, count_of(n[0]))
            new[id(each)] = Expression("multiply", (product, scales))
        else:
            new[id(each)] = Expression(each.operation, operands) if operands else each
    return new[id(root)]
