"""The parts of dates and times: year, month, day, weekday, hour, and the moment as a number."""

from collections.abc import Sequence

import numpy as np

__all__ = ["DAY", "FAR", "PARTS", "moment_parts", "varying_parts"]

PARTS = ("year", "month", "day", "weekday", "hour", "number")
"""Monday is weekday 0; the number is in days."""

DAY = 86_400.0
"""Seconds."""

FAR = 1e13
"""Seconds: moments further away count as this far, since numpy's calendar would overflow."""


def moment_parts(seconds: np.ndarray, parts: Sequence[str], center: float) -> np.ndarray:
    """Return the parts of moments.

    Parameters
    ----------
    seconds : float64 ndarray of shape (N,)
        Seconds since 1970, NaN if missing.
    parts : sequence of str
        Of `PARTS`.
    center : float
        The moment that is day 0 of ``"number"``, in seconds since 1970.

    Returns
    -------
    float64 ndarray of shape (N, len(parts))
        NaN if missing.

    """
    missing = np.isnan(seconds)
    sane = np.clip(np.where(missing, 0.0, seconds), -FAR, FAR)
    whole = np.floor(sane).astype(np.int64).astype("datetime64[s]")
    days, months = whole.astype("datetime64[D]"), whole.astype("datetime64[M]")
    table = np.empty((len(seconds), len(parts)))
    for place, part in enumerate(parts):
        match part:
            case "year":
                table[:, place] = whole.astype("datetime64[Y]").astype(np.int64) + 1970
            case "month":
                table[:, place] = months.astype(np.int64) % 12 + 1
            case "day":
                table[:, place] = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
            case "weekday":
                table[:, place] = (days.astype(np.int64) + 3) % 7  # 1970 began on a Thursday
            case "hour":
                table[:, place] = (whole.astype(np.int64) // 3600) % 24
            case _:
                table[:, place] = (seconds - center) / DAY
    table[missing] = np.nan
    return table


def varying_parts(seconds: np.ndarray) -> tuple[str, ...]:
    """Return the parts that are not the same in every row; the number always is one of them."""
    known = seconds[~np.isnan(seconds)]
    table = moment_parts(known, PARTS, 0.0)
    return tuple(
        part
        for place, part in enumerate(PARTS)
        if part == "number" or (table[:, place] != table[0, place]).any()
    )
