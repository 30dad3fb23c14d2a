"""The page itself: from findings to one HTML file."""

import math
import os
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from fastmlp.common.errors import counted
from fastmlp.common.files import write_whole
from fastmlp.report.bars import bars
from fastmlp.report.classes import MOST_CLASSES, Calibration, confusion_counts, confusion_matrix
from fastmlp.report.curves import curve_columns, curves
from fastmlp.report.findings import Findings
from fastmlp.report.markup import Markup, joined, shortened, tag
from fastmlp.report.points import MOST_POINTS, against_truth, residuals
from fastmlp.report.style import STYLE

__all__ = ["ENDINGS", "page", "write"]

ENDINGS = (".html", ".htm")
"""How the name of a page ends."""

_MOST_BARS = 20
_MOST_MISTAKES = 20
_MOST_COLUMNS = 500

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Nothing is loaded or run, whatever a name in the data might try."""


def write(findings: Findings, path: str | os.PathLike[str]) -> None:
    """Write the page, all of it or nothing.

    Raises
    ------
    OSError
        If the file cannot be written.

    """
    write_whole(path, page(findings).encode())


def page(findings: Findings) -> str:
    """Return the page as HTML."""
    sections = [_result, _learning, _predictions, _importances, _data, _settings]
    title = f"{findings.name}: {findings.target}" if findings.target else findings.name
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", shortened(title, 80)),
        tag("style", Markup(STYLE)),
    )
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    body = tag(
        "body", *(section(findings) for section in sections), tag("footer", f"Written on {now}.")
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _result(findings: Findings) -> Markup:
    title = shortened(findings.name, 80)
    if findings.target:
        title = f"Predicting {shortened(findings.target, 80)}: {title}"
    heads = list(next(iter(findings.scores.values())))
    rows = [[name, *(row[head] for head in heads)] for name, row in findings.scores.items()]
    return tag(
        "header",
        tag("h1", title),
        tag("p", findings.verdict, class_="verdict"),
        _table(["score", *heads], rows, n_texts=1),
    )


def _learning(findings: Findings) -> Markup | None:
    columns = curve_columns(findings.histories)
    if not columns:
        return None
    n = len(findings.histories)
    many = f" of {n} networks" if n > 1 else ""
    told = {"loss": f"Loss by epoch{many}: {findings.unit}.", "accuracy": f"Accuracy{many}."}
    return _section(
        "Learning curves",
        *(
            _figure(
                what.capitalize(),
                curves(findings.histories, what),
                f"{told[what]} The dot is the epoch that was kept."
                if _any_best(findings)
                else told[what],
            )
            for what in columns
        ),
    )


def _any_best(findings: Findings) -> bool:
    return any(history.best_epoch is not None for history in findings.histories)


def _predictions(findings: Findings) -> Markup:
    if findings.classes is None:
        return _numbers(findings)
    return _classes(findings, findings.classes)


def _classes(findings: Findings, classes: Sequence[str]) -> Markup:
    counts = confusion_counts(findings.y, findings.predicted)
    right = np.trace(counts) / max(counts.sum(), 1)
    calibration = Calibration(findings.y, findings.predicted)
    about = (
        f"Rows by their predicted probability of {shortened(classes[1], 40)}"
        if calibration.binary
        else "Rows by the probability of their predicted class"
    )
    matrix = []
    if len(classes) <= MOST_CLASSES:
        told = f"{right:.1%} of {counts.sum():,} test rows are on the diagonal."
        matrix.append(_figure("Confusion matrix", confusion_matrix(counts, classes), told))
    chart = _figure(
        "Calibration",
        calibration.chart(),
        f"{about}, in ten ranges: on the dashed line, predictions come true as often as they "
        "say. Lines are 95 % intervals, grey bars numbers of rows. "
        f"Mean distance {calibration.error:.3f}.",
    )
    beside = tag("div", chart, *_mistakes(counts, classes), class_="stack")
    return _section("Predictions for the test rows", *matrix, beside)


def _mistakes(counts: np.ndarray, classes: Sequence[str]) -> list[Markup]:
    """Return a table of each class, or of the most frequent mistakes if there are many classes."""
    if len(classes) <= MOST_CLASSES:
        true, guessed, right = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
        rows = [
            [shortened(name, 40), f"{true[k]:,}", _share(right[k], true[k]),
             _share(right[k], guessed[k])]
            for k, name in enumerate(classes)
        ]  # fmt: skip
        heads = ["class", "test rows", "recall", "precision"]
        told = "Recall is the share of a class that is found; precision is the share of the rows "
        told += "predicted as a class that belong to it."
        return [_figure("Classes", _table(heads, rows, n_texts=1, scroll=True), told)]
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_MISTAKES]
    places = [divmod(int(place), len(classes)) for place in order if wrong.flat[place]]
    rows = [
        [shortened(classes[a], 24), shortened(classes[b], 24), f"{counts[a, b]:,}",
         _share(counts[a, b], counts[a].sum())]
        for a, b in places
    ]  # fmt: skip
    heads = ["true class", "predicted as", "test rows", "of the class"]
    return [_figure("Most frequent mistakes", _table(heads, rows, n_texts=2))] if rows else []


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _numbers(findings: Findings) -> Markup:
    y, predicted = findings.y.astype(np.float64), findings.predicted.astype(np.float64)
    n = len(y)
    shown = f"{MOST_POINTS:,} of {n:,}" if n > MOST_POINTS else f"all {n:,}"
    left = np.abs(y - predicted)
    known = left[np.isfinite(left)]
    told = "No prediction is a finite number."
    if len(known):
        half, most = np.quantile(known, [0.5, 0.9])
        told = (
            f"Half of the rows are within {half:.4g} of the truth, nine in ten within {most:.4g}."
        )
    return _section(
        "Predictions for the test rows",
        _figure(
            "Predicted against true",
            against_truth(y, predicted),
            f"Points are {shown} test rows; on the dashed line, predictions are right.",
        ),
        _figure(
            "Residuals",
            residuals(y, predicted),
            told,
        ),
    )


def _importances(findings: Findings) -> Markup | None:
    found = findings.importances
    if found is None:
        return None
    known = [(name, value) for name, value in found.values if math.isfinite(value)]
    if not known:
        return None
    ordered = sorted(known, key=lambda pair: -pair[1])
    shown = ordered[:_MOST_BARS]
    n = len(ordered) - len(shown)
    more = f" {counted(n, 'column')} of less importance {'is' if n == 1 else 'are'} not shown."
    told = (
        f"How much worse the {found.metric} becomes if the values of a column are shuffled among "
        f"{found.n_rows:,} test rows; the mean of five times. Columns that tell the same share "
        f"their importance.{more if len(ordered) > len(shown) else ''}"
    )
    return _section("Importance of the columns", _figure("", bars(shown, "importances"), told))


def _data(findings: Findings) -> Markup:
    parts = [_facts(findings.data)]
    if findings.doubts:
        parts += [
            tag("p", "Worth a look:"),
            tag("ul", *(tag("li", doubt) for doubt in findings.doubts)),
        ]
    if findings.columns:
        rows = findings.columns[:_MOST_COLUMNS]
        table = _table(["column", "read as", ""], rows, n_texts=3, scroll=True)
        parts.append(table)
        if len(rows) < len(findings.columns):
            parts.append(tag("p", f"and {len(findings.columns) - len(rows):,} more", class_="soft"))
    return tag("section", tag("h2", "Data"), *parts)


def _settings(findings: Findings) -> Markup:
    return tag("section", tag("h2", "Settings"), _facts(findings.settings))


def _section(title: str, *figures: Markup) -> Markup:
    return tag("section", tag("h2", title), tag("div", *figures, class_="row"))


def _figure(title: str, chart: Markup, told: str = "") -> Markup:
    head = tag("h3", title) if title else None
    return tag("figure", head, chart, tag("figcaption", told) if told else None)


def _facts(facts: Sequence[tuple[str, str]]) -> Markup:
    rows = (tag("tr", tag("th", name, scope="row"), tag("td", text)) for name, text in facts)
    return tag("table", tag("tbody", *rows), class_="facts")


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, n_texts: int, scroll: bool = False
) -> Markup:
    """Return a table whose first columns are texts and whose others are numbers."""

    def cells(name: str, row: Sequence[str]) -> Markup:
        classes = [None] * n_texts + ["number"] * (len(row) - n_texts)
        return joined(tag(name, text, class_=c) for text, c in zip(row, classes, strict=True))

    body = tag("tbody", *(tag("tr", cells("td", row)) for row in rows))
    table = tag("table", tag("thead", tag("tr", cells("th", heads))), body)
    return tag("div", table, class_="tall" if scroll else "wide")
