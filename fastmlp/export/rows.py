"""Which rows of numbers a program computes, in which order, and in which memory it keeps them.

A row that is computed number by number is not kept if a single loop needs it: it is computed there.
"""

from dataclasses import dataclass

import numpy as np

from fastmlp.export.shapes import REDUCTIONS, Shapes
from fastmlp.formulas.expressions import INPUT, Expression, Operand, operations

__all__ = ["WHOLE", "Program", "program_of"]

WHOLE = frozenset({"matmul", "products", "looked_up", "member_mean", "joined", "member_softmax"})
"""Operations that are more than a loop over the numbers of a row; what they give is kept."""

_IN_LOOPS = frozenset({"joined", "member_softmax"})  # they begin with loops over their operands
_CHEAP = frozenset({"columns", "less", "greater", "equal", "isnan"})


@dataclass(frozen=True)
class Program:
    """The statements of a function that takes the row ``x`` and fills the row ``y``.

    Attributes
    ----------
    statements : tuple of Expression
        Rows that are kept, and numbers of a row, each after what it needs.
    numbers : frozenset of int
        The ids of those that are one number.
    names : dict
        Id of a row that is kept -> the name of its memory.
    buffers : dict
        Name of memory besides x and y -> (how many numbers, whether they are float64).

    """

    statements: tuple[Expression, ...]
    numbers: frozenset[int]
    names: dict[int, str]
    buffers: dict[str, tuple[int, bool]]


def program_of(root: Expression, shapes: Shapes) -> Program:
    """Return the program of an expression."""
    nodes = operations(root)
    numbers = _numbers(nodes)
    kept = _kept(nodes, root, numbers)
    statements = tuple(each for each in nodes if id(each) in kept or id(each) in numbers)
    names, buffers = _Memory(statements, kept, numbers, shapes).assigned()
    return Program(statements, numbers, names, buffers)


def _numbers(nodes: list[Expression]) -> frozenset[int]:
    """Return the ids of what is one number for the whole row."""
    found: set[int] = set()

    def is_number(operand: Operand) -> bool:
        return id(operand) in found or (
            not isinstance(operand, Expression) and np.ndim(operand) == 0
        )

    for each in nodes:
        alone = bool(each.operands) and all(map(is_number, each.operands))
        if each.operation in REDUCTIONS or (alone and each.operation not in WHOLE):
            found.add(id(each))
    return frozenset(found)


def _kept(nodes: list[Expression], root: Expression, numbers: frozenset[int]) -> set[int]:
    """Return the ids of the rows that are kept."""
    loops: dict[int, set[tuple[int, int]]] = {id(each): set() for each in nodes}
    whole: set[int] = set()  # rows of which another place is needed than the loop's own
    kept = {id(root)}
    for each in reversed(nodes):
        if each is INPUT:
            continue
        shared = len(loops[id(each)]) > 1 and each.operation not in _CHEAP
        is_kept = each.operation in WHOLE or id(each) in whole or shared
        if is_kept and id(each) not in numbers:
            kept.add(id(each))
        own_loop = id(each) in kept or each.operation in REDUCTIONS
        for place, operand in enumerate(each.operands):
            if not isinstance(operand, Expression):
                continue
            if own_loop:
                loops[id(operand)].add((id(each), place if each.operation == "joined" else 0))
            elif id(each) not in numbers:
                loops[id(operand)] |= loops[id(each)]
            if each.operation == "columns" or each.operation in WHOLE - _IN_LOOPS:
                whole.add(id(operand))
    return kept


class _Memory:
    """Assigns memory to rows: one that nobody needs any more is used again."""

    def __init__(
        self,
        statements: tuple[Expression, ...],
        kept: set[int],
        numbers: frozenset[int],
        shapes: Shapes,
    ):
        self.statements, self.kept, self.numbers, self.shapes = statements, kept, numbers, shapes
        self.reads = [self._reads(each) for each in statements]
        self.last = {row: at for at, reads in enumerate(self.reads) for row in reads}
        self.at = {id(each): at for at, each in enumerate(statements)}
        self.names: dict[int, str] = {}
        self.buffers: dict[str, tuple[int, bool]] = {}

    def assigned(self) -> tuple[dict[int, str], dict[str, tuple[int, bool]]]:
        """Return the names of rows, and the sizes of the memory."""
        self._name_outputs()
        free: list[str] = []
        for at, each in enumerate(self.statements):
            ending = [row for row in self.reads[at] if self.last[row] == at]
            ending = [row for row in ending if self.names.get(row, "y") != "y"]
            reusable = [row for row in ending if self._in_place(at, row)]
            free += [self.names[row] for row in reusable]
            if id(each) in self.kept and id(each) not in self.names:
                self.names[id(each)] = self._taken(each, free)
            free += [self.names[row] for row in ending if row not in reusable]
        return self.names, self.buffers

    def _name_outputs(self) -> None:
        """Give the memory of the outputs to the root, and to what it overwrites."""
        each = self.statements[-1]
        while True:
            self.names[id(each)] = "y"
            at = self.at[id(each)]
            before = [
                self.statements[self.at[row]]
                for row in self.reads[at]
                if row in self.at and self.last[row] == at and self._in_place(at, row)
            ]
            before = [row for row in before if self._is_alike(row, each)]
            if not before:
                return
            each = before[0]

    def _is_alike(self, a: Expression, b: Expression) -> bool:
        shapes = self.shapes
        return shapes.width(a) == shapes.width(b) and shapes.is_double(a) == shapes.is_double(b)

    def _in_place(self, at: int, row: int) -> bool:
        """Tell whether a statement may overwrite a row that it reads."""
        each = self.statements[at]
        plain = each.operation not in WHOLE or each.operation == "member_softmax"
        return plain and id(each) in self.kept and self.reads[at][row]

    def _taken(self, each: Expression, free: list[str]) -> str:
        """Return memory for a row, new if none is free."""
        width, double = self.shapes.width(each), self.shapes.is_double(each)
        fitting = [name for name in free if self.buffers[name][1] == double]
        if fitting:
            name = max(fitting, key=lambda name: self.buffers[name][0])
            free.remove(name)
        else:
            name = f"r{len(self.buffers)}"
            self.buffers[name] = 0, double
        self.buffers[name] = max(width, self.buffers[name][0]), double
        return name

    def _reads(self, each: Expression) -> dict[int, bool]:
        """Return the rows that a statement reads: id -> whether only the loop's own place."""
        found: dict[int, bool] = {}
        waiting = [(operand, each) for operand in each.expressions()]
        while waiting:
            operand, reader = waiting.pop()
            if id(operand) in self.numbers:
                continue
            if id(operand) in self.kept or operand is INPUT:
                elsewhere = reader.operation in ("columns", *WHOLE - _IN_LOOPS)
                found[id(operand)] = found.get(id(operand), True) and not elsewhere
            else:
                waiting += [(inner, operand) for inner in operand.expressions()]
        found.pop(id(INPUT), None)
        return found
