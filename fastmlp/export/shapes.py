"""How wide the rows of an expression are, and which of them are float64."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.formulas.expressions import INPUT, Expression, Operand, operations

__all__ = ["REDUCTIONS", "Shapes", "array_of", "count_of", "row_of"]

REDUCTIONS = frozenset({"row_mean", "row_sum", "row_max"})
"""Operations that make one number of a row."""

_Width = Callable[..., int]

_WIDTHS: dict[str, _Width] = {
    "matmul": lambda x, weight: weight.shape[1],
    "products": lambda x, weight, n: n * weight.shape[-1],
    "columns": lambda x, places: len(places),
    "joined": lambda *parts: sum(parts),
    "looked_up": lambda codes, table: codes * table.shape[1],
    "interpolated": lambda x, points, values: x,
    "member_softmax": lambda z, n: z,
    "member_mean": lambda x, n: x // n,
    **dict.fromkeys(REDUCTIONS, lambda x: 1),
}
"""Operation -> its width, from the widths of the rows and from the other operands.

Other operations work number by number.
"""


class Shapes:
    """The widths and dtypes of the rows of an expression.

    Parameters
    ----------
    roots : Expression
        Whose rows.
    n_inputs : int
        The width of the input.
    takes_double : bool
        Whether the input is float64.

    """

    def __init__(self, *roots: Expression, n_inputs: int, takes_double: bool = False):
        self._widths: dict[int, int] = {id(INPUT): n_inputs}
        self._doubles: dict[int, bool] = {id(INPUT): takes_double}
        for root in roots:
            for each in operations(root, self._widths):
                self._widths[id(each)] = self._width_of(each)
                self._doubles[id(each)] = self._double_of(each)

    def width(self, each: Expression) -> int:
        """Return the number of columns."""
        return self._widths[id(each)]

    def is_double(self, each: Expression) -> bool:
        """Return whether the row is float64."""
        return self._doubles[id(each)]

    def dtype(self, each: Expression) -> np.dtype:
        """Return the dtype of the row."""
        return np.dtype(np.float64 if self.is_double(each) else np.float32)

    def _width_of(self, each: Expression) -> int:
        form = _WIDTHS.get(each.operation)
        if form is None:
            return max(self._size(operand) for operand in each.operands)
        return form(*(self._widths.get(id(operand), operand) for operand in each.operands))

    def _size(self, operand: Any) -> int:
        return self.width(operand) if isinstance(operand, Expression) else np.size(operand)

    def _double_of(self, each: Expression) -> bool:
        if each.operation in ("single", "double"):
            return each.operation == "double"
        return any(self.is_double(operand) for operand in each.expressions())


def row_of(operand: Operand) -> Expression:
    """Return an operand that is a row."""
    assert isinstance(operand, Expression), f"a formula passes a row, not {operand!r}"
    return operand


def array_of(operand: Operand) -> np.ndarray:
    """Return an operand that is an array."""
    assert isinstance(operand, np.ndarray), f"a formula passes an array, not {operand!r}"
    return operand


def count_of(operand: Operand) -> int:
    """Return an operand that is a number of things."""
    assert isinstance(operand, int), f"a formula passes a whole number, not {operand!r}"
    return operand
