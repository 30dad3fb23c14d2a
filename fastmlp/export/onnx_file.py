"""ONNX files, written directly with the operators of ONNX itself; needs the extra ``onnx``."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.export.blocks import Block, Network
from fastmlp.export.head import Head
from fastmlp.formulas.expressions import Expression, operations, written_with

__all__ = ["OPERATORS", "onnx_bytes"]

_OPSET, _IR_VERSION = 15, 8  # of 2021: what runs them is everywhere by now
_MOST_BYTES = 2**31 - 2**20  # a protobuf message is smaller than 2 GB


def onnx_bytes(network: Network) -> bytes:
    """Return the ONNX file of a network.

    Its input is X (N, D). A model's output is Y (N, C). Those of estimators are named as
    skl2onnx names them: label and probabilities, or variable.

    Raises
    ------
    ModuleNotFoundError
        If the package ``onnx`` is missing.
    ValueError
        If the file would have more than 2 GB.

    """
    try:
        import onnx
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise ModuleNotFoundError(
            "ONNX files need the package onnx: install it with pip install 'fastmlp[onnx]'",
            name="onnx",
        ) from None
    from importlib.metadata import version

    graph = _Graph(onnx)
    inputs = graph.value("X", np.float64 if network.takes_double else np.float32, network.n_inputs)
    z = graph.blocks(network.blocks, "X")
    if network.head is None:
        outputs = [graph.output(z, "Y", np.float32, network.n_outputs)]
    else:
        outputs = _predictions(graph, network, network.head, z)
    model = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "fastmlp", [inputs], outputs, graph.arrays),
        opset_imports=[onnx.helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="fastmlp",
        producer_version=version("fastmlp"),
    )
    if sum(array.ByteSize() for array in graph.arrays) > _MOST_BYTES:
        raise ValueError("the model has more than 2 GB of parameters, and an ONNX file at most 2")
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _predictions(graph: "_Graph", network: Network, head: Head, z: str) -> list[Any]:
    """Add an estimator's outputs to the graph; return their descriptions."""
    p = graph.blocks(network.predictions, z)
    if head.classes is None:
        return [graph.output(p, "variable", np.float32, network.n_outputs)]
    n_classes = 2 if head.kind == "binary" else network.n_outputs
    probabilities = graph.output(p, "probabilities", np.float32, n_classes)
    if head.kind == "multilabel":
        present = graph.add("Greater", p, graph.number(0.5))
        label = graph.add("Cast", present, to=graph.type_of(np.int64))
        return [graph.output(label, "label", np.int64, n_classes), probabilities]
    if head.kind == "binary":
        second = graph.add("Gather", p, graph.array(np.array(1)), axis=1)
        index = graph.add(
            "Cast", graph.add("Greater", second, graph.number(0.5)), to=graph.type_of(np.int64)
        )
        if len(head.classes) == 1:
            index = graph.add("Mul", index, graph.array(np.array(0)))
    else:
        index = graph.add("ArgMax", z, axis=1, keepdims=0)  # the largest logit, as `predict`
    classes = _class_array(head.classes)
    label = graph.add("Gather", graph.array(classes), index, axis=0)
    return [graph.output(label, "label", classes.dtype), probabilities]


def _class_array(classes: np.ndarray) -> np.ndarray:
    """Return classes in a dtype that ONNX has: texts, int64, bool or float."""
    if classes.dtype.kind in "OU":
        return classes.astype(object)
    return classes.astype(np.int64) if classes.dtype.kind in "iu" else classes


class _Graph:
    """Nodes and constant arrays; a value in the graph is known by its name."""

    def __init__(self, onnx: Any):
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []
        self.numbers: dict[tuple[str, bytes], str] = {}
        self.dtype: np.dtype = np.dtype(np.float32)

    def blocks(self, blocks: tuple[Block, ...], x: str) -> str:
        """Add some blocks after a value; return the last one's value."""
        for block in blocks:
            self.dtype = np.dtype(np.float64 if block.double else np.float32)
            x = self._block(block, x)
            if block.double:
                x = self.add("Cast", x, to=self.type_of(np.float32))
        self.dtype = np.dtype(np.float32)
        return x

    def _block(self, block: Block, x: str) -> str:
        names: dict[int, str] = {}
        for each in operations(written_with(OPERATORS, block.root, "ONNX files")):
            operands = [
                names[id(operand)] if isinstance(operand, Expression) else self.number(operand)
                for operand in each.operands
            ]
            write = OPERATORS.get(each.operation)
            names[id(each)] = x if write is None else write(self, *operands)
        return list(names.values())[-1]

    def add(self, operator: str, *operands: str, **attributes: Any) -> str:
        """Add a node; return the name of its value."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(
            self.onnx.helper.make_node(operator, list(operands), [name], name, **attributes)
        )
        return name

    def number(self, value: Any) -> str:
        """Add a number, a vector or a matrix in the dtype of the block; return its name."""
        return self.array(np.asarray(value, self.dtype))

    def array(self, values: np.ndarray) -> str:
        """Add a constant array; return its name. A number is added once."""
        key = values.dtype.str, values.tobytes()
        if values.ndim == 0 and key in self.numbers:
            return self.numbers[key]
        name = f"array_{len(self.arrays)}"
        if values.ndim == 0:
            self.numbers[key] = name
        self.arrays.append(self.onnx.numpy_helper.from_array(np.asarray(values, order="C"), name))
        return name

    def value(self, name: str, dtype: Any, n_columns: int | None = None) -> Any:
        """Describe an input or output of N rows."""
        shape = ["N"] if n_columns is None else ["N", n_columns]
        return self.onnx.helper.make_tensor_value_info(name, self.type_of(dtype), shape)

    def output(self, value: str, name: str, dtype: Any, n_columns: int | None = None) -> Any:
        """Give a value the name of an output; return its description."""
        self.nodes.append(self.onnx.helper.make_node("Identity", [value], [name], name))
        return self.value(name, dtype, n_columns)

    def type_of(self, dtype: Any) -> int:
        """Return ONNX's number of a dtype."""
        return self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def _of_row(operator: str) -> Callable[[_Graph, str], str]:
    """Return the writer of an operator that makes one number of each row."""
    return lambda graph, x: graph.add(operator, x, axes=[1], keepdims=1)


def _row_sum(graph: _Graph, x: str) -> str:
    return graph.add("ReduceSum", x, graph.array(np.array([1])), keepdims=1)


def _logarithm(graph: _Graph, x: str) -> str:
    return graph.add("Log", graph.add("Add", x, graph.number(1.0)))


def _exponential_less_one(graph: _Graph, x: str) -> str:
    return graph.add("Sub", graph.add("Exp", x), graph.number(1.0))


def _erfc(graph: _Graph, x: str) -> str:
    return graph.add("Sub", graph.number(1.0), graph.add("Erf", x))


def _both(graph: _Graph, p: str) -> str:
    return graph.add("Concat", graph.add("Sub", graph.number(1.0), p), p, axis=1)


def _operator(name: str) -> Callable[..., str]:
    return lambda graph, *operands: graph.add(name, *operands)


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
    "maximum": _operator("Max"),
    "minimum": _operator("Min"),
    "less": _operator("Less"),
    "greater": _operator("Greater"),
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
    "both": _both,
}
"""Operation -> function that adds it to a graph and returns the name of its value."""
