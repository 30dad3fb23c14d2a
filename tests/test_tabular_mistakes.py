"""What a person passes to the estimators and encoder by mistake is refused in one sentence."""

import datetime

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("narwhals")
pytest.importorskip("polars")

import polars as pl

from fastmlp.tabular import TableEncoder, TabularClassifier, TabularRegressor

FRAME = pl.DataFrame({"width": np.cos(np.arange(12)), "kind": ["a", "b", "c"] * 4})
CLASSES = np.array(["low", "high"] * 6)
NUMBERS = np.sin(np.arange(12))
DAYS = np.datetime64("2024-05-01") + np.arange(12)


@pytest.mark.parametrize("estimator", [TabularClassifier(), TabularRegressor()])
def test_no_rows_are_refused(estimator):
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        estimator.fit(FRAME[:0], CLASSES[:0])


@pytest.mark.parametrize("make", [TabularClassifier, TabularRegressor])
def test_no_validation_rows_are_refused(make):
    y = CLASSES if make is TabularClassifier else NUMBERS

    with pytest.raises(ValueError, match=r"X_val, y_val: .*0 sample\(s\)"):
        make().fit(FRAME, y, X_val=FRAME[:0], y_val=y[:0])


@pytest.mark.parametrize(
    "y",
    [
        DAYS,
        DAYS.astype(object),
        DAYS - DAYS[0],
        pl.Series(DAYS),
        [datetime.timedelta(hours=i) for i in range(12)],
    ],
)
def test_dates_are_no_numbers_to_predict(y):
    with pytest.raises(TypeError, match="y must hold numbers, got dates or times such as"):
        TabularRegressor().fit(FRAME, y)


@pytest.mark.parametrize("y", [CLASSES, CLASSES.astype(object), pl.Series(CLASSES)])
def test_texts_are_no_numbers_to_predict(y):
    with pytest.raises(ValueError, match="got texts such as 'low': TabularClassifier predicts"):
        TabularRegressor().fit(FRAME, y)


@pytest.mark.parametrize(
    ("arguments", "y", "message"),
    [
        ({}, np.full(12, "same"), "y has only one class, 'same'"),
        ({}, np.full(12, 4), "y has only one class, 4:"),
        (
            {"class_weight": {"low": np.nan}},
            CLASSES,
            "class_weight must be finite and not negative",
        ),
        ({"class_weight": {"low": -2}}, CLASSES, "class_weight must be finite and not negative"),
        ({"n_cv": 13}, CLASSES, "n_cv=13 divides the rows into more folds than there are rows, 12"),
    ],
)
def test_wrong_arguments_of_a_classifier_are_named(arguments, y, message):
    with pytest.raises(ValueError, match=message):
        TabularClassifier(**arguments).fit(FRAME, y)


@pytest.mark.parametrize(
    ("estimator", "y", "y_val"),
    [
        (TabularClassifier(metric="roc_auc"), CLASSES, ["high"] * 12),
        (TabularRegressor(metric="r2"), NUMBERS, np.full(12, 0.25)),
    ],
)
def test_validation_rows_for_which_the_metric_is_undefined_are_refused(estimator, y, y_val):
    with pytest.raises(ValueError, match=r"X_val, y_val: (roc_auc|r2) is undefined"):
        estimator.fit(FRAME, y, X_val=FRAME, y_val=y_val)


def test_a_metric_that_is_undefined_for_held_out_rows_gives_way_to_the_loss():
    classes = np.where(np.arange(len(FRAME)) == 7, "rare", "usual")
    classifier = TabularClassifier("realmlp-td-s", metric="roc_auc", n_threads=1, random_state=0)

    with pytest.warns(UserWarning, match="the AUC is undefined for .* a single class") as caught:
        classifier.fit(FRAME, classes)

    assert not [warning for warning in caught if "val_" in str(warning.message)]
    assert classifier.leaderboard_[0]["best_epoch"] is not None


@pytest.mark.parametrize("value", [4e38, -1e300])
def test_numbers_beyond_float32_cannot_be_learned(value):
    numbers = np.where(np.arange(len(FRAME)) == 5, value, 1.0)

    with pytest.raises(ValueError, match=r"y must hold finite float32 numbers, .*: divide y"):
        TabularRegressor().fit(FRAME, numbers)


def test_a_class_that_only_validation_rows_have_is_named():
    with pytest.raises(ValueError, match="X_val, y_val: y holds the class 'middle', which is not"):
        TabularClassifier().fit(FRAME, CLASSES, X_val=FRAME[:2], y_val=["low", "middle"])


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"drop": "kind"}, TypeError, r"drop must be a list of column names: write \['kind'\]"),
        ({"missing": "?"}, TypeError, "missing must be a list of texts"),
        ({"max_categories": "5"}, TypeError, "max_categories must be a whole number, got '5'"),
        ({"max_categories": 0}, ValueError, "max_categories must be at least 1"),
    ],
)
def test_wrong_settings_of_an_encoder_are_refused(settings, error, message):
    with pytest.raises(error, match=message):
        TableEncoder(**settings)


@pytest.mark.parametrize("use", [TableEncoder.summary, lambda encoder: encoder.transform(FRAME)])
def test_an_encoder_that_has_learned_nothing_says_so(use):
    with pytest.raises(ValueError, match="learned no columns yet: call fit first"):
        use(TableEncoder())


def test_an_encoder_shows_its_settings():
    assert repr(TableEncoder()) == "TableEncoder()"
    encoder = TableEncoder(drop=["kind"], max_categories=7)
    assert repr(encoder) == "TableEncoder(drop=['kind'], max_categories=7)"
