"""Horizontal bars with names, the longest first."""

from collections.abc import Sequence

from fastmlp.report.axes import WIDTH, Scale, svg
from fastmlp.report.markup import Markup, shortened, tag

__all__ = ["bars"]

_ROW = 22.0
_NAME, _NUMBER = 26, 62.0  # letters for the name, pixels for the number


def bars(values: Sequence[tuple[str, float]], alt: str) -> Markup:
    """Draw one bar for each name; negative values go to the left."""
    labels = [shortened(name, _NAME) for name, _ in values]
    left = 12 + 6.8 * max(map(len, labels))
    low = min(0.0, *(value for _, value in values))
    high = max(0.0, *(value for _, value in values))
    if low == high:
        high = 1.0
    scale = Scale(low, high, left, WIDTH - _NUMBER)
    parts = []
    for place, ((name, value), label) in enumerate(zip(values, labels, strict=True)):
        y = 4 + place * _ROW
        ends = sorted((scale(0.0), scale(value)))
        told = tag("title", f"{shortened(name, 80)}: {value:.4g}")
        box = {"x": ends[0], "y": y + 3, "width": max(ends[1] - ends[0], 1.0), "height": _ROW - 6}
        parts += [
            tag("text", label, told, x=left - 7, y=y + 15, class_="tick end"),
            tag("rect", told, **box, rx="2", class_="bar" + " below" * (value < 0)),
            tag("text", _short(value), x=ends[1] + 6, y=y + 15, class_="tick"),
        ]
    return svg(alt, *parts, height=8 + _ROW * len(values))


def _short(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"
