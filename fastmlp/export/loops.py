"""Blocks as loops over the numbers of a row, in the syntax that C and JavaScript share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.export.blocks import Block
from fastmlp.formulas.expressions import Expression, operations, written_with

__all__ = ["SHARED", "Arrays", "Language", "loops"]

_REDUCTIONS = ("row_mean", "row_sum", "row_max")
_STRUCTURE = {"matmul", "both", *_REDUCTIONS}

SHARED = {
    "add": "({0} + {1})",
    "subtract": "({0} - {1})",
    "multiply": "({0} * {1})",
    "divide": "({0} / {1})",
    "negative": "(-{0})",
    "less": "({0} < {1})",
    "greater": "({0} > {1})",
    "where": "({0} ? {1} : {2})",
    "maximum": "({0} < {1} ? {1} : {0})",
    "minimum": "({0} > {1} ? {1} : {0})",
}
"""Operation -> how both languages write it. NaN stays NaN."""


@dataclass(frozen=True)
class Language:
    """How a language differs from the other.

    Attributes
    ----------
    name : str
        What the files are called in messages.
    functions : mapping
        Operation -> how it is written, with {0} and so on for the operands.
    constant, variable, index : str
        What stands before the name of a constant, of a variable and of a loop's index.
    number : callable
        ``number(value)`` writes a number.
    rounded : str
        How a number is made a float32, with {0} for it.

    """

    name: str
    functions: Mapping[str, str]
    constant: str
    variable: str
    index: str
    number: Callable[[Any], str]
    rounded: str = "{0}"


class Arrays:
    """The arrays of a file and their names.

    Attributes
    ----------
    named : dict
        Name -> (array, whether it is kept in float64).

    """

    def __init__(self, prefix: str = ""):
        self.prefix = prefix
        self.named: dict[str, tuple[np.ndarray, bool]] = {}
        self._names: dict[int, str] = {}

    def name_of(self, array: np.ndarray, double: bool) -> str:
        """Return the name of an array, which is added if it is new."""
        name = self._names.get(id(array))
        if name is None:
            kind = "weight" if array.ndim == 2 else "vector"
            name = self._names[id(array)] = f"{self.prefix}{kind}{len(self.named)}"
            self.named[name] = array, double
        return name


def loops(block: Block, language: Language, arrays: Arrays, source: str, target: str) -> list[str]:
    """Return the lines that compute a block's row ``target`` from the row ``source``."""
    written = _Block(block, language, arrays, source, target)
    if not written.constants:
        return written.lines
    return ["{", *(f"    {line}" for line in written.lines), "}"]  # the names are its own


class _Block:
    """A block being written. A number of the row is known by its text, ``x[j]``."""

    def __init__(self, block: Block, language: Language, arrays: Arrays, source: str, target: str):
        self.block, self.language, self.arrays = block, language, arrays
        self.lines: list[str] = []
        self.texts: dict[int, str] = {}
        self.constants: set[int] = set()  # of the row: they do not depend on j
        self.n_locals = 0
        functions = {*language.functions, *_STRUCTURE, "input"}
        root = written_with(functions, block.root, language.name)
        if root.operation == "both":
            self.lines = [f"{target}[1] = {source}[0];", f"{target}[0] = 1 - {target}[1];"]
            return
        for each in operations(root):
            if each.operation == "input":
                self.texts[id(each)] = f"{source}[j]"
            elif each.operation == "matmul":
                self._product(each, source, target)
            elif each.operation in _REDUCTIONS:
                self._reduce(each)
            elif self._is_constant(each):
                self.constants.add(id(each))
                self.texts[id(each)] = self._local(self.lines, self._text(each))
        if root.operation != "matmul":
            result = language.rounded if block.double else "{0}"
            self._loop(root, block.n_out, f"{target}[j] = {result};")

    def _product(self, product: Expression, source: str, target: str) -> None:
        weight: Any = product.operands[1]
        name = self.arrays.name_of(weight, False)
        n_in, n_out = weight.shape
        prefix = self.arrays.prefix
        self.lines.append(f"{prefix}product({source}, {name}, {n_in}, {n_out}, {target});")
        self.texts[id(product)] = f"{target}[j]"

    def _reduce(self, reduction: Expression) -> None:
        operand, n = reduction.operands[0], self.block.n_in
        assert isinstance(operand, Expression), "a formula reduces what it computed"
        name = f"row{len(self.texts)}"
        start = self.language.number(-np.inf if reduction.operation == "row_max" else 0)
        self.lines.append(f"{self.language.variable}{name} = {start};")
        if reduction.operation == "row_max":
            self._loop(operand, n, f"if ({{0}} > {name}) {name} = {{0}};", again=True)
        else:
            self._loop(operand, n, f"{name} += {{0}};")
        if reduction.operation == "row_mean":
            self.lines.append(f"{name} /= {n};")
        self.texts[id(reduction)] = name
        self.constants.add(id(reduction))

    def _is_constant(self, each: Expression) -> bool:
        return all(
            id(operand) in self.constants
            if isinstance(operand, Expression)
            else np.ndim(operand) == 0
            for operand in each.operands
        )

    def _loop(self, root: Expression, n: int, statement: str, again: bool = False) -> None:
        """Write a loop over the row whose statement has {0} for the expression."""
        inside: list[str] = []
        todo = operations(root, self.texts)
        uses = {id(each): 0 for each in todo}
        for each in todo:
            form = self.language.functions[each.operation]
            for place, operand in enumerate(each.operands):
                if id(operand) in uses:
                    uses[id(operand)] += form.count(f"{{{place}}}")
        if again and id(root) in uses:
            uses[id(root)] = 2
        texts, self.texts = self.texts, dict(self.texts)
        for each in todo:
            text = self._text(each)
            self.texts[id(each)] = self._local(inside, text) if uses[id(each)] > 1 else text
        inside.append(statement.format(_bare(self.texts[id(root)])))
        self.texts = texts
        head = f"for ({self.language.index}j = 0; j < {n}; j++)"
        if len(inside) == 1:
            self.lines.append(f"{head} {inside[0]}")
        else:
            self.lines += [f"{head} {{", *(f"    {line}" for line in inside), "}"]

    def _text(self, each: Expression) -> str:
        operands = [self._operand(operand) for operand in each.operands]
        return self.language.functions[each.operation].format(*operands)

    def _operand(self, operand: Any) -> str:
        if isinstance(operand, Expression):
            return self.texts[id(operand)]
        if np.ndim(operand) == 0:
            return self.language.number(operand)
        return f"{self.arrays.name_of(operand, self.block.double)}[j]"

    def _local(self, lines: list[str], text: str) -> str:
        name = f"t{self.n_locals}"
        self.n_locals += 1
        lines.append(f"{self.language.constant}{name} = {_bare(text)};")
        return name


def _bare(text: str) -> str:
    """Return an expression without the brackets around all of it."""
    if not text.startswith("("):
        return text
    depth = 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 else text
    return text
