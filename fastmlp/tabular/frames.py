"""The columns of any data frame or array, as numbers, moments or texts."""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastmlp.common.errors import argument, printable
from fastmlp.datasets.column import RowNumbers
from fastmlp.datasets.columns import EXACT

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "RawColumn",
    "collected",
    "column_names",
    "count_rows",
    "has_names",
    "is_frame",
    "is_missing",
    "raw_columns",
    "spelled_number",
    "texts",
    "unmasked",
]

Kind = Literal["number", "moment", "span", "text", "category"]

_MICROSECONDS = 1e6


@dataclass(frozen=True, eq=False)
class RawColumn:
    """One column as it came.

    Attributes
    ----------
    name : str
    kind : {"number", "moment", "span", "text", "category"}
        Moments are seconds since 1970, spans are seconds. A category is a text that its type says
        is one, or a truth value; other texts may turn out to be numbers or dates.
    values : ndarray of float64, or polars.Series of texts
        NaN or null if missing.
    rows : sequence of int, or None
        The numbers of the rows in the user's table, for messages; see `datasets.columns.Rules`.
    quiet : bool
        Whether to give no warnings about the column.
    european : bool, or None
        Whether a comma in a text may be decimal, since it does not separate cells; None if nothing
        is known.

    """

    name: str
    kind: Kind
    values: Any
    rows: RowNumbers = None
    quiet: bool = False
    european: bool | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)


def is_frame(X: Any) -> bool:
    """Return whether X has named columns: a data frame or table that narwhals reads."""
    return _as_frame(X) is not None


def has_names(X: Any) -> bool:
    """Return whether X has columns with names that are texts."""
    frame = _as_frame(X)
    return frame is not None and all(isinstance(name, str) for name in frame.columns)


def collected(X: Any) -> Any:
    """Return a frame of the same library with its rows in memory."""
    import narwhals as nw

    frame = nw.from_native(X, pass_through=True)
    return X if isinstance(frame, nw.DataFrame) else nw.to_native(_as_frame(X))


def unmasked(X: Any) -> Any:
    """Return the values of a masked array with NaN or None where they are masked; others as is."""
    if not isinstance(X, np.ma.MaskedArray):
        return X
    if X.dtype.kind in "fiub":
        return np.ma.filled(X.astype(np.result_type(X.dtype, np.float16)), np.nan)
    return np.ma.filled(X.astype(object), None)


def column_names(X: Any) -> list[str]:
    """Return the names of the columns; those of an array are ``x0``, ``x1``, ...

    Raises
    ------
    ValueError
        If two columns have the same name, or an array does not have two axes.

    """
    frame = _as_frame(X)
    if frame is None:
        return [f"x{place}" for place in range(_matrix(X).shape[1])]
    return _require_unique(frame.columns)


def count_rows(X: Any) -> int:
    """Return the number of rows."""
    frame = _as_frame(X)
    return len(_matrix(X)) if frame is None else len(frame)


def raw_columns(X: Any, names: Sequence[str] | None = None) -> Iterator[RawColumn]:
    """Yield columns of a data frame or array.

    Parameters
    ----------
    X : data frame or array_like of shape (N, D)
        A frame of pandas, polars, pyarrow or any other library that narwhals reads; lazy ones are
        collected. Arrays may hold numbers, dates, texts or objects.
    names : sequence of str, optional
        The columns to return, in this order. Default: all.

    Raises
    ------
    TypeError
        If a column holds something that is no number, text, truth value, date or time.
    ValueError
        If a column is missing, or two have the same name.

    """
    known = column_names(X)
    wanted = known if names is None else list(names)
    places = {name: place for place, name in enumerate(known)}
    lacking = [name for name in wanted if name not in places]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise ValueError(
            f"the table lacks the column {printable(lacking[0])!r}{more}, which was there in "
            "training"
        )
    frame = _as_frame(X)
    array = None if frame is not None else _matrix(X)
    for name in wanted:
        if frame is None:
            assert array is not None, "what is no frame is a matrix"
            yield _of_array(name, array[:, places[name]])
        else:
            yield _of_series(name, frame[:, places[name]])


def _as_frame(X: Any) -> Any:
    """Return a narwhals data frame, or None if X is something else."""
    if isinstance(X, np.ndarray | list | tuple):
        return None
    try:
        import narwhals as nw
    except ImportError:
        if hasattr(X, "columns") or hasattr(X, "column_names"):
            raise ImportError(
                "data frames are read through narwhals, which is not installed: "
                'pip install "fastmlp[tables]"'
            ) from None
        return None
    if type(X).__name__ == "RecordBatch" and type(X).__module__.startswith("pyarrow"):
        import pyarrow

        X = pyarrow.Table.from_batches([X])  # narwhals reads tables
    try:
        frame = nw.from_native(X, pass_through=True)
    except nw.exceptions.DuplicateError:
        _require_unique(getattr(X, "column_names", X.columns))  # of pyarrow, columns are values
        raise
    if isinstance(frame, nw.LazyFrame):
        return frame.collect()
    return frame if isinstance(frame, nw.DataFrame) else None


def _require_unique(names: Iterable[Any]) -> list[str]:
    """Return the names as texts; raise ValueError if two are the same."""
    seen: dict[str, None] = {}
    for name in map(str, names):
        if name in seen:
            raise ValueError(f"two columns of the table are named {printable(name)!r}: rename one")
        seen[name] = None
    return list(seen)


def _matrix(X: Any) -> np.ndarray:
    array = np.asarray(unmasked(X))
    if array.ndim != 2:
        raise ValueError(
            f"X must be a data frame or an array of rows and columns, got shape {array.shape}"
        )
    return array


def _of_array(name: str, values: np.ndarray) -> RawColumn:
    match values.dtype.kind:
        case "f" | "i" | "u" | "b":
            floats = values.astype(np.float64)
            is_long = values.dtype.kind in "iu" and _any_long(floats)
            return _long(name, values.tolist()) if is_long else RawColumn(name, "number", floats)
        case "M" | "m":
            seconds = values.astype(f"{values.dtype.kind}8[us]").astype(np.int64) / _MICROSECONDS
            seconds[np.isnat(values)] = np.nan
            return RawColumn(name, "moment" if values.dtype.kind == "M" else "span", seconds)
        case "U":
            return RawColumn(name, "text", texts(values.tolist()))
        case "O":
            return _of_objects(name, [None if is_missing(v) else v for v in values.tolist()])
    raise TypeError(f"the column {name!r} must hold numbers, texts or dates, got {values.dtype}")


def _of_series(name: str, series: Any) -> RawColumn:
    import narwhals as nw

    dtype = series.dtype
    if dtype.is_numeric():
        floats = _floats(series)
        is_long = dtype.is_integer() and _any_long(floats)
        return _long(name, _objects(series)) if is_long else RawColumn(name, "number", floats)
    if dtype == nw.Boolean:
        return _of_objects(name, _objects(series))
    if dtype == nw.Datetime or dtype == nw.Date:
        moments = series if dtype == nw.Datetime else series.cast(nw.Datetime("us"))
        return RawColumn(name, "moment", _floats(moments.dt.timestamp("us")) / _MICROSECONDS)
    if dtype == nw.Duration:
        return RawColumn(name, "span", _floats(series.dt.total_microseconds()) / _MICROSECONDS)
    if dtype == nw.Categorical or dtype == nw.Enum:
        return RawColumn(name, "category", texts(map(_spelled, _objects(series))))
    if dtype == nw.String:
        return RawColumn(name, "text", texts(_objects(series)))
    return _of_objects(name, _objects(series))


def _floats(series: Any) -> np.ndarray:
    import narwhals as nw

    values = np.array(series.cast(nw.Float64).to_numpy(), np.float64)
    values[series.is_null().to_numpy()] = np.nan
    return values


def _objects(series: Any) -> list[Any]:
    """Return the values as Python objects, None if missing."""
    values, missing = series.to_list(), series.is_null().to_list()
    return [None if gone else value for value, gone in zip(values, missing, strict=True)]


def _of_objects(name: str, values: list[Any]) -> RawColumn:
    """Return a column of Python objects, which may be mixed."""
    kinds = {type(value) for value in values if value is not None}
    if kinds and all(issubclass(kind, bool | np.bool_) for kind in kinds):
        return RawColumn(name, "category", texts(map(_spelled, values)))
    if kinds and all(issubclass(kind, Real | Decimal) for kind in kinds):
        floats = _numbers(values, float)
        is_long = all(issubclass(kind, Integral) for kind in kinds) and _any_long(floats)
        return _long(name, values) if is_long else RawColumn(name, "number", floats)
    if kinds and all(issubclass(kind, datetime.date) for kind in kinds):
        return RawColumn(name, "moment", _numbers(values, _since_1970))
    if kinds and all(issubclass(kind, datetime.time | datetime.timedelta) for kind in kinds):
        return RawColumn(name, "span", _numbers(values, _seconds))
    for kind in kinds:
        if not issubclass(kind, str | bytes | Real | Decimal | datetime.date | datetime.time):
            raise TypeError(
                f"the column {printable(name)!r} must hold numbers, texts or dates, got values of "
                f"type {kind.__name__}: make several columns of it, or leave it out with "
                f"{argument('drop', [name])}"
            )
    return RawColumn(name, "text", texts(map(_spelled, values)))


def _any_long(values: np.ndarray) -> bool:
    return bool((np.abs(values) >= EXACT).any())


def _long(name: str, values: Iterable[Any]) -> RawColumn:
    """Return whole numbers of which float64 would make different ones the same, as texts."""
    return RawColumn(name, "text", texts(None if v is None else str(int(v)) for v in values))


def _numbers(values: Sequence[Any], convert: Any) -> np.ndarray:
    return np.array([np.nan if value is None else convert(value) for value in values], np.float64)


def _since_1970(value: datetime.date) -> float:
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.UTC)
    return value.timestamp()


def _seconds(value: datetime.time | datetime.timedelta) -> float:
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    return 3600 * value.hour + 60 * value.minute + value.second + value.microsecond / _MICROSECONDS


def is_missing(value: Any) -> bool:
    """Tell whether an object is None, NaN, or a library's own missing value."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA has no truth value; neither have arrays
        return type(value).__name__ == "NAType"


def _spelled(value: Any) -> str | None:
    """Return an object as a text: whole numbers are the same with and without a decimal point."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, Real):
        return spelled_number(float(value))
    return str(value)


def spelled_number(value: float) -> str:
    """Return a number as a text, without a point if it is whole."""
    return str(int(value)) if value.is_integer() else repr(value)


def texts(values: Iterable[str | None]) -> "pl.Series":
    """Return texts, or None, as a polars series."""
    try:
        import polars as pl
    except ImportError:
        raise ImportError(
            "columns of texts are read with polars, which is not installed: "
            'pip install "fastmlp[tables]"'
        ) from None
    return pl.Series(values=list(values), dtype=pl.String)
