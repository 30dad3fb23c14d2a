"""The page about a training run: one file, whatever the names in the data are."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from fastmlp import report
from fastmlp.report import Findings, Importances
from fastmlp.report.axes import ticks
from fastmlp.report.classes import Calibration, confusion_counts
from fastmlp.report.markup import Markup, shortened, tag
from fastmlp.training.history import History

HOSTILE = "</style></title><script>alert('&')</script>\x1b[2J\u202e\" onload=\"x"
VOID = {"meta"}


def history(n_epochs=4, **columns):
    made = History()
    for epoch in range(n_epochs):
        record = {"epoch": epoch, "loss": 1 / (epoch + 1), "accuracy": None}
        record |= {"val_loss": 1.1 / (epoch + 1), "val_accuracy": None}
        made.epochs.append(record | {name: values[epoch] for name, values in columns.items()})
    made.best_epoch = n_epochs - 1
    return made


def findings(n_classes=3, names=None, n_rows=60, **changed):
    """Return findings of a classification, or of a regression for 0 classes."""
    rng = np.random.default_rng(0)
    y, predicted = rng.normal(size=(2, n_rows))
    classes = None
    if n_classes:
        classes = names or [f"class {k}" for k in range(n_classes)]
        y, predicted = rng.integers(n_classes, size=n_rows), rng.random((n_rows, n_classes))
        predicted /= predicted.sum(axis=1, keepdims=True)
    given = {
        "name": "birds.csv",
        "target": "species",
        "verdict": "Accuracy on the test rows is 90%.",
        "scores": {"accuracy": {"model": "90.00%", "always wren": "40.00%"}},
        "histories": [history()],
        "y": y,
        "predicted": predicted,
        "classes": classes,
        "data": [("rows", "60")],
        "settings": [("method", "realmlp-td-s")],
    }
    return Findings(**given | changed)


class Page(HTMLParser):
    """Reads a page: its tags, its attributes, and the text in each kind of element."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.tags.append(name)
        self.attributes += attributes
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, text):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(text)


def test_a_page_holds_everything_that_it_needs():
    text = report.page(findings())

    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not {"href", "src", "srcset"} & {name for name, _ in page.attributes}
    assert not re.search(r"https?:|url\(|@import", text)


def test_names_in_data_stay_text_wherever_they_stand():
    found = findings(
        names=[HOSTILE, HOSTILE + "2", "c"],
        name=HOSTILE,
        target=HOSTILE,
        verdict=HOSTILE,
        scores={HOSTILE: {HOSTILE: HOSTILE}},
        data=[(HOSTILE, HOSTILE)],
        settings=[(HOSTILE, HOSTILE)],
        columns=[(HOSTILE, "number", HOSTILE)],
        doubts=[HOSTILE],
        importances=Importances([(HOSTILE, 0.5), ("b", -0.1)], HOSTILE, 9),
        unit=HOSTILE,
    )

    text = report.page(found)

    page = Page(text)
    assert "script" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert any("<script>" in shown for shown in page.texts["td"])  # shown as it is


def test_an_attribute_cannot_be_left():
    assert tag("g", class_='a" onload="b') == '<g class="a&quot; onload=&quot;b"></g>'
    assert tag("g", "<b>", Markup("<b></b>")) == "<g>&lt;b&gt;<b></b></g>"


def test_long_names_are_shortened_in_their_middle():
    assert shortened("a long name, number 17", 10) == "a long… 17"
    assert shortened("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize(
    ("n_classes", "shown", "not_shown"),
    [
        (0, ["Predicted against true", "Residuals"], ["Confusion matrix", "Calibration"]),
        (2, ["Confusion matrix", "Calibration", "Classes"], ["Residuals"]),
        (45, ["Most frequent mistakes", "Calibration"], ["Confusion matrix", "Classes"]),
    ],
)
def test_charts_fit_the_task(n_classes, shown, not_shown):
    titles = Page(report.page(findings(n_classes, n_rows=400))).texts["h3"]

    assert set(shown) <= set(titles)
    assert not set(not_shown) & set(titles)


def test_curves_of_all_networks_are_drawn_with_their_best_epochs():
    several = [history(n) for n in (4, 1, 9)]

    text = report.page(findings(histories=several))

    assert text.count('class="curve training"') == 3 + 1  # and one in the legend
    assert text.count("best epoch") == 3


def test_training_that_came_to_nothing_has_a_page_too():
    diverged = history(3, loss=[np.inf, None, np.nan], val_loss=[None] * 3)

    for n_classes in (0, 3):
        found = findings(n_classes, histories=[diverged, History()])
        found.predicted[:] = np.nan
        page = Page(report.page(found))

        assert "Learning curves" not in page.texts["h2"]


def test_a_loss_of_many_magnitudes_has_a_log_scale_and_an_accuracy_has_none():
    values = [1.0, 0.1, 0.01, 0.001]
    steep = history(4, loss=values, accuracy=values)

    text = report.page(findings(histories=[steep]))

    assert "loss (log scale)" in text
    assert "accuracy (log scale)" not in text


def test_many_rows_are_represented_by_some():
    text = report.page(findings(0, n_rows=9000))

    assert "2,000 of 9,000 test rows" in text
    assert text.count("<circle") < 4200


def test_the_least_important_of_many_columns_are_not_shown():
    values = [(f"column {k}", k / 100) for k in range(50)]

    text = report.page(findings(importances=Importances(values, "accuracy", 60)))

    assert "column 49" in text
    assert "column 3<" not in text
    assert "30 columns of less importance are not shown" in text


def test_calibration_compares_what_was_predicted_with_what_came():
    y = np.array([1] * 8 + [0] * 2 + [0] * 9 + [1])
    p = np.array([0.85] * 10 + [0.05] * 10)

    found = Calibration(y, np.stack([1 - p, p], axis=1))

    assert found.binary
    assert found.counts.tolist() == [10, 0, 0, 0, 0, 0, 0, 0, 10, 0]
    np.testing.assert_allclose(found.came[[0, 8]], [0.1, 0.8])
    assert found.error == pytest.approx(0.05)


def test_calibration_of_several_classes_is_about_the_predicted_one():
    predicted = np.array([[0.1, 0.75, 0.15], [0.75, 0.15, 0.1]])

    found = Calibration(np.array([1, 2]), predicted)

    assert not found.binary
    assert found.counts[7] == 2
    assert found.came[7] == 0.5


def test_confusions_are_counted_by_true_class_in_rows():
    predicted = np.eye(3)[[0, 2, 2, 1]]

    counts = confusion_counts(np.array([0, 1, 2, 1]), predicted)

    assert counts.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1]]


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.0, 1.0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-3.0, 12000.0, ["0", "5,000", "10,000"]),
        (1e9, 1e9 + 1, None),
        (-2e-7, 3e-7, None),
        (1e37, 2e38, None),
    ],
)
def test_ticks_are_round_and_few(low, high, texts):
    found = ticks(low, high)

    assert 2 <= len(found) <= 7
    assert all(low - 1e-9 * abs(low) <= value <= high + 1e-9 * abs(high) for value, _ in found)
    if texts is not None:
        assert [text for _, text in found] == texts


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "page.html"
    report.write(findings(), path)
    before = path.read_bytes()
    path.chmod(0o444)

    with pytest.raises(OSError, match="write-protected"):
        report.write(findings(verdict="another"), path)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
