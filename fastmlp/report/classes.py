"""Predicted classes: which were taken for which, and whether probabilities can be believed."""

from collections.abc import Iterator, Sequence

import numpy as np

from fastmlp.common.errors import counted
from fastmlp.report.axes import WIDTH, Axes, svg
from fastmlp.report.markup import Markup, joined, shortened, tag

__all__ = ["MOST_CLASSES", "Calibration", "confusion_counts", "confusion_matrix"]

MOST_CLASSES = 30
"""A confusion matrix of more classes would be unreadable."""

_MOST_COUNTS = 16  # with more classes, cells have no room for numbers
_N_BINS = 10
_Z = 1.96  # standard deviations of an interval of 95 %


def confusion_counts(y: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the number of rows by true class (row) and most probable class (column)."""
    n_classes = predicted.shape[1]
    cells = y.astype(np.int64) * n_classes + predicted.argmax(axis=1)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


def confusion_matrix(counts: np.ndarray, names: Sequence[str]) -> Markup:
    """Draw the counts; the colour is the share of the true class.

    Parameters
    ----------
    counts : int ndarray of shape (C, C)
        By true class (row) and predicted class (column).
    names : sequence of str, length C

    """
    labels = [shortened(name, 14) for name in names]
    longest = max(map(len, labels))
    upright = longest > 3 or len(names) > _MOST_COUNTS
    left = 34 + 6.8 * longest
    below = (14 + 6.8 * longest if upright else 22.0) + 24
    side = min((WIDTH - left - 8) / len(names), 64.0)
    size = side * len(names)
    height = 8 + size + below
    parts = [*_cells(counts, names, left, side), *_class_labels(labels, left, side, upright)]
    parts.append(
        tag("text", "predicted class", x=left + size / 2, y=height - 6, class_="label mid")
    )
    middle = 8 + size / 2
    turned = f"rotate(-90 12 {middle:.1f})"
    parts.append(tag("text", "true class", x=12.0, y=middle, class_="label mid", transform=turned))
    return svg("confusion matrix", *parts, height=height)


def _cells(counts: np.ndarray, names: Sequence[str], left: float, side: float) -> Iterator[Markup]:
    """Yield the squares of the matrix, with their counts if there is room."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for (row, column), n in np.ndenumerate(counts):
        x, y = left + column * side, 8 + row * side
        told = (
            f"true {shortened(names[row], 40)}, predicted {shortened(names[column], 40)}: "
            f"{counted(int(n), 'row')}, {share[row, column]:.1%} of the class"
        )
        opacity = f"{share[row, column]:.3f}"
        yield tag(
            "g",
            tag("title", told),
            tag("rect", x=x, y=y, width=side, height=side, class_="cell"),
            tag("rect", x=x, y=y, width=side, height=side, class_="heat", fill_opacity=opacity),
            _number(n, x + side / 2, y + side / 2 + 4, share[row, column])
            if n and len(names) <= _MOST_COUNTS
            else None,
        )


def _class_labels(
    labels: Sequence[str], left: float, side: float, upright: bool
) -> Iterator[Markup]:
    """Yield the names of the classes beside the rows and below the columns."""
    size = side * len(labels)
    for place, label in enumerate(labels):
        middle = 8 + (place + 0.5) * side
        yield tag("text", label, x=left - 7, y=middle + 4, class_="tick end")
        x, y = left + (place + 0.5) * side, 8 + size + 16
        turn = f"rotate(-90 {x + 4:.1f} {y - 6:.1f})" if upright else None
        where = {"x": x + 4, "y": y - 6} if upright else {"x": x, "y": y}
        class_ = "tick end" if upright else "tick mid"
        yield tag("text", label, **where, class_=class_, transform=turn)


def _number(n: int, x: float, y: float, share: float) -> Markup:
    return tag("text", f"{n}", x=x, y=y, class_="count mid" + " over" * bool(share > 0.55))


class Calibration:
    """How often a prediction comes true, by the probability that it was given.

    With two classes it is about the second one, otherwise about the most probable class of a row.

    Parameters
    ----------
    y : int ndarray of shape (N,)
    predicted : ndarray of shape (N, C)
        Probabilities.

    Attributes
    ----------
    binary : bool
    counts, meant, came : ndarray of shape (10,)
        For ten ranges of probability: number of rows, mean probability and share that came true;
        NaN for a range without rows.
    error : float
        Mean distance between the two over all rows (expected calibration error; Naeini et al.,
        2015).

    """

    def __init__(self, y: np.ndarray, predicted: np.ndarray):
        self.binary = predicted.shape[1] == 2
        p = predicted[:, 1] if self.binary else predicted.max(axis=1)
        true = y == 1 if self.binary else predicted.argmax(axis=1) == y
        known = np.isfinite(p)  # those of a network that diverged are not
        p, true = p[known], true[known]
        bins = np.clip((p * _N_BINS).astype(np.int64), 0, _N_BINS - 1)
        self.counts = np.bincount(bins, minlength=_N_BINS)
        with np.errstate(invalid="ignore"):
            self.meant = np.bincount(bins, p, _N_BINS) / self.counts
            self.came = np.bincount(bins, true, _N_BINS) / self.counts
        gaps = np.abs(self.meant - self.came)
        self.error = float(np.nansum(gaps * self.counts) / max(self.counts.sum(), 1))

    def chart(self) -> Markup:
        """Draw shares against probabilities, with 95 % intervals and the number of rows below."""
        labels = (
            ("predicted probability", "share of rows of the class")
            if self.binary
            else ("probability of the predicted class", "share of rows predicted right")
        )
        axes = Axes.of((0.0, 1.0), (0.0, 1.0), *labels)
        parts = [axes.frame, axes.line([(0.0, 0.0), (1.0, 1.0)], "guide")]
        most = max(int(self.counts.max()), 1)
        width = (axes.x(0.1) - axes.x(0.0)) - 6
        for place in np.flatnonzero(self.counts).tolist():
            n, p, came = int(self.counts[place]), self.meant[place], self.came[place]
            told = tag("title", f"{counted(n, 'row')}: predicted {p:.1%}, came true {came:.1%}")
            tall = 36.0 * n / most
            bar = {"x": axes.x(place / _N_BINS) + 3, "y": axes.y.start - tall}
            low, high = _interval(came, n)
            parts += [
                tag("rect", told, **bar, width=width, height=tall, class_="rows"),
                axes.line([(p, low), (p, high)], "spread"),
                tag("circle", told, cx=axes.x(p), cy=axes.y(came), r="4.5", class_="best"),
            ]
        joint = "L".join(
            f"{axes.x(p):.1f} {axes.y(came):.1f}"
            for p, came in zip(self.meant, self.came, strict=True)
            if p == p
        )
        if joint:
            parts.append(tag("path", d=f"M{joint}", class_="joint"))
        return svg("calibration", joined(parts))


def _interval(share: float, n: int) -> tuple[float, float]:
    """Return the interval of a share of n rows (Wilson, 1927)."""
    shrink = 1 + _Z**2 / n
    middle = (share + _Z**2 / (2 * n)) / shrink
    wide = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / shrink
    return float(max(0.0, middle - wide)), float(min(1.0, middle + wide))
