"""The frame of a chart: scales, ticks, labels and a grid, as SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastmlp.report.markup import Markup, tag

__all__ = ["WIDTH", "Axes", "Scale", "finite_range", "svg", "ticks"]

WIDTH, HEIGHT = 480.0, 300.0
_TOP, _RIGHT, _BOTTOM = 14.0, 16.0, 46.0
_LETTER = 6.6  # pixels of a digit of a tick's label


@dataclass(frozen=True)
class Scale:
    """A map from values to pixels.

    Attributes
    ----------
    low, high : float
        Values at the two ends.
    start, end : float
        Their pixels.
    log : bool
        Whether equal ratios, instead of equal differences, are equally far apart.

    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high, value = self.low, self.high, float(value)
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        share = (value - low) / (high - low)
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True)
class Axes:
    """The two scales of a chart, and the chart's frame with ticks and labels."""

    x: Scale
    y: Scale
    frame: Markup

    @classmethod
    def of(
        cls,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        x_label: str,
        y_label: str,
        *,
        whole_x: bool = False,
        log_y: bool = False,
    ) -> "Axes":
        """Return axes that span two ranges.

        Parameters
        ----------
        x_range, y_range : tuple of float
            Lowest and highest value.
        x_label, y_label : str
        whole_x : bool, default False
            Whether only whole numbers get a tick on the x axis.
        log_y : bool, default False
            Whether the y axis is logarithmic.

        """
        x_ticks = ticks(*x_range, whole=whole_x)
        y_ticks = _log_ticks(*y_range) if log_y else ticks(*y_range)
        left = 30 + _LETTER * max((len(text) for _, text in y_ticks), default=1)
        x = Scale(*x_range, left, WIDTH - _RIGHT)
        y = Scale(*y_range, HEIGHT - _BOTTOM, _TOP, log_y)
        parts = []
        for value, text in y_ticks:
            parts.append(_line(x.start, y(value), x.end, y(value), "grid"))
            parts.append(tag("text", text, x=x.start - 7, y=y(value) + 4, class_="tick end"))
        for value, text in x_ticks:
            parts.append(_line(x(value), y.start, x(value), y.start + 4, "axis"))
            parts.append(tag("text", text, x=x(value), y=y.start + 18, class_="tick mid"))
        parts.append(_line(x.start, y.start, x.end, y.start, "axis"))
        middle = (y.start + y.end) / 2
        turned = f"rotate(-90 12 {middle:.1f})"
        parts.append(
            tag("text", x_label, x=(x.start + x.end) / 2, y=HEIGHT - 8, class_="label mid")
        )
        parts.append(tag("text", y_label, x=12.0, y=middle, class_="label mid", transform=turned))
        return cls(x, y, tag("g", *parts))

    def line(self, ends: Sequence[tuple[float, float]], class_: str) -> Markup:
        """Return a straight line between two points."""
        (x1, y1), (x2, y2) = ends
        return _line(self.x(x1), self.y(y1), self.x(x2), self.y(y2), class_)


def svg(alt: str, *parts: Markup, height: float = HEIGHT) -> Markup:
    """Return a chart; ``alt`` says in words what it shows."""
    box = f"0 0 {WIDTH:g} {height:.0f}"
    return tag("svg", *parts, viewBox=box, role="img", aria_label=alt)


def finite_range(*values: np.ndarray, margin: float = 0.04) -> tuple[float, float]:
    """Return the lowest and highest finite value, a little apart; (0, 1) if there is none."""
    known = np.concatenate([np.ravel(each) for each in values])
    known = known[np.isfinite(known)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    wide = (high - low) * margin or max(abs(low) * 0.05, 1e-6)
    return low - wide, high + wide


def ticks(low: float, high: float, *, whole: bool = False) -> list[tuple[float, str]]:
    """Return about five round numbers of a range, each with its text."""
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(times for times in (1, 2, 5, 10) if (high - low) / (times * step) <= 5.5)
    if whole:
        step = max(1.0, float(round(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [number * step for number in range(first, last + 1)]
    return [(value, _tick_text(value, step, max(abs(low), abs(high)))) for value in values]


def _log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return powers of ten, or of the like, of a range."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(decades) <= 3 else (1,)
    values = [times * 10.0**decade for decade in decades for times in steps]
    shown = [value for value in values if low <= value <= high]
    return [(value, f"{value:g}") for value in shown[:: -(-len(shown) // 7)]]


def _tick_text(value: float, step: float, largest: float) -> str:
    n_decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    if largest >= 1e7 or n_decimals > 5:
        return f"{value:.6g}"
    return f"{round(value, n_decimals) + 0.0:,.{n_decimals}f}"  # not -0


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)
