"""Interpretation of a cell's text as a missing value or a number.

All functions take the *distinct* texts of a column, as a polars series.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastmlp.datasets.wording import joined

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MARKERS", "UNMISTAKABLE", "Numbers", "parse_numbers", "unit_of"]

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
_EITHER = r"^[1-9]\d{0,2},\d{3}$"
"""Ambiguous: thousands or three decimals; the other cells of the column must decide."""


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
    decimal_comma : bool
        Whether commas were read as decimal.
    percent : bool
        Whether some have a percent sign.

    """

    values: "pl.Series"
    style: str
    doubt: str
    amounts: bool
    decimal_comma: bool
    percent: bool


def parse_numbers(
    texts: "pl.Series",
    *,
    european: bool = False,
    decimal_comma: bool | None = None,
    unit: str = "",
) -> Numbers:
    """Read texts as numbers.

    Besides plain numbers, it accepts a leading ``+``; thousands separated by commas, spaces or
    apostrophes; a currency before or after the number; ``1.5%``, read as 0.015; and the
    accountants' ``(3.50)``, read as -3.5. Commas are decimal (``1.234,5``) if some text can be
    read in no other way and all texts can be read in this way.

    Parameters
    ----------
    texts : polars.Series
        Distinct texts without surrounding whitespace.
    european : bool, default False
        Whether to read ``1,234`` as 1.234, with a doubt, rather than as 1234 if no other text in
        the column decides it.
    decimal_comma : bool, optional
        Whether commas are decimal, if earlier texts of the same column have decided it.
    unit : str, default ""
        What may follow a number, see `unit_of`.

    """
    import polars as pl

    if unit:
        texts = texts.str.strip_suffix(unit).str.strip_chars_end()
    cells = _taken_apart(texts)
    comma_only = bool((cells["comma"] & ~cells["plain"] & ~cells["grouped"]).any())
    comma_never = bool(((cells["plain"] | cells["grouped"]) & ~cells["comma"]).any())
    undecided = not comma_only and not comma_never and bool(cells["either"].any())
    if decimal_comma is None:
        decimal_comma = (comma_only and not comma_never) or (undecided and european)
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
        currencies=pl.col("currency").filter(pl.col("currency") != "").n_unique(),
        percent=pl.col("percent").any(),
        no_percent=(~pl.col("percent") & (pl.col("value") != 0)).any(),
        grouped=(pl.col("grouped") & ~pl.col("plain")).any(),
        parentheses=pl.col("parentheses").any(),
        cents=body.str.contains(r"[.,]\d\d$").any(),
    ).row(0, named=True)
    styles = {
        "currencies": found["currencies"] > 0,
        "percent signs (1% is 0.01)": found["percent"],
        "decimal commas": decimal_comma,
        "thousands separators": found["grouped"] and not decimal_comma,
        "parentheses for minus": found["parentheses"],
        f"the unit {unit!r}": unit != "",
    }
    doubts = []
    if undecided and european:
        example = cells.filter("either")["body"][0]
        doubts.append(f"is read with the comma in {example!r} as a decimal comma")
    if found["percent"] and found["no_percent"]:
        doubts.append("has a percent sign (1% is 0.01) in only some cells")
    if found["currencies"] > 1:
        doubts.append("mixes currencies")
    written = " and ".join(style for style, used in styles.items() if used)
    return Numbers(
        cells["value"],
        f"written with {written}" if written else "",
        joined(doubts),
        bool(found["currencies"] or found["percent"] or found["cents"]),
        decimal_comma,
        bool(found["percent"]),
    )


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
            currency=currency,
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
