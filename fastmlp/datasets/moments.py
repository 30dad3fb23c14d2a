"""Conversion of dates and times to seconds.

All functions take the *distinct* texts of a column, as a polars series.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastmlp.datasets.wording import joined

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MomentFormat", "Moments", "look_like_dates", "parse_moments", "read_moments"]


@dataclass(frozen=True)
class MomentFormat:
    """How the dates or times of a column are written.

    Attributes
    ----------
    date : str
        The format of the date as for ``strptime``; empty for times and time spans. A time of day
        and a time zone may follow a date in any notation that is known.

    """

    date: str = ""

    @property
    def is_span(self) -> bool:
        """Whether these are times such as 12:30."""
        return not self.date

    @property
    def known(self) -> bool:
        """Whether this is a format that `parse_moments` can return."""
        return self.date in {"", *(date for _, date in _DATES)}


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
        A note if day and month could be the other way round, or time zones are mixed, or empty.
    format : MomentFormat
        How they are written, for `read_moments`.

    """

    values: "pl.Series"
    style: str
    doubt: str
    format: MomentFormat


_DAY = r"\d{1,2}"
_DATES = (
    (r"\d{4}-\d{1,2}-" + _DAY, "%Y-%m-%d"),
    (r"\d{4}/\d{1,2}/" + _DAY, "%Y/%m/%d"),
    (r"\d{4}\.\d{1,2}\." + _DAY, "%Y.%m.%d"),
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
    (r"\d{4}-(?:0[1-9]|1[0-2])", "%Y-%m"),
    (r"(?:0?[1-9]|1[0-2])/\d{4}", "%m/%Y"),
    (r"\d{4} [A-Za-z]{3}", "%Y %b"),
    (r"[A-Za-z]{3} \d{4}", "%b %Y"),
    (r"[A-Za-z]{3,9} \d{4}", "%B %Y"),
)
_WEEKDAY = r"(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?"
_HALF = r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)"
_REST = (
    r"(?:(?: |, |T)(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)"
    r"(?::(?P<second>[0-5]\d)(?:[.,](?P<fraction>\d+))?)?" + _HALF + r"?"
    r"(?: ?(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?)?"
)
"""What may follow a date."""

_SPAN = (
    r"^(?:(?P<days>\d{1,5}) days?,? )?(?P<hours>\d{1,4}):(?P<minutes>[0-5]\d(?:\.\d+)?)"
    r"(?::(?P<seconds>[0-5]\d(?:\.\d+)?))?" + _HALF + r"?$"
)
_DAY_US = 86_400_000_000
SAMPLE, SHARE = 50, 0.9


def parse_moments(texts: "pl.Series") -> Moments | None:
    """Read texts as dates, dates with times, or times like 12:30; None if they are not.

    Parameters
    ----------
    texts : polars.Series
        Distinct texts without surrounding whitespace.

    """
    sample = texts.head(SAMPLE)
    if not _mostly(sample, r"\d[:./ ,-]|[A-Za-z] \d{4}$"):
        return None
    if _mostly(sample, _SPAN):
        if not _mostly(texts, _SPAN):
            return None
        return Moments(_spans(texts), "time, in seconds", "", MomentFormat())
    for pattern in dict(_DATES):
        if _mostly(sample, _whole(pattern)):
            return _best(texts, pattern)
    return None


def read_moments(texts: "pl.Series", written: MomentFormat) -> "pl.Series":
    """Return the seconds of more texts of a column, null if a text is not written in its format."""
    if written.is_span:
        return _spans(texts)
    return _taken_apart(texts, written.date)["seconds"]


def look_like_dates(texts: "pl.Series") -> "pl.Series":
    """Tell which texts look like dates, perhaps each in another notation."""
    return texts.str.contains("|".join(map(_whole_unnamed, dict(_DATES))))


def _whole(pattern: str) -> str:
    return f"^{_WEEKDAY}(?P<date>{pattern}){_REST}$"


def _whole_unnamed(pattern: str) -> str:
    return re.sub(r"\?P<\w+>", "?:", _whole(pattern))


def _mostly(texts: "pl.Series", pattern: str) -> bool:
    return texts.str.contains(pattern).sum() >= SHARE * len(texts)


def _best(texts: "pl.Series", pattern: str) -> Moments | None:
    """Return the values by the format that fits most texts, of those with this pattern."""
    readings = [(_taken_apart(texts, date), date) for like, date in _DATES if like == pattern]
    parts, date = min(readings, key=lambda reading: reading[0]["seconds"].null_count())
    n_odd = parts["seconds"].null_count()
    if n_odd > (1 - SHARE) * len(texts) or (date == "%Y-%m" and _are_seasons(texts)):
        return None
    doubts = []
    if sum(other["seconds"].null_count() == n_odd for other, _ in readings) > 1:
        order = "month" if date.startswith("%m") else "day"
        doubts.append(f"may have the day or the month first and is read with the {order} first")
    zoned, timed = parts["zoned"].sum(), parts["timed"].sum()
    if 0 < zoned < timed:
        doubts.append("has a time zone in only some cells, and the others are read as UTC")
    style = "date and time" if timed else "date"
    return Moments(
        parts["seconds"],
        f"{style}, in seconds since 1970",
        joined(doubts),
        MomentFormat(date),
    )


def _are_seasons(texts: "pl.Series") -> bool:
    """Tell whether these are pairs of years, such as 2009-10, rather than months."""
    import polars as pl

    years = texts.str.extract_groups(r"^(\d{4})-(\d\d)$").struct.unnest().cast(pl.Int64)
    follows = years.select((pl.nth(0) + 1) % 100 == pl.nth(1)).to_series()
    return follows.sum() >= SHARE * len(texts)


def _spans(texts: "pl.Series") -> "pl.Series":
    """Return times of day and longer time spans in seconds: 38:31:00 and 1 days 14:31:00."""
    import polars as pl

    parts = texts.str.extract_groups(_SPAN).struct.unnest()
    hours = _hours(pl.col("hours").cast(pl.Float64))
    hours += 24 * pl.col("days").cast(pl.Float64).fill_null(0)
    seconds = 3600 * hours + 60 * pl.col("minutes").cast(pl.Float64)
    return parts.select(seconds + pl.col("seconds").cast(pl.Float64).fill_null(0)).to_series()


def _hours(hours: "pl.Expr") -> "pl.Expr":
    """Return hours from midnight: those with a.m. or p.m. begin again after 12."""
    import polars as pl

    half = pl.col("half").str.to_lowercase()
    on_dial = pl.when(hours.is_between(1, 12)).then(hours % 12 + 12 * (half == "p"))
    return pl.when(half.is_null()).then(hours).otherwise(on_dial)


def _taken_apart(texts: "pl.Series", date: str) -> "pl.DataFrame":
    """Return the seconds since 1970, null if a text is not a date, and what follows the date."""
    import polars as pl

    pattern = next(like for like, known in _DATES if known == date)
    found = texts.str.extract_groups(_whole(pattern)).struct.unnest()
    days = pl.col("date").str.replace(",", "", literal=True)
    if "-%b-" in date:
        days = days.str.replace_all(" ", "-", literal=True)
    if "%d" not in date:
        days, date = pl.lit("01 ") + days, f"%d {date}"
    days = days.str.strptime(pl.Date, date, strict=False).cast(pl.Int64)
    whole = {name: pl.col(name).cast(pl.Int64).fill_null(0) for name in ("minute", "second")}
    hour = _hours(pl.col("hour").cast(pl.Int64))
    hour = pl.when(pl.col("hour").is_null()).then(0).otherwise(pl.when(hour < 24).then(hour))
    fraction = pl.col("fraction").str.pad_end(6, "0").str.head(6).cast(pl.Int64).fill_null(0)
    clock = 1_000_000 * (3600 * hour + 60 * whole["minute"] + whole["second"]) + fraction
    offset = pl.col("zone").str.extract_groups(r"^([+-])(\d\d):?(\d\d)?$").struct
    minutes = 60 * offset[1].cast(pl.Int64) + offset[2].cast(pl.Int64).fill_null(0)
    minutes = pl.when(offset[0] == "-").then(-minutes).otherwise(minutes).fill_null(0)
    moment = _DAY_US * days + clock - 60_000_000 * minutes
    return found.select(
        seconds=moment.cast(pl.Float64) / 1e6,
        timed=pl.col("hour").is_not_null(),
        zoned=pl.col("zone").is_not_null(),
    )
