"""Conversion of dates and times to seconds.

All functions take the *distinct* texts of a column, as a polars series.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MomentFormat", "Moments", "parse_moments", "read_moments"]


@dataclass(frozen=True)
class MomentFormat:
    """How the dates and times of a column are written.

    Attributes
    ----------
    date, clock : str
        Their formats as for ``strptime``; all are empty for time spans.
    zoned : bool
        Whether a time zone follows.

    """

    date: str = ""
    clock: str = ""
    zoned: bool = False

    @property
    def is_span(self) -> bool:
        """Whether these are times such as 12:30."""
        return not self.date

    @property
    def known(self) -> bool:
        """Whether this is a format that `parse_moments` can return."""
        dates, clocks = {date for _, date in _DATES}, {clock for _, clock in _CLOCKS}
        if not self.date or not self.clock:
            return not self.clock and not self.zoned and self.date in {"", *dates}
        return self.date in dates and self.clock in clocks


@dataclass(frozen=True, eq=False)
class Moments:
    """Texts that were read as dates or times.

    Attributes
    ----------
    values : polars.Series of float64
        Seconds since the start of 1970, or length of the time span; null if a text is neither.
    style : str
        What they are, such as "date, in seconds since 1970".
    doubt : str
        A note if day and month could be the other way round, or empty.
    format : MomentFormat
        How they are written, for `read_moments`.

    """

    values: "pl.Series"
    style: str
    doubt: str
    format: MomentFormat


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
    (_DAY + r" [A-Za-z]{3,9} \d{4}", "%d %B %Y"),
    (r"[A-Za-z]{3} \d{1,2},? \d{4}", "%b %d %Y"),
    (r"[A-Za-z]{3,9} \d{1,2},? \d{4}", "%B %d %Y"),
)
_CLOCKS = (
    (r"[ T]" + _CLOCK + r":\d\d(?:\.\d+)?", " %H:%M:%S%.f"),
    (r"[ T]" + _CLOCK, " %H:%M"),
    (r" " + _CLOCK + r":\d\d ?[AaPp][Mm]", " %I:%M:%S %p"),
    (r" " + _CLOCK + r" ?[AaPp][Mm]", " %I:%M %p"),
)
_SPAN = r"^(?P<hours>\d{1,4}):(?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d(?:\.\d+)?))?$"
_ZONE = r"(?:Z|[+-]\d\d:?\d\d)"
SAMPLE, SHARE = 50, 0.9


def parse_moments(texts: "pl.Series") -> Moments | None:
    """Read texts as dates, dates with times, or times like 12:30; None if they are not.

    Parameters
    ----------
    texts : polars.Series
        Distinct texts without surrounding whitespace.

    """
    sample = texts.head(SAMPLE)
    if not _mostly(sample, r"\d[:./ ,-]"):
        return None
    if _mostly(sample, _SPAN):
        if not _mostly(texts, _SPAN):
            return None
        return Moments(_spans(texts), "time, in seconds", "", MomentFormat())
    for pattern in dict(_DATES):
        for more, clock in (("", ""), *_CLOCKS):
            for zone in ("", _ZONE) if clock else ("",):
                if _mostly(sample, f"^{pattern}{more}{zone}$"):
                    return _best(texts, pattern, clock, zoned=bool(zone))
    return None


def read_moments(texts: "pl.Series", written: MomentFormat) -> "pl.Series":
    """Return the seconds of more texts of a column, null if a text is not written in its format."""
    if written.is_span:
        return _spans(texts)
    return _seconds(texts, written.date, written.clock, zoned=written.zoned)


def _mostly(texts: "pl.Series", pattern: str) -> bool:
    return texts.str.contains(pattern).sum() >= SHARE * len(texts)


def _best(texts: "pl.Series", pattern: str, clock: str, *, zoned: bool) -> Moments | None:
    """Return the values by the format that fits most texts, of those with this pattern."""
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
    doubt = f"may have the day or the month first and is read with the {order} first"
    style = "date and time" if clock else "date"
    return Moments(
        seconds,
        f"{style}, in seconds since 1970",
        doubt if len(as_good) > 1 else "",
        MomentFormat(date, clock, zoned),
    )


def _spans(texts: "pl.Series") -> "pl.Series":
    """Return times of day and longer time spans in seconds: 38:31:00 is 138,660."""
    import polars as pl

    parts = texts.str.extract_groups(_SPAN).struct.unnest().cast(pl.Float64)
    hours, minutes = pl.col("hours"), pl.col("minutes")
    seconds = 3600 * hours + 60 * minutes + pl.col("seconds").fill_null(0)
    return parts.select(seconds.alias("seconds")).to_series()


def _seconds(texts: "pl.Series", date: str, clock: str, *, zoned: bool) -> "pl.Series":
    import polars as pl

    # Normalise variants: T, commas, dashes between words, PM without a space.
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
