"""What the text of a cell can mean: nothing, or a number.

Everything here works on the *different* texts of a column, as a polars series.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MARKERS", "UNMISTAKABLE", "Numbers", "parse_numbers"]

UNMISTAKABLE = frozenset(
    (
        *("?", "nan", "<na>", "n.a.", "n.a"),
        *("#n/a", "#na", "#n/a!", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!"),
    )
)
"""Texts, in lower case, that mean a missing value in any column."""

MARKERS = UNMISTAKABLE | frozenset(("na", "n/a", "null", "none", "missing", "-", "--", "."))
"""Texts that mean a missing value among numbers; among texts these may be words of their own."""

_SYMBOLS = r"(?:US\$|\p{Sc}|(?i:EUR|USD|GBP|CHF|JPY))"
_CELL = (
    r"^(?P<open>\(?)\s*(?P<sign>[+-]?)\s*(?P<before>" + _SYMBOLS + r"?)\s*(?P<sign2>[+-]?)\s*"
    r"(?P<body>[\d.,'\x{2019} ]*\d[\d.,]*(?:[eE][+-]?\d+)?)"
    r"\s*(?P<percent>%?)(?P<after>" + _SYMBOLS + r"?)\s*(?P<close>\)?)$"
)
_PLAIN = r"^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_GROUPED = r"^[1-9]\d{0,2}(?:(?:,\d{3})+|(?: \d{3})+|(?:['\x{2019}]\d{3})+)(?:\.\d*)?$"
_COMMA = r"^(?:\d+|[1-9]\d{0,2}(?:(?:\.\d{3})+|(?: \d{3})+|(?:['\x{2019}]\d{3})+))(?:,\d+)?$"
_EITHER = r"^[1-9]\d{0,2},\d{3}$"
"""Thousands or three decimals: the other cells of the column have to tell."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """Texts as numbers.

    Attributes
    ----------
    values : polars.Series of float64
        Null where a text is no number.
    style : str
        How they are written, in words, where it is not plainly: "with currency signs".
    doubt : str
        What may be wrong about it, or empty.
    amounts : bool
        Whether they are amounts by the look of them: with a currency, a percent sign, or cents.

    """

    values: "pl.Series"
    style: str
    doubt: str
    amounts: bool


def parse_numbers(texts: "pl.Series", *, european: bool = False) -> Numbers:
    """Read texts as numbers.

    Besides plain numbers these are: a leading ``+``; thousands divided by commas, blanks or
    apostrophes; a currency before or after; ``1.5%``, which is 0.015; ``(3.50)``, which is -3.5 as
    accountants write it. Commas are decimal (``1.234,5``) where some text can be read in no other
    way and every text can be read in this one.

    Parameters
    ----------
    texts : polars.Series
        Different texts without surrounding blanks.
    european : bool, default False
        Whether ``1,234`` is 1.234 where nothing else in the column tells, which is then doubtful;
        otherwise it is 1234.

    """
    import polars as pl

    cells = _taken_apart(texts)
    comma_only = bool((cells["comma"] & ~cells["plain"] & ~cells["grouped"]).any())
    comma_never = bool(((cells["plain"] | cells["grouped"]) & ~cells["comma"]).any())
    undecided = not comma_only and not comma_never and bool(cells["either"].any())
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
    # "inf" and "-Infinity" are numbers too, though none that can be used.
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
    }
    doubts = []
    if undecided and european:
        example = cells.filter("either")["body"][0]
        doubts.append(f"takes the comma of {example!r} for a decimal one")
    if found["percent"] and found["no_percent"]:
        doubts.append("has a percent sign (1% is 0.01) in some cells only")
    if found["currencies"] > 1:
        doubts.append("mixes currencies")
    written = " and ".join(style for style, used in styles.items() if used)
    return Numbers(
        cells["value"],
        f"written with {written}" if written else "",
        " and ".join(doubts),
        bool(found["currencies"] or found["percent"] or found["cents"]),
    )


def _taken_apart(texts: "pl.Series") -> "pl.DataFrame":
    """Return sign, currency, digits, ... of each text, and how the digits can be read."""
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
