"""Expressions: what a formula does to its input, recorded instead of computed.

A formula in plain numpy that gets an `Expression` instead of an array returns another one: numpy
calls `Expression.__array_ufunc__` for its elementwise functions and for operators.
"""

from collections.abc import Callable, Collection, Iterator
from functools import wraps
from typing import Any, ParamSpec, cast

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

__all__ = [
    "INPUT",
    "Expression",
    "Operand",
    "named",
    "operations",
    "value_of",
    "written_with",
]

_P = ParamSpec("_P")
_formulas: dict[str, Callable[..., Any]] = {}


class Expression(NDArrayOperatorsMixin):
    """An operation and what it is applied to.

    Attributes
    ----------
    operation : str
        The name of a numpy function, or of a function that is `named`; "input" for the rows that
        the formula was called with.
    operands : tuple of Expression, float or numpy.ndarray
        Arrays are vectors (D,), which are the same for each row, or a matrix.

    """

    def __init__(self, operation: str, operands: "tuple[Operand, ...]" = ()):
        self.operation = operation
        self.operands = operands

    def __array_ufunc__(
        self, function: np.ufunc, method: str, *operands: Any, **options: Any
    ) -> "Expression":
        """Record the call of a numpy function or an operator."""
        if method != "__call__" or options:
            raise TypeError(f"a formula cannot use {function.__name__}.{method} with options")
        return Expression(function.__name__, operands)

    def expressions(self) -> "Iterator[Expression]":
        """Yield the operands that are expressions."""
        yield from (each for each in self.operands if isinstance(each, Expression))

    def __bool__(self) -> bool:
        """Refuse to be a condition: it has no value yet."""
        raise TypeError("a formula cannot decide by a value: use functions.where")

    def __repr__(self) -> str:
        """Show the operation and its operands."""
        shown = (
            f"array{each.shape}" if isinstance(each, np.ndarray) else repr(each)
            for each in self.operands
        )
        return f"{self.operation}({', '.join(shown)})" if self.operands else self.operation


Operand = Expression | float | np.ndarray
INPUT = Expression("input")


def named(formula: Callable[_P, Any]) -> Callable[_P, Any]:
    """Make a function that an expression records by its name.

    An exporter that has no such function in its language writes the function's own formula.
    """
    _formulas[formula.__name__] = formula

    @wraps(formula)
    def function(*operands: _P.args, **options: _P.kwargs) -> Any:
        if any(isinstance(each, Expression) for each in operands):
            return Expression(formula.__name__, cast("tuple[Operand, ...]", operands))
        return formula(*operands, **options)

    return function


def operations(root: Expression, known: Collection[int] = ()) -> list[Expression]:
    """Return every operation of an expression once, each after its operands.

    Those whose id is in ``known`` are left out, and so is what only they need.
    """
    found: list[Expression] = []
    seen: set[int] = set()
    waiting = [(root, False)]
    while waiting:
        each, ready = waiting.pop()
        if ready:
            found.append(each)
        elif id(each) not in seen and id(each) not in known:
            seen.add(id(each))
            waiting.append((each, True))
            waiting += [(operand, False) for operand in each.expressions()]
    return found


def written_with(known: Collection[str], root: Expression, where: str) -> Expression:
    """Return an expression with the formula of each operation that a language lacks.

    Parameters
    ----------
    known : collection of str
        The operations that it has.
    root : Expression
    where : str
        What the language writes, for the message.

    Raises
    ------
    NotImplementedError
        If an operation has no formula of others.

    """
    written: dict[int, Expression] = {}

    def now(operand: Operand) -> Operand:
        return written[id(operand)] if isinstance(operand, Expression) else operand

    for each in operations(root):
        operands = tuple(map(now, each.operands))
        same = all(a is b for a, b in zip(operands, each.operands, strict=True))
        new = each if same else Expression(each.operation, operands)
        if new.operation not in known and new is not INPUT:
            formula = _formula_of(new)
            if formula is None:
                raise NotImplementedError(f"{where} have no {new.operation} yet: add it there")
            new = written_with(known, formula, where)
        written[id(each)] = new
    return written[id(root)]


def value_of(root: Expression, x: np.ndarray) -> np.ndarray:
    """Return the value of an expression for rows x."""
    values: dict[int, Any] = {}
    for each in operations(root):
        operands = [
            values[id(operand)] if isinstance(operand, Expression) else operand
            for operand in each.operands
        ]
        if each is INPUT:
            values[id(each)] = x
        else:
            function = _formulas.get(each.operation) or getattr(np, each.operation)
            values[id(each)] = function(*operands)
    return values[id(root)]


def _formula_of(expression: Expression) -> Expression | None:
    """Return a named operation as its formula; None if it has none made of other operations."""
    formula = _formulas.get(expression.operation)
    if formula is None:
        return None
    try:
        return formula(*expression.operands)
    except (TypeError, AttributeError):  # it needs an array
        return None
