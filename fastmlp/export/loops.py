"""Expressions as loops over the numbers of a row, in the syntax that C and JavaScript share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.export.rows import WHOLE, program_of
from fastmlp.export.shapes import REDUCTIONS, Shapes, array_of, count_of, row_of
from fastmlp.formulas.expressions import INPUT, Expression, operations

__all__ = ["OPERATIONS", "SHARED", "Arrays", "Language", "Writer"]

SHARED = {
    "add": "({0} + {1})",
    "subtract": "({0} - {1})",
    "multiply": "({0} * {1})",
    "divide": "({0} / {1})",
    "negative": "(-{0})",
    "less": "({0} < {1})",
    "greater": "({0} > {1})",
    "equal": "({0} == {1})",
    "where": "({0} ? {1} : {2})",
    "maximum": "({0} < {1} ? {1} : {0})",
    "minimum": "({0} > {1} ? {1} : {0})",
}
"""Operation -> how both languages write it. NaN stays NaN."""

_LONG = 256  # numbers of a vector that is worth looking at twice

OPERATIONS = WHOLE | REDUCTIONS | {"input", "columns", "interpolated"}
"""The operations that both languages have besides functions of numbers."""


@dataclass(frozen=True)
class Language:
    """How a language, and a kind of numbers in it, differs from others.

    Attributes
    ----------
    functions : mapping
        Operation -> how it is written, with {0} and so on for the operands.
    constant, variable, index, place : str
        What stands before the name of a constant, of a variable, of a loop's index, and of a
        constant that is a place in an array.
    number : callable
        ``number(value)`` writes a number.
    whole : str
        How a number becomes a place in an array, with {0} for it.
    start : callable
        ``start(array, place)`` writes an array from a place on, as an argument.

    """

    functions: Mapping[str, str]
    constant: str
    variable: str
    index: str
    place: str
    number: Callable[[Any], str]
    whole: str
    start: Callable[[str, str], str]


class Arrays:
    """The arrays of a file and their names.

    Attributes
    ----------
    named : dict
        Name -> the array, in the dtype in which it is kept.

    """

    def __init__(self, prefix: str = ""):
        self.prefix = prefix
        self.named: dict[str, np.ndarray] = {}
        self._names: dict[tuple[int, str], str] = {}
        self._periods: dict[int, int] = {}

    def name_of(self, array: np.ndarray, dtype: Any) -> str:
        """Return the name of an array in a dtype; it is added if it is new."""
        dtype = np.dtype(dtype)
        key = id(array), dtype.str
        name = self._names.get(key)
        if name is None:
            kind = "places" if dtype.kind == "i" and dtype.itemsize > 1 else "weight"
            kind = "vector" if array.ndim == 1 and kind == "weight" else kind
            name = self._names[key] = f"{self.prefix}{kind}{len(self.named)}"
            self.named[name] = array.astype(dtype)
        return name

    def number_of(self, vector: np.ndarray, dtype: Any) -> str:
        """Return number j of a vector; one that repeats itself is kept once."""
        period = self._periods.setdefault(id(vector), _period_of(vector))
        name = self.name_of(vector, dtype)
        self.named[name] = self.named[name][:period]
        return f"{name}[j]" if period == len(vector) else f"{name}[j % {period}]"


class Writer:
    """Writes the lines that compute the row y from the row x.

    Parameters
    ----------
    root : Expression
        With operations of `OPERATIONS` and of the languages' functions alone.
    shapes : Shapes
    languages : tuple of Language
        For float32 and for float64.
    arrays : Arrays
        Where the arrays go.

    """

    def __init__(
        self,
        root: Expression,
        shapes: Shapes,
        languages: tuple[Language, Language],
        arrays: Arrays,
    ):
        self.program = program_of(root, shapes)
        self.shapes, self.languages, self.arrays = shapes, languages, arrays
        self.lines: list[str] = []
        self.texts: dict[int, str] = {id(INPUT): "x[j]"}
        self.n_locals = 0
        for each in self.program.statements:
            if id(each) in self.program.numbers:
                self._number(each)
                continue
            write = _STATEMENTS.get(each.operation, Writer._elementwise)
            write(self, each, self.program.names[id(each)])
            self.texts[id(each)] = f"{self.program.names[id(each)]}[j]"

    def _language(self, each: Expression) -> Language:
        return self.languages[self.shapes.is_double(each)]

    def _row(self, each: Any) -> str:
        """Return the name of a row that is kept."""
        return "x" if each is INPUT else self.program.names[id(each)]

    # Statements.

    def _elementwise(self, each: Expression, target: str) -> None:
        self._loop(each, f"{target}[j] = {{0}};")

    def _product(self, each: Expression, target: str) -> None:
        x, weight = each.operands[0], array_of(each.operands[1])
        n = count_of(each.operands[2]) if each.operation == "products" else 1
        n_in, n_out = weight.shape[-2:]
        kept = np.int8 if weight.dtype == np.int8 else np.float32
        name = self.arrays.name_of(weight, kept)
        step = n_in * n_out if weight.ndim == 3 else 0
        start = self._language(each).start
        arguments = (
            start(self._row(x), f"m * {n_in}" if n > 1 else ""),
            start(name, f"m * {step}" if n > 1 and step else ""),
            f"{n_in}, {n_out}",
            start(target, f"m * {n_out}" if n > 1 else ""),
        )
        call = f"{self.arrays.prefix}product({', '.join(arguments)});"
        self.lines.append(f"{self._for('m', n)} {call}" if n > 1 else call)

    def _joined(self, each: Expression, target: str) -> None:
        start = 0
        for part in map(row_of, each.operands):
            place = f"{start} + j" if start else "j"
            self._loop(part, f"{target}[{place}] = {{0}};")
            start += self.shapes.width(part)

    def _softmax(self, each: Expression, target: str) -> None:
        z, n = row_of(each.operands[0]), count_of(each.operands[1])
        self._loop(z, f"{target}[j] = {{0}};", unless=f"{target}[j]")
        width = self.shapes.width(each) // n
        self.lines.append(f"{self.arrays.prefix}softmax({n}, {width}, {target});")

    def _mean(self, each: Expression, target: str) -> None:
        x, n = each.operands
        row, width, language = self._row(x), self.shapes.width(each), self._language(each)
        self.lines += [
            f"{self._for('j', width)} {{",
            f"    {language.variable}sum = 0;",
            f"    {self._for('m', n)} sum += {row}[m * {width} + j];",
            f"    {target}[j] = sum / {n};",
            "}",
        ]

    def _look_up(self, each: Expression, target: str) -> None:
        codes, table = row_of(each.operands[0]), array_of(each.operands[1])
        language, row = self._language(each), self._row(codes)
        n_rows, width = table.shape
        name = self.arrays.name_of(table, self.shapes.dtype(each))
        found = language.whole.format(f"{row}[m]")
        self.lines += [
            f"{self._for('m', self.shapes.width(codes))} {{",
            f"    {language.place}k = {row}[m] >= 0 && {row}[m] < {n_rows} ? {found} : 0;",
            f"    {self._for('j', width)} {target}[m * {width} + j] = {name}[k * {width} + j];",
            "}",
        ]

    def _number(self, each: Expression) -> None:
        """Write a number of the row."""
        if each.operation not in REDUCTIONS:
            self.texts[id(each)] = self._local(self.lines, each, self._text(each))
            return
        operand, language = row_of(each.operands[0]), self._language(each)
        name, is_max = f"row{len(self.texts)}", each.operation == "row_max"
        first = language.number(-np.inf if is_max else 0)
        self.lines.append(f"{language.variable}{name} = {first};")
        if is_max:
            self._loop(operand, f"if ({{0}} > {name}) {name} = {{0}};")
        else:
            self._loop(operand, f"{name} += {{0}};")
        if each.operation == "row_mean":
            self.lines.append(f"{name} /= {self.shapes.width(operand)};")
        self.texts[id(each)] = name

    # Loops and the expressions in them.

    def _for(self, index: str, n: Any) -> str:
        declared = self.languages[0].index
        return f"for ({declared}{index} = 0; {index} < {n}; {index}++)"

    def _loop(self, root: Expression, statement: str, unless: str = "") -> None:
        """Write a loop over a row whose statement has {0} for its number.

        Nothing is written if the number is ``unless`` already.
        """
        inside: list[str] = []
        todo = operations(root, self.texts)
        uses = {id(each): 0 for each in todo}
        for each in todo:
            form = self._form(each)
            for place, operand in enumerate(each.operands):
                if id(operand) in uses:
                    uses[id(operand)] += form.count(f"{{{place}}}")
        if id(root) in uses:
            uses[id(root)] = statement.count("{0}")
        texts, self.texts = self.texts, dict(self.texts)
        for each in todo:
            text = self._text(each)
            again = uses[id(each)] > 1
            self.texts[id(each)] = self._local(inside, each, text) if again else text
        found = _bare(self.texts[id(root)])
        inside.append(statement.format(found))
        self.texts = texts
        if found == unless:
            return
        head = self._for("j", self.shapes.width(root))
        if len(inside) == 1:
            self.lines.append(f"{head} {inside[0]}")
        else:
            self.lines += [f"{head} {{", *(f"    {line}" for line in inside), "}"]

    def _form(self, each: Expression) -> str:
        if each.operation == "columns":
            return ""
        if each.operation == "interpolated":
            return "{0}"
        return self._language(each).functions[each.operation]

    def _text(self, each: Expression) -> str:
        if each.operation == "columns":
            return self._taken(each)
        if each.operation == "interpolated":
            return self._interpolated(each)
        operands = [self._operand(operand, each) for operand in each.operands]
        return self._form(each).format(*operands)

    def _operand(self, operand: Any, each: Expression) -> str:
        if isinstance(operand, Expression):
            return self.texts[id(operand)]
        if np.ndim(operand) == 0:
            return self._language(each).number(operand)
        return self.arrays.number_of(operand, self.shapes.dtype(each))

    def _taken(self, each: Expression) -> str:
        """Return a number from another place of a row, or 0."""
        source, places = each.operands[0], array_of(each.operands[1])
        row, start = self._row(source), int(places[0])
        if start >= 0 and (np.diff(places) == 1).all():
            return f"{row}[{start} + j]" if start else f"{row}[j]"
        place = self.arrays.number_of(places, np.int32)
        taken = f"{row}[{place}]"
        if (places >= 0).all():
            return taken
        return f"({place} < 0 ? {self._language(each).number(0)} : {taken})"

    def _interpolated(self, each: Expression) -> str:
        x, points, values = each.operands[0], *map(array_of, each.operands[1:])
        n, names = len(values), [self.arrays.name_of(a, np.float64) for a in (points, values)]
        at = self._language(each).start(names[0], f"j * {n}" if points.ndim == 2 else "")
        text = _bare(self.texts[id(x)])
        return f"{self.arrays.prefix}interpolated({text}, {at}, {names[1]}, {n})"

    def _local(self, lines: list[str], each: Expression, text: str) -> str:
        name = f"t{self.n_locals}"
        self.n_locals += 1
        lines.append(f"{self._language(each).constant}{name} = {_bare(text)};")
        return name


_STATEMENTS: dict[str, Callable[[Writer, Expression, str], None]] = {
    "matmul": Writer._product,
    "products": Writer._product,
    "joined": Writer._joined,
    "member_softmax": Writer._softmax,
    "member_mean": Writer._mean,
    "looked_up": Writer._look_up,
}
"""Operation of `WHOLE` -> what writes it."""


def _period_of(vector: np.ndarray) -> int:
    """Return after how many numbers a long vector repeats itself, its length if it does not."""
    n = len(vector)
    if n < _LONG:
        return n
    periods = (period for period in range(1, n // 2 + 1) if n % period == 0)
    return next((p for p in periods if (vector.reshape(-1, p) == vector[:p]).all()), n)


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
