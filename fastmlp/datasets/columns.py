"""Interpretation of a table's columns as numbers, moments or categories, or as useless."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from fastmlp.common.errors import argument, counted, printable
from fastmlp.datasets.cells import NumberFormat, Numbers, parse_numbers, unit_of
from fastmlp.datasets.column import Column, ReadAs, RowNumbers, Rules
from fastmlp.datasets.moments import look_like_dates, parse_moments
from fastmlp.datasets.texts import Texts, texts_of
from fastmlp.datasets.wording import about_case, joined, short

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "about_odd",
    "looked_up",
    "read_categories",
    "read_columns",
    "read_numbers",
    "read_values",
    "require_finite",
]

MOSTLY = 0.9
"""A column is numeric if this share of its distinct texts are numbers; likewise for moments."""

FEW = 20
"""Up to this many distinct texts are categories, even if each row has a different one."""

CELLS_AT_ONCE = 1 << 20

EXACT = float(1 << 53)
"""From here on, different whole numbers may be the same float64."""

ID_NAMES = frozenset(
    (
        *("id", "ids", "uid", "uuid", "idx", "index", "key", "no", "nr"),
        *("row", "rowid", "rowname", "rownames", "rownum", "rownumber"),
        "unnamed",  # pandas calls a nameless column "Unnamed: 0"
    )
)
NAMELESS_FIRST = "column 1"
"""What `records` calls a nameless first column, in which R and pandas write row names."""


def read_columns(names: Sequence[str], cells: "pl.DataFrame", rules: Rules) -> Iterator[Column]:
    """Yield the columns of a data frame of texts.

    Among the distinct texts that do not mean a missing value, if nine in ten are numbers (see
    `cells.parse_numbers`), the column is *numeric*; the others count as missing, and the column
    is doubtful. If nine in ten are dates or times, it holds *moments*. Otherwise it holds
    *categories*. It is *left out* if it has no values or a single one, just numbers the rows, or
    has a different text in nearly every row.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    cells : polars.DataFrame of texts
        Null if a cell is empty.
    rules : Rules

    """
    at_once = max(1, CELLS_AT_ONCE // max(1, cells.height))
    for start in range(0, len(names), at_once):
        part = cells[:, start : start + at_once]
        yield from _read_together(names[start : start + at_once], part, rules)


def _read_together(names: Sequence[str], cells: "pl.DataFrame", rules: Rules) -> Iterator[Column]:
    """Convert plain numbers in all columns at once, as there may be thousands of columns."""
    import polars as pl

    everything = pl.concat(cells.get_columns())
    numbers = everything.cast(pl.Float64, strict=False)
    shape = (cells.width, cells.height)
    odd = (numbers.is_null() & everything.is_not_null()).to_numpy().reshape(shape).any(axis=1)
    del everything
    odd |= bool(rules.missing)
    odd |= np.array([name in rules.categorical for name in names])
    table = numbers.to_numpy().reshape(shape)
    odd |= (np.abs(table) >= EXACT).any(axis=1)
    texts = None
    if odd.any():
        texts = texts_of(cells.select(pl.nth(np.flatnonzero(odd).tolist())), rules.missing)
    for place, name in enumerate(names):
        if texts is not None and odd[place]:
            yield _read_texts(name, next(texts), rules)
        else:
            yield read_values(name, table[place], rules)


def _read_texts(name: str, texts: Texts, rules: Rules) -> Column:
    if name in rules.categorical:
        return read_categories(name, texts)
    candidates = np.flatnonzero(~texts.markers)
    if not len(candidates):
        return read_values(name, np.full(texts.n_rows, np.nan), rules)
    if not texts.with_digits[candidates].any() and name not in rules.numeric:
        return _read_words(name, texts)
    different = texts.different.gather(candidates)
    numbers = read_numbers(different, rules.european)
    if name not in rules.numeric and _blurred(different, numbers.values):
        return _read_long_numbers(name, texts)
    if name in rules.numeric or _share(numbers.values.is_not_null()) >= MOSTLY:
        values, odd = looked_up(texts, candidates, numbers.values)
        doubts = [numbers.doubt, about_odd(texts, odd, "numbers", rules.rows)]
        column = read_values(name, values, rules, numbers.style, doubts)
        return replace(column, written=numbers.written)
    moments = parse_moments(different)
    if moments is not None:
        values, odd = looked_up(texts, candidates, moments.values)
        doubts = [moments.doubt, about_odd(texts, odd, "dates", rules.rows)]
        column = read_values(name, values, rules, moments.style, doubts, kind="moment")
        return replace(column, written=moments.format)
    if _share(numbers.values.is_not_null()) > 0.5:
        remedy = f"{argument('numeric', [name])} reads them as missing"
        return _read_words(name, texts, _mixture(different, numbers.values.is_null(), remedy))
    if len(texts) > FEW:
        return _read_dates(name, texts, different)
    return _read_words(name, texts)


def read_numbers(
    different: "pl.Series", european: bool | None, before: NumberFormat | None = None
) -> Numbers:
    """Return the numbers of a column's distinct texts, which may have a unit.

    See `parse_numbers` for the arguments.
    """
    unit = "" if before is None else before.unit
    numbers = parse_numbers(different, european=european, unit=unit, before=before)
    if unit or _share(numbers.values.is_not_null()) >= MOSTLY or not (unit := unit_of(different)):
        return numbers
    return parse_numbers(different, european=european, unit=unit, before=before)


def _share(true: "pl.Series") -> float:
    return cast(float, true.mean())


def _mixture(different: "pl.Series", odd: "pl.Series", remedy: str, kind: str = "numbers") -> str:
    return (
        f"is read as categories, since it holds texts such as {short(different.filter(odd)[0])} "
        f"among its {kind}: {remedy}"
    )


def _read_words(name: str, texts: Texts, doubt: str = "") -> Column:
    """Return categories, or leave out what is different in nearly every row."""
    if not _nearly_all_differ(texts):
        return read_categories(name, texts, doubt)
    what = f"a different text in nearly every row, such as {short(texts.different[0])}"
    doubt = f"is left out, since it has {what}: {argument('categorical', [name])} uses it"
    return _left_out(name, what, doubt)


def _read_dates(name: str, texts: Texts, different: "pl.Series") -> Column:
    """Return dates that no single notation fits, or other words, as categories."""
    dates = look_like_dates(different)
    if _share(dates) >= MOSTLY:
        return _read_mixed_dates(name, texts, different)
    some = _share(dates) > 0.5
    return _read_words(
        name, texts, _mixture(different, ~dates, "leave them empty", "dates") if some else ""
    )


def _read_mixed_dates(name: str, texts: Texts, different: "pl.Series") -> Column:
    """Return dates that no single notation fits as categories, or leave them out."""
    shapes = different.str.replace_all(r"\d+", "0").str.replace_all(r"[A-Za-z]+", "a")
    others = different.filter(shapes != shapes[0])
    examples = f"{short(different[0])} and {short(others[0] if len(others) else different[-1])}"
    why = f"since its dates are written in several ways, such as {examples}: write all in one way"
    if _nearly_all_differ(texts):
        what = f"dates written in several ways, such as {examples}"
        return _left_out(name, what, f"is left out, {why}")
    return read_categories(name, texts, f"is read as categories, {why}")


def _nearly_all_differ(texts: Texts) -> bool:
    return len(texts) > FEW and len(texts) >= MOSTLY * (texts.codes >= 0).sum()


def _blurred(different: "pl.Series", values: "pl.Series") -> bool:
    """Tell whether whole numbers are so long that float64 makes different ones the same."""
    if not (values.abs() >= EXACT).any():
        return False
    whole = different.str.contains(r"^[+-]?\d+$").all()
    return bool(whole) and values.n_unique() < len(set(map(int, different)))


def _read_long_numbers(name: str, texts: Texts) -> Column:
    """Return whole numbers that float64 blurs as categories, or leave identifiers out."""
    if _nearly_all_differ(texts):
        what = f"a different whole number in nearly every row, such as {texts.different[0]}"
        doubt = f"is left out, since it has {what}: {argument('categorical', [name])} uses it"
        return _left_out(name, what, doubt)
    doubt = (
        f"is read as categories, since it holds whole numbers that are too long to tell apart as "
        f"numbers, such as {texts.different[0]}: {argument('numeric', [name])} rounds them"
    )
    return read_categories(name, texts, doubt)


def looked_up(
    texts: Texts, places: np.ndarray, values: "pl.Series"
) -> tuple[np.ndarray, np.ndarray]:
    """Return a float64 value for each row, and the indices of the texts that have no value.

    Parameters
    ----------
    texts : Texts
    places : int ndarray of shape (K,)
        Indices of the texts that were parsed; all other texts become NaN.
    values : polars.Series of shape (K,)
        Their values, null if a text has none.

    """
    parsed = values.to_numpy()
    table = np.full(len(texts), np.nan)
    table[places] = parsed
    return texts.looked_up(table, np.nan), places[np.isnan(parsed)]


def about_odd(texts: Texts, odd: np.ndarray, kind: str, rows: RowNumbers = None) -> str:
    """Say which texts of a column of numbers or dates count as missing; "" if none do."""
    if not len(odd):
        return ""
    shown = ", ".join(short(texts.different[int(place)]) for place in odd[:3])
    more = f" and {len(odd) - 3} more" if len(odd) > 3 else ""
    return (
        f"is read as {kind}, and other values count as missing: {shown}{more}, first in data row "
        f"{_first(np.isin(texts.codes, odd), rows)[1]}"
    )


def _first(found: np.ndarray, rows: RowNumbers) -> tuple[int, int]:
    """Return the place of the row that comes first in the file, and its number from 1."""
    places = np.flatnonzero(found)
    numbers = places if rows is None else np.asarray(rows)[places]
    first = int(numbers.argmin())
    return int(places[first]), int(numbers[first]) + 1


def read_values(
    name: str,
    values: np.ndarray,
    rules: Rules,
    style: str = "",
    doubts: Sequence[str] = (),
    kind: Literal["number", "moment"] = "number",
) -> Column:
    """Return a column of numbers, or leave it out if they carry no information."""
    low, high = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
    if np.isnan(low):
        return _left_out(name, "without values")
    require_finite(name, values, f"{argument('drop', [name])} leaves the column out", rules.rows)
    if low == high:
        what = f"the same value {low:g} in every row"
        return _left_out(name, what, "", _narrow(values), fallback=True)
    n_missing = int(np.isnan(values).sum())
    if not n_missing and name not in rules.numeric and kind == "number":
        what = _row_number(name, values, low, high)
        if what:
            doubt = f"is left out, since it {what}: {argument('numeric', [name])} uses it"
            return _left_out(name, what, doubt, _narrow(values), fallback=True)
    missing = f"{n_missing:,} missing" if n_missing else ""
    how = ", ".join(filter(None, (style, missing)))
    doubt = joined(doubts)
    if doubt and kind == "number":
        doubt += f" ({argument('categorical', [name])} keeps texts)"
    return Column(ReadAs(name, kind, how, doubt), _narrow(values))


def require_finite(name: str, values: np.ndarray, remedy: str, rows: RowNumbers = None) -> None:
    """Raise ValueError if a number of a column is beyond float32, and say what to do."""
    beyond = np.abs(values) > float(np.finfo(np.float32).max)
    if beyond.any():
        place, row = _first(beyond, rows)
        raise ValueError(
            f"the column {printable(name)!r} must hold finite float32 numbers, got "
            f"{values[place]:g} in data row {row}: {remedy}"
        )


def _narrow(values: np.ndarray) -> np.ndarray:
    """Return the values in the narrowest float dtype that is exact, to save memory."""
    for dtype in (np.float16, np.float32):
        with np.errstate(over="ignore"):
            if not np.array_equal(values[:100].astype(dtype), values[:100], equal_nan=True):
                continue
            narrow = values.astype(dtype)
        if np.array_equal(narrow, values, equal_nan=True):
            return narrow
    return values.copy()


def _row_number(name: str, values: np.ndarray, low: float, high: float) -> str:
    """Say in words how the values merely number the rows; return "" if they do not."""
    n_rows = len(values)
    counts = low in (0, 1) and high == low + n_rows - 1
    words = re.sub(r"[ .:_]+", "_", name.lower()).strip("_").split("_")
    named = words[-1] in ID_NAMES or words[0] in ID_NAMES or name.endswith(("Id", "ID"))
    named |= name == NAMELESS_FIRST
    if n_rows < 5 or not (counts or named):
        return ""
    ordered = np.sort(values)
    if (ordered[1:] == ordered[:-1]).any() or (ordered != np.floor(ordered)).any():
        return ""
    return "only numbers the rows" if counts else "has a different whole number in every row"


def read_categories(name: str, texts: Texts, doubt: str = "") -> Column:
    """Return a column of categories, or leave it out if it has a single one."""
    missing = texts.unmistakable
    names = np.array(texts.spelled(), object)
    known = np.flatnonzero(~missing)
    ordered = known[np.argsort(names[known])]
    has_missing = bool(missing.any() or (texts.codes < 0).any())
    if len(known) + has_missing < 2:
        return _left_out(
            name, f"the same text {short(names[0])} in every row" if len(known) else ""
        )
    table = np.zeros(len(texts), np.int32)
    table[ordered] = np.arange(len(ordered)) + has_missing
    codes = texts.looked_up(table, 0)
    categories = tuple(names[ordered])
    how = counted(len(categories), "text")
    doubt = joined([doubt, about_case(categories, "texts")])
    if has_missing:
        categories = ("", *categories)
        how += f", {int((codes == 0).sum()):,} missing"
    return Column(ReadAs(name, "category", how, doubt), codes, categories)


def _left_out(
    name: str, why: str, doubt: str = "", values: Any = None, *, fallback: bool = False
) -> Column:
    empty = np.empty(0, np.float32) if values is None else values
    return Column(ReadAs(name, "left out", why or "without values", doubt), empty, None, fallback)
