"""How ONNX computes each operation: one operator, or a few."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from fastmlp.export.shapes import array_of, count_of, row_of
from fastmlp.formulas.expressions import Expression

__all__ = ["OPERATORS", "STRUCTURE", "Graph"]


class Graph(Protocol):
    """What the functions here use of a graph."""

    def add(self, operator: str, *operands: str, **attributes: Any) -> str:
        """Add a node; return the name of its value."""
        ...

    def number(self, value: Any) -> str:
        """Add a number or an array in the dtype of what is computed; return its name."""
        ...

    def array(self, values: np.ndarray) -> str:
        """Add a constant array; return its name."""
        ...

    def type_of(self, dtype: Any) -> int:
        """Return ONNX's number of a dtype."""
        ...

    def width(self, each: Expression) -> int:
        """Return the number of columns of a row."""
        ...


def _operator(name: str) -> Callable[..., str]:
    return lambda graph, *operands: graph.add(name, *operands)


def _of_row(operator: str) -> Callable[[Graph, str], str]:
    """Return the writer of an operator that makes one number of each row."""
    return lambda graph, x: graph.add(operator, x, axes=[1], keepdims=1)


def _row_sum(graph: Graph, x: str) -> str:
    return graph.add("ReduceSum", x, graph.array(np.array([1])), keepdims=1)


def _logarithm(graph: Graph, x: str) -> str:
    return graph.add("Log", graph.add("Add", x, graph.number(1.0)))


def _exponential_less_one(graph: Graph, x: str) -> str:
    return graph.add("Sub", graph.add("Exp", x), graph.number(1.0))


def _erfc(graph: Graph, x: str) -> str:
    return graph.add("Sub", graph.number(1.0), graph.add("Erf", x))


def _cast(dtype: Any) -> Callable[[Graph, str], str]:
    return lambda graph, x: graph.add("Cast", x, to=graph.type_of(dtype))


OPERATORS: dict[str, Callable[..., str]] = {
    "add": _operator("Add"),
    "subtract": _operator("Sub"),
    "multiply": _operator("Mul"),
    "divide": _operator("Div"),
    "matmul": _operator("MatMul"),
    "negative": _operator("Neg"),
    "absolute": _operator("Abs"),
    "sqrt": _operator("Sqrt"),
    "exp": _operator("Exp"),
    "tanh": _operator("Tanh"),
    "cos": _operator("Cos"),
    "floor": _operator("Floor"),
    "maximum": _operator("Max"),
    "minimum": _operator("Min"),
    "less": _operator("Less"),
    "greater": _operator("Greater"),
    "equal": _operator("Equal"),
    "isnan": _operator("IsNaN"),
    "where": _operator("Where"),
    "rectified": _operator("Relu"),
    "logistic": _operator("Sigmoid"),
    "softmax": _operator("Softmax"),
    "row_mean": _of_row("ReduceMean"),
    "row_max": _of_row("ReduceMax"),
    "row_sum": _row_sum,
    "log1p": _logarithm,
    "expm1": _exponential_less_one,
    "erfc": _erfc,
    "single": _cast(np.float32),
    "double": _cast(np.float64),
}
"""Operation -> function that adds it to a graph and returns the name of its value.

It is called with the names of the operands.
"""


def _parts(graph: Graph, x: str, n: int, width: int) -> str:
    """Return rows (N, n * width) as (N, n, width)."""
    return graph.add("Reshape", x, graph.array(np.array([0, n, width])))


def _row(graph: Graph, x: str, width: int) -> str:
    """Return parts as rows again."""
    return graph.add("Reshape", x, graph.array(np.array([0, width])))


def _columns(graph: Graph, each: Expression, x: str) -> str:
    n_columns, places = graph.width(row_of(each.operands[0])), array_of(each.operands[1])
    if (places < 0).any():
        x = graph.add("Pad", x, graph.array(np.array([0, 0, 0, 1])))
        places = np.where(places < 0, n_columns, places)
    elif np.array_equal(places, np.arange(n_columns)):
        return x
    return graph.add("Gather", x, graph.array(places.astype(np.int64)), axis=1)


def _joined(graph: Graph, each: Expression, *parts: str) -> str:
    return graph.add("Concat", *parts, axis=1)


def _products(graph: Graph, each: Expression, x: str) -> str:
    weight, n = array_of(each.operands[1]), count_of(each.operands[2])
    parts, width = _parts(graph, x, n, weight.shape[-2]), graph.width(each)
    if weight.ndim == 2:
        return _row(graph, graph.add("MatMul", parts, graph.number(weight)), width)
    by_part = graph.add("Transpose", parts, perm=[1, 0, 2])
    product = graph.add("MatMul", by_part, graph.number(weight))
    return _row(graph, graph.add("Transpose", product, perm=[1, 0, 2]), width)


def _looked_up(graph: Graph, each: Expression, codes: str) -> str:
    table = array_of(each.operands[1])
    at_least = graph.add("GreaterOrEqual", codes, graph.number(0.0))
    is_known = graph.add("And", at_least, graph.add("Less", codes, graph.number(len(table))))
    known = graph.add("Where", is_known, codes, graph.number(0.0))  # NaN is not known
    whole = graph.add("Cast", known, to=graph.type_of(np.int64))
    rows = graph.add("Gather", graph.number(table), whole, axis=0)
    return _row(graph, rows, graph.width(each))


def _member_softmax(graph: Graph, each: Expression, z: str) -> str:
    n, width = count_of(each.operands[1]), graph.width(each)
    p = graph.add("Softmax", _parts(graph, z, n, width // n), axis=2)
    return _row(graph, p, width)


def _member_mean(graph: Graph, each: Expression, x: str) -> str:
    n, width = count_of(each.operands[1]), graph.width(each)
    return graph.add("ReduceMean", _parts(graph, x, n, width), axes=[1], keepdims=0)


def _interpolated(graph: Graph, each: Expression, x: str) -> str:
    """Add a search by halves for the last point that is not above x, and the line from there on."""
    points, values = map(array_of, each.operands[1:])
    own = np.atleast_2d(points)
    n_halvings = max(1, int(len(values) - 1).bit_length())
    n = 1 << n_halvings
    searched = np.full((len(own), n), np.inf)
    searched[:, : len(values)] = own
    lines = np.zeros((3, len(own), n))  # for each point: itself, its value, the slope after it
    lines[0, :, : len(values)], lines[1, :, : len(values)] = own, values
    rises, runs = np.diff(values), np.diff(own, axis=1)
    lines[2, :, : len(values) - 1] = np.where(runs > 0, rises / np.where(runs > 0, runs, 1.0), 0.0)
    within = graph.add("Max", x, graph.number(own[:, 0]))
    within = graph.add("Min", within, graph.number(own[:, -1]))
    starts = np.arange(len(own)) * n
    at = graph.add("Cast", graph.add("Mul", within, graph.number(0.0)), to=graph.type_of(np.int64))
    at = graph.add("Add", at, graph.array(starts))
    table = graph.number(searched.ravel())
    for halving in reversed(range(n_halvings)):
        step = graph.array(np.array(1 << halving))
        further = graph.add("Add", at, step)
        point = graph.add("Gather", table, further, axis=0)
        passed = graph.add("LessOrEqual", point, within)
        at = graph.add("Where", passed, further, at)
    point, value, slope = (
        graph.add("Gather", graph.number(part.ravel()), at, axis=0) for part in lines
    )
    run = graph.add("Sub", within, point)
    return graph.add("Add", value, graph.add("Mul", run, slope))


STRUCTURE: dict[str, Callable[..., str]] = {
    "columns": _columns,
    "joined": _joined,
    "products": _products,
    "looked_up": _looked_up,
    "member_softmax": _member_softmax,
    "member_mean": _member_mean,
    "interpolated": _interpolated,
}
"""Operation that is not of numbers alone -> the same; called with the expression too.

Of the operands, the names of the rows follow; arrays and sizes are in the expression.
"""
