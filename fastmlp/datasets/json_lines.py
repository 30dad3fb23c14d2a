"""Tables in JSON lines: an object for each row, whose names are the columns."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp.common.errors import printable

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_json_lines"]


def read_json_lines(text: bytes, path: Path, n_before: int = 0) -> "pl.DataFrame":
    """Return the rows of a file, or of whole lines of it.

    A column has the type of all its values: fractions may follow whole numbers, and texts numbers.
    What polars refuses but people write is read by Python's json module: ``NaN``, which counts as
    missing, and truth values among numbers or texts, which become texts.

    Parameters
    ----------
    text : bytes
        UTF-8.
    path : Path
        For messages.
    n_before : int, default 0
        Number of lines of the file that come before, for messages.

    Raises
    ------
    ValueError
        If a line is not a JSON object, or a column holds objects or lists in only some rows.

    """
    import polars as pl

    try:
        return pl.read_ndjson(text, infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        rows = list(_objects(text, path, n_before))
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: _of_one_kind(name, [row.get(name) for row in rows], path) for name in names}
    return pl.DataFrame(columns, infer_schema_length=None, strict=False)


def _objects(text: bytes, path: Path, n_before: int) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split(b"\n"), n_before + 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=_constant)
        except ValueError as error:
            told = f"is not JSON ({printable(str(error).partition(':')[0])})"
        else:
            if isinstance(row, dict):
                yield row
                continue
            told = 'must hold an object such as {"age": 31, "city": "Bern"}'
        raise ValueError(
            f"line {number} of '{path}' {told}: a table in JSON has an object in each line"
        )


def _constant(name: str) -> None:
    """Return None for NaN."""
    if name != "NaN":
        raise ValueError(f"{name} is not a finite number")


def _of_one_kind(name: str, values: list[Any], path: Path) -> list[Any]:
    """Return the values of a column; truth values and numbers beside others become texts."""
    kinds = {type(value) for value in values if value is not None}
    nested = kinds & {dict, list}
    if nested and kinds - nested:
        raise ValueError(
            f"the column {printable(name)!r} of '{path}' holds lists or objects in some rows and "
            "plain values in others"
        )
    if nested or len(kinds) < 2 or kinds == {int, float}:
        return values
    return [
        value if value is None or isinstance(value, str) else json.dumps(value) for value in values
    ]
