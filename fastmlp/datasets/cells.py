"""What the text of a cell can mean: nothing, a number, a moment.

Everything here works on the *different* texts of a column, as a polars series.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MARKERS", "UNMISTAKABLE", "Moments", "Numbers", "parse_moments", "parse_numbers"]

UNMISTAKABLE = frozenset(
    "? nan <na> #n/a #na #n/a! #div/0! #value! #ref! #name? #num! #null! n.a. n.a".split()
)
"""Texts, in lower case, that mean a missing value in any column."""

MARKERS = UNMISTAKABLE | frozenset("na n/a null none missing - -- .".split())
"""Texts that mean a missing value among numbers; among texts these may be words of their own."""

_SYMBOLS = r"(?:US\$|\p{Sc}|(?i:EUR|USD|GBP|CHF|JPY))"
_CELL = (
    r"^(?P<open>\(?)\s*(?P<sign>[+-]?)\s*(?P<before>" + _SYMBOLS + r"?)\s*(?P<sign2>[+-]?)\s*"
    r"(?P<body>[\d.,'’ ]*\d[\d.,]*(?:[eE][+-]?\d+)?)"
    r"\s*(?P<percent>%?)(?P<after>" + _SYMBOLS + r"?)\s*(?P<close>\)?)$"
)
_PLAIN = r"^(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_GROUPED = r"^[1-9]\d{0,2}(?:(?:,\d{3})+|(?: \d{3})+|(?:['’]\d{3})+)(?:\.\d*)?$"
_COMMA = r"^(?:\d+|[1-9]\d{0,2}(?:(?:\.\d{3})+|(?: \d{3})+|(?:['’]\d{3})+))(?:,\d+)?$"
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
        digits = body.str.replace_all(r"[. '’]", "").str.replace(",", ".", literal=True)
        known = pl.col("comma")
    else:
        digits = body.str.replace_all(r"[, '’]", "")
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
    spelled = spelled.str.replace_all("−", "-", literal=True)
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


@dataclass(frozen=True, eq=False)
class Moments:
    """Texts as moments.

    Attributes
    ----------
    values : polars.Series of float64
        Seconds since the start of 1970, or of the day; null where a text is no moment.
    style : str
        What they are.
    doubt : str
        Whether day and month could be the other way round, or empty.

    """

    values: "pl.Series"
    style: str
    doubt: str


_DAY, _CLOCK = r"\d{1,2}", r"\d{1,2}:\d\d"
_DATES = (
    (r"\d{4}-\d{1,2}-" + _DAY, "%Y-%m-%d"),
    (r"\d{4}/\d{1,2}/" + _DAY, "%Y/%m/%d"),
    (_DAY + r"\.\d{1,2}\.\d{4}", "%d.%m.%Y"),
    (_DAY + r"\.\d{1,2}\.\d\d", "%d.%m.%y"),
    (_DAY + r"/\d{1,2}/\d{4}", "%m/%d/%Y"),
    (_DAY + r"/\d{1,2}/\d{4}", "%d/%m/%Y"),
    (_DAY + r"/\d{1,2}/\d\d", "%m/%d/%y"),
    (_DAY + r"/\d{1,2}/\d\d", "%d/%m/%y"),
    (_DAY + r"-\d{1,2}-\d{4}", "%d-%m-%Y"),
    (_DAY + r"-\d{1,2}-\d{4}", "%m-%d-%Y"),
    (_DAY + r"[ -][A-Za-z]{3}[ -]\d{4}", "%d-%b-%Y"),
    (_DAY + r"[ -][A-Za-z]{3}[ -]\d\d", "%d-%b-%y"),
    (_DAY + r" [A-Za-z]{4,9} \d{4}", "%d %B %Y"),
    (r"[A-Za-z]{3} \d{1,2},? \d{4}", "%b %d %Y"),
    (r"[A-Za-z]{4,9} \d{1,2},? \d{4}", "%B %d %Y"),
)
_CLOCKS = (
    (r"[ T]" + _CLOCK + r":\d\d(?:\.\d+)?", " %H:%M:%S%.f"),
    (r"[ T]" + _CLOCK, " %H:%M"),
    (r" " + _CLOCK + r":\d\d ?[AaPp][Mm]", " %I:%M:%S %p"),
    (r" " + _CLOCK + r" ?[AaPp][Mm]", " %I:%M %p"),
)
_ZONE = r"(?:Z|[+-]\d\d:?\d\d)"
SAMPLE, SHARE = 50, 0.9


def parse_moments(texts: "pl.Series") -> Moments | None:
    """Read texts as dates, dates with times, or times of the day; None if they are not.

    Parameters
    ----------
    texts : polars.Series
        Different texts without surrounding blanks.

    """
    sample = texts.head(SAMPLE)
    if sample.str.contains(r"\d[:./ ,-]").mean() < SHARE:  # pyright: ignore[reportOptionalOperand]
        return None
    if sample.str.contains(rf"^{_CLOCK}(?::\d\d)?$").mean() >= SHARE:  # pyright: ignore[reportOptionalOperand]
        seconds = _seconds(_as_day_clock(texts), "%Y-%m-%d", " %H:%M:%S%.f", zoned=False)
        return Moments(seconds, "time of the day, in seconds", "")
    for pattern, date in _DATES:
        for more, clock in (("", ""), *_CLOCKS):
            for zone in ("", _ZONE) if clock else ("",):
                if sample.str.contains(f"^{pattern}{more}{zone}$").mean() < SHARE:  # pyright: ignore[reportOptionalOperand]
                    continue
                return _best(texts, pattern, clock, zoned=bool(zone))
    return None


def _best(texts: "pl.Series", pattern: str, clock: str, *, zoned: bool) -> Moments | None:
    """Return the reading that fits most texts, among the formats that look the same."""
    readings = [
        (_seconds(texts, date, clock, zoned=zoned), date)
        for like, date in _DATES
        if like == pattern
    ]
    seconds, date = min(readings, key=lambda reading: reading[0].null_count())
    if seconds.null_count() > (1 - SHARE) * len(texts):
        return None
    as_good = [other for values, other in readings if values.null_count() == seconds.null_count()]
    order = "month" if date.startswith("%m") else "day"
    doubt = f"could be dates with the day or the month first; {order} first is taken"
    style = "date and time" if clock else "date"
    return Moments(seconds, f"{style}, in seconds since 1970", doubt if len(as_good) > 1 else "")


def _as_day_clock(texts: "pl.Series") -> "pl.Series":
    return "1970-01-01 " + texts.str.replace(rf"^({_CLOCK})$", "$1:00")


def _seconds(texts: "pl.Series", date: str, clock: str, *, zoned: bool) -> "pl.Series":
    import polars as pl

    # One spelling for what means the same: T, commas, dashes between words, PM without a blank.
    texts = texts.str.replace(r"T(\d)", " $1").str.replace(",", "", literal=True)
    texts = texts.str.replace(r"[ -]([A-Za-z]{3})[ -]", "-$1-") if "-%b-" in date else texts
    texts = texts.str.replace(r"(\d)([AaPp][Mm])$", "$1 $2")
    if zoned:
        texts = texts.str.replace("Z$", "+0000")
    if not clock:
        texts, clock = texts + " 00:00", " %H:%M"
    kind = pl.Datetime("us", "UTC") if zoned else pl.Datetime("us")
    moments = texts.str.strptime(kind, date + clock + ("%z" if zoned else ""), strict=False)
    return moments.dt.epoch("us").cast(pl.Float64) / 1e6
