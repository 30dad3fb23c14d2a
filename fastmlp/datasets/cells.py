"""Interpretation of a cell's text as a missing value or a number.

All functions take the *distinct* texts of a column, as a polars series.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastmlp.datasets.wording import joined

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MARKERS", "UNMISTAKABLE", "NumberFormat", "Numbers", "parse_numbers", "unit_of"]

UNMISTAKABLE = frozenset(
    (
        *("?", "nan", "<na>", "n.a.", "n.a"),
        *("#n/a", "#na", "#n/a!", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!"),
    )
)
"""Texts, in lower case, that mean a missing value in any column."""

MARKERS = UNMISTAKABLE | frozenset(("na", "n/a", "null", "none", "missing", "-", "--", "."))
"""Texts that mean a missing value in a column of numbers; elsewhere they may be real values."""

_SYMBOLS = r"(?:US\$|\p{Sc}|(?i:EUR|USD|GBP|CHF|JPY))"
_CELL = (
    r"^(?P<open>\(?)\s*(?P<sign>[+-]?)\s*(?P<before>" + _SYMBOLS + r"?)\s*(?P<sign2>[+-]?)\s*"
    r"(?P<body>[\d.,'\x{2019} ]*\d[\d.,]*(?:[eE][+-]?\d+)?)"
    r"\s*(?P<percent>%?)(?P<after>" + _SYMBOLS + r"?)\s*(?P<close>\)?)$"
)
_PLAIN = r"^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_GROUPED = r"^[1-9]\d{0,2}(?:(?:,\d{3})+|(?: \d{3})+|(?:['\x{2019}]\d{3})+)(?:\.\d*)?$"
_COMMA = r"^(?:\d+|[1-9]\d{0,2}(?:(?:\.\d{3})+|(?: \d{3})+|(?:['\x{2019}]\d{3})+))(?:,\d+)?$"
_WITH_UNIT = r"^[+-]?\d[\d.,'\x{2019} ]*([\p{L}°]\D*[23]?)$"  # such as kg, m2, W/m2
_WITH_UNIT_SHARE = 0.9
_GROUPED_WITH_COMMA = r"^[1-9]\d{0,2}[. '\x{2019}]\d{3}"
_EITHER = r"^[1-9]\d{0,2}[.,]\d{3}$"
"""Ambiguous: thousands or three decimals; the other cells of the column must decide."""

_CURRENCIES = {"US$": "$", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
"""Other ways to write a currency."""


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a column are written.

    Attributes
    ----------
    decimal_comma : bool
        Whether commas are decimal.
    grouped : bool
        Whether there are thousands separators.
    percent : bool
        Whether some have a percent sign.
    currency : str
        The sign of their currency; empty if there is none or more than one.
    unit : str
        What may follow a number, such as "kg".

    """

    decimal_comma: bool = False
    grouped: bool = False
    percent: bool = False
    currency: str = ""
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Numbers:
    """Texts that were read as numbers.

    Attributes
    ----------
    values : polars.Series of float64
        Null if a text is not a number.
    style : str
        A description of unusual notation, such as "written with currencies", or empty.
    doubt : str
        What may have been misread, or empty.
    amounts : bool
        Whether they look like amounts: with a currency, a percent sign, or cents.
    written : NumberFormat

    """

    values: "pl.Series"
    style: str
    doubt: str
    amounts: bool
    written: NumberFormat


def parse_numbers(
    texts: "pl.Series",
    *,
    european: bool | None = False,
    unit: str = "",
    before: NumberFormat | None = None,
) -> Numbers:
    """Read texts as numbers.

    Besides plain numbers, it accepts a leading ``+``; thousands separated by commas, spaces or
    apostrophes; a currency before or after the number; ``1.5%``, read as 0.015; and the
    accountants' ``(3.50)``, read as -3.5. Commas are decimal (``1.234,5``) if more texts can be
    read only in this way than only in the other.

    Parameters
    ----------
    texts : polars.Series
        Distinct texts without surrounding whitespace.
    european : bool or None, default False
        Whether to read ``1,234`` as 1.234, with a doubt, rather than as 1234 if no other text in
        the column decides it; None if nothing is known.
    unit : str, default ""
        What may follow a number, see `unit_of`.
    before : NumberFormat, optional
        How earlier texts of the same column were written, which decides what is ambiguous. What is
        written in another way now is read so, with a doubt.

    """
    import polars as pl

    if unit:
        texts = texts.str.strip_suffix(unit).str.strip_chars_end()
    cells = _taken_apart(texts)
    decimal_comma, doubt = _decimal_comma(cells, european, before)
    body = pl.col("body")
    if decimal_comma:
        digits = body.str.replace_all(r"[. '\x{2019}]", "").str.replace(",", ".", literal=True)
        known = pl.col("comma")
    else:
        digits = body.str.replace_all(r"[, '\x{2019}]", "")
        known = pl.col("plain") | pl.col("grouped")
    value = digits.cast(pl.Float64, strict=False)
    value = pl.when(pl.col("minus")).then(-value).otherwise(value)
    value = pl.when(pl.col("percent")).then(value / 100).otherwise(value)
    # The cast also accepts "inf" and "-Infinity", which callers then refuse.
    value = pl.coalesce(pl.when(known).then(value), texts.cast(pl.Float64, strict=False))
    cells = cells.with_columns(value=value)
    numbers = cells.filter(pl.col("value").is_not_null())
    found = numbers.select(
        currencies=pl.col("currency").filter(pl.col("currency") != "").unique().implode(),
        percent=pl.col("percent").any(),
        no_percent=(~pl.col("percent") & (pl.col("value") != 0)).any(),
        grouped=(
            body.str.contains(_GROUPED_WITH_COMMA) if decimal_comma else pl.col("grouped")
        ).any(),
        parentheses=pl.col("parentheses").any(),
        cents=body.str.contains(r"[.,]\d\d$").any(),
    ).row(0, named=True)
    currencies = found["currencies"]
    styles = {
        "currencies": len(currencies) > 0,
        "percent signs (1% is 0.01)": found["percent"],
        "decimal commas": decimal_comma,
        "thousands separators": found["grouped"] and not decimal_comma,
        "parentheses for minus": found["parentheses"],
        f"the unit {unit!r}": unit != "",
    }
    doubts = [doubt]
    if found["percent"] and found["no_percent"]:
        doubts.append("has a percent sign (1% is 0.01) in only some cells")
    if len(currencies) > 1:
        doubts.append("mixes currencies")
    style = " and ".join(style for style, used in styles.items() if used)
    written = NumberFormat(
        decimal_comma,
        bool(found["grouped"]),
        bool(found["percent"]),
        currencies[0] if len(currencies) == 1 else "",
        unit,
    )
    if before is not None and len(numbers):
        doubts += _changes(written, before)
    return Numbers(
        cells["value"],
        f"written with {style}" if style else "",
        joined(doubts),
        bool(currencies or found["percent"] or found["cents"]),
        written,
    )


def _decimal_comma(
    cells: "pl.DataFrame", european: bool | None, before: NumberFormat | None
) -> tuple[bool, str]:
    """Return whether commas are decimal, and what is doubtful about it."""
    import polars as pl

    normal = pl.col("plain") | pl.col("grouped")
    only_commas = cells.filter(pl.col("comma") & ~normal)["body"]
    only_points = cells.filter(normal & ~pl.col("comma"))["body"]
    usual = before is not None and before.decimal_comma
    if len(only_commas) == len(only_points):
        unclear = cells.filter("either")["body"]
        undecided = not len(only_commas) and len(unclear) > 0
        return _by_hints(unclear, european, before) if undecided else (usual, "")
    decimal_comma = len(only_commas) > len(only_points)
    if before is None or decimal_comma == usual:
        return decimal_comma, ""
    example = (only_commas if decimal_comma else only_points)[0]
    return decimal_comma, _as_decimal(example, decimal_comma)


def _by_hints(
    unclear: "pl.Series", european: bool | None, before: NumberFormat | None
) -> tuple[bool, str]:
    """Return the same for numbers such as 1,234 and 1.234, if nothing else decides about them."""
    commas, points = (unclear.filter(unclear.str.contains(mark, literal=True)) for mark in ",.")
    if before is None:
        if not european or not len(commas):
            return False, ""
        return True, f"is read with the comma in {commas[0]!r} as a decimal comma"
    of_commas, usual = len(commas) > 0, before.decimal_comma
    if (len(commas) and len(points)) or of_commas == usual:
        return usual, ""
    example = unclear[0]
    # A comma that separates cells is no decimal one. If nothing is known, training decides.
    decimal = not (of_commas or before.grouped) if european is None else european == of_commas
    if decimal:
        return of_commas, _as_decimal(example, of_commas)
    doubt = (
        f"is read with the {_MARKS[of_commas]} in {example!r} as a thousands separator, which it "
        "had not in training"
    )
    return usual, "" if before.grouped else doubt


_MARKS = ("point", "comma")


def _as_decimal(example: str, of_commas: bool) -> str:
    mark = _MARKS[of_commas]
    return f"is read with the {mark} in {example!r} as a decimal {mark}, unlike in training"


def _changes(now: NumberFormat, before: NumberFormat) -> Iterator[str]:
    """Yield what has changed in a column's numbers that may change what they mean."""
    if now.percent and not before.percent:
        yield "has percent signs (1% is 0.01), which it had not in training"
    if before.percent and not now.percent:
        yield "has no percent signs, which it had in training (1% is 0.01)"
    if now.currency and before.currency not in ("", now.currency):
        yield f"has the currency {now.currency}, and {before.currency} in training"
    if now.unit and not before.unit:
        yield f"has the unit {now.unit!r}, which it had not in training"


def unit_of(texts: "pl.Series") -> str:
    """Return the unit that follows nearly all numbers, such as ``kg``; "" if there is no such.

    Parameters
    ----------
    texts : polars.Series
        Distinct texts without surrounding whitespace.

    """
    units = texts.str.extract(_WITH_UNIT).drop_nulls()
    return units[0] if units.n_unique() == 1 and len(units) >= _WITH_UNIT_SHARE * len(texts) else ""


def _taken_apart(texts: "pl.Series") -> "pl.DataFrame":
    """Split each text into sign, currency, digits, ..., and tell how the digits can be read."""
    import polars as pl

    spelled = pl.col("text").str.replace_all("[\u00a0\u2007\u2009\u202f]", " ")
    spelled = spelled.str.replace_all("\u2212", "-", literal=True)
    signs, currency = pl.col("sign") + pl.col("sign2"), pl.col("before") + pl.col("after")
    opened, closed = pl.col("open") != "", pl.col("close") != ""
    sound = (
        (signs.str.len_chars() < 2)
        & ((pl.col("before") == "") | (pl.col("after") == ""))
        & (opened == closed)
        & (~opened | (signs == ""))
    )
    body = pl.col("body")
    return (
        pl.LazyFrame({"text": texts})
        .select(spelled.str.extract_groups(_CELL).alias("cell"))
        .unnest("cell")
        .select(
            pl.when(sound).then(body.str.strip_chars()).alias("body"),
            currency=currency.str.to_uppercase().replace(_CURRENCIES),
            minus=(signs == "-") | opened,
            percent=pl.col("percent") == "%",
            parentheses=opened,
        )
        .with_columns(
            plain=body.str.contains(_PLAIN),
            grouped=body.str.contains(_GROUPED),
            comma=body.str.contains(_COMMA),
            either=body.str.contains(_EITHER),
        )
        .collect()
    )
