"""ONNX files, written directly with the operators of ONNX itself; needs the extra ``onnx``."""

from typing import Any

import numpy as np

from fastmlp.export.head import Head
from fastmlp.export.inputs import Column
from fastmlp.export.network import Network
from fastmlp.export.onnx_operators import OPERATORS, STRUCTURE
from fastmlp.export.shapes import Shapes
from fastmlp.formulas.expressions import INPUT, Expression, operations, written_with

__all__ = ["onnx_bytes"]

_OPSET, _IR_VERSION = 15, 8  # of 2021: what runs them is everywhere by now
_TEXTS = "ai.onnx.ml"  # the operators that know texts
_TEXTS_OPSET = 2
_MOST_BYTES = 2**31 - 2**20  # a protobuf message is smaller than 2 GB


def onnx_bytes(network: Network) -> bytes:
    """Return the ONNX file of a network.

    Its input is X (N, D), or an input (N, 1) for each column of a table. A model's output is Y
    (N, C). Those of estimators are named as skl2onnx names them: label and probabilities, or
    variable.

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

    known = {*OPERATORS, *STRUCTURE}
    root = written_with(known, network.root, "ONNX files")
    roots = [root]
    if network.decides is not None:
        roots.append(written_with(known, network.decides, "ONNX files"))
    shapes = Shapes(*roots, n_inputs=network.n_inputs, takes_double=network.takes_double)
    graph = _Graph(onnx, shapes)
    inputs, x = graph.inputs(network)
    values = graph.computed(roots, x)
    outputs = _outputs(graph, network.head, root, values[0], values[-1])
    domains = {"": _OPSET} | ({_TEXTS: _TEXTS_OPSET} if network.columns else {})
    model = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "fastmlp", inputs, outputs, graph.arrays),
        opset_imports=[onnx.helper.make_opsetid(*domain) for domain in domains.items()],
        ir_version=_IR_VERSION,
        producer_name="fastmlp",
        producer_version=version("fastmlp"),
    )
    if sum(array.ByteSize() for array in graph.arrays) > _MOST_BYTES:
        raise ValueError("the model has more than 2 GB of parameters, and an ONNX file at most 2")
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _outputs(
    graph: "_Graph", head: Head | None, root: Expression, value: str, decides: str
) -> list[Any]:
    """Add the outputs to the graph; return their descriptions."""
    width, dtype = graph.width(root), graph.shapes.dtype(root)
    if head is None:
        return [graph.output(value, "Y", dtype, width)]
    if head.classes is None:
        return [graph.output(value, "variable", dtype, width)]
    label, classes = _label(graph, head, head.classes, value, decides)
    columns = width if head.kind == "multilabel" else None
    probabilities = graph.output(value, "probabilities", np.float32, width)
    return [graph.output(label, "label", classes, columns), probabilities]


def _label(
    graph: "_Graph", head: Head, classes: np.ndarray, p: str, decides: str
) -> tuple[str, np.dtype]:
    """Add the label of each row; return its value and its dtype."""
    if head.kind == "multilabel":
        return _is_likely(graph, p), np.dtype(np.int64)
    if head.kind == "binary":
        second = graph.add("Gather", p, graph.array(np.array(1)), axis=1)
        index = _is_likely(graph, second)
        if len(classes) == 1:
            index = graph.add("Mul", index, graph.array(np.array(0)))
    else:
        index = graph.add("ArgMax", decides, axis=1, keepdims=0)
    known = _class_array(classes)
    return graph.add("Gather", graph.array(known), index, axis=0), known.dtype


def _is_likely(graph: "_Graph", p: str) -> str:
    """Add 1 for a probability of more than a half, 0 for others."""
    above = graph.add("Greater", p, graph.array(np.array(0.5, np.float32)))
    return graph.add("Cast", above, to=graph.type_of(np.int64))


def _class_array(classes: np.ndarray) -> np.ndarray:
    """Return classes in a dtype that ONNX has: texts, int64, bool or float."""
    if classes.dtype.kind in "OU":
        return classes.astype(object)
    return classes.astype(np.int64) if classes.dtype.kind in "iu" else classes


class _Graph:
    """Nodes and constant arrays; a value in the graph is known by its name."""

    def __init__(self, onnx: Any, shapes: Shapes):
        self.onnx, self.shapes = onnx, shapes
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []
        self.known: dict[tuple[Any, ...], str] = {}
        self.taken: set[str] = {"label", "probabilities", "variable", "Y"}
        self.dtype: np.dtype = np.dtype(np.float32)

    def inputs(self, network: Network) -> tuple[list[Any], str]:
        """Return the descriptions of the inputs, and the value of all of them as rows."""
        dtype = np.float64 if network.takes_double else np.float32
        if not network.columns:
            return [self.value("X", dtype, network.n_inputs)], "X"
        names = [self.name_of(column.name or "column") for column in network.columns]
        described, values = [], []
        for column, name in zip(network.columns, names, strict=True):
            described.append(self.value(name, np.object_ if column.names else dtype, 1))
            values.append(self._codes(column, name) if column.names else name)
        return described, self.add("Concat", *values, axis=1)

    def _codes(self, column: Column, name: str) -> str:
        codes = self.add(
            "LabelEncoder",
            name,
            domain=_TEXTS,
            keys_strings=list(column.codes),
            values_int64s=list(column.codes.values()),
            default_int64=column.unknown,
        )
        return self.add("Cast", codes, to=self.type_of(np.float64))

    def computed(self, roots: list[Expression], x: str) -> list[str]:
        """Add some expressions of the rows x; return their values."""
        names: dict[int, str] = {id(INPUT): x}
        for root in roots:
            for each in operations(root, names):
                operands = [
                    names[id(operand)] if isinstance(operand, Expression) else operand
                    for operand in each.operands
                ]
                self.dtype = self.shapes.dtype(each)
                if each.operation in STRUCTURE:
                    rows = [operand for operand in operands if isinstance(operand, str)]
                    names[id(each)] = STRUCTURE[each.operation](self, each, *rows)
                else:
                    values = [o if isinstance(o, str) else self.number(o) for o in operands]
                    names[id(each)] = OPERATORS[each.operation](self, *values)
        return [names[id(root)] for root in roots]

    def width(self, each: Expression) -> int:
        """Return the number of columns of a row."""
        return self.shapes.width(each)

    def name_of(self, wanted: str) -> str:
        """Return a name that nothing else has."""
        while wanted in self.taken:
            wanted += "_"
        self.taken.add(wanted)
        return wanted

    def add(self, operator: str, *operands: str, domain: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its value."""
        name = self.name_of(f"{operator.lower()}_{len(self.nodes)}")
        self.nodes.append(
            self.onnx.helper.make_node(
                operator, list(operands), [name], name, domain=domain, **attributes
            )
        )
        return name

    def number(self, value: Any) -> str:
        """Add a number, a vector or a matrix in the dtype of the block; return its name."""
        return self.array(np.asarray(value, self.dtype))

    def array(self, values: np.ndarray) -> str:
        """Add a constant array, once; return its name."""
        from hashlib import sha256  # it loads OpenSSL, which importing fastmlp should not

        values = np.asarray(values, order="C")
        content = repr(values.tolist()).encode() if values.dtype == object else values.tobytes()
        key = values.dtype.str, values.shape, sha256(content).digest()
        if key not in self.known:
            self.known[key] = self.name_of(f"array_{len(self.arrays)}")
            self.arrays.append(self.onnx.numpy_helper.from_array(values, self.known[key]))
        return self.known[key]

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
