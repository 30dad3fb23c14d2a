"""Exported models of tables: from the columns as they are to classes and numbers."""

import datetime

import numpy as np
import polars as pl
import pytest
from exported import RUNNERS, SUFFIX, error, require, run_c, run_node, run_onnx_columns
from hypothesis import given
from hypothesis import strategies as st

import fastmlp
from fastmlp.tabular import TableEncoder, TabularClassifier, TabularRegressor, formulas
from fastmlp.tabular.calendar import PARTS, moment_parts
from fastmlp.tabular.methods import INPUTS, METHODS, Recipe, Targets, prepare
from fastmlp.tabular.metrics import metric_of
from fastmlp.tabular.model import TableModel

TOLERANCE = 1e-5  # of the largest output
START = datetime.datetime(2024, 2, 28, 22)
CITIES = [f"city {number}" for number in range(12)]
KINDS = {"number": pl.Float64, "text": pl.String, "truth": pl.Boolean}


def houses(n=120, seed=0):
    """Return a table with every kind of column; some values are missing."""
    rng = np.random.default_rng(seed)

    def gaps(values, share=0.1):
        return [None if rng.random() < share else value for value in values]

    return pl.DataFrame(
        {
            "area": gaps(rng.lognormal(4, 1, n).tolist()),
            "label": gaps(rng.choice(["", "new", "old"], n).tolist()),
            "rooms": rng.choice([1, 2, 3, -999], n).tolist(),
            "city": gaps(rng.choice(CITIES, n, p=np.arange(12, 0, -1) / 78).tolist()),
            "sold": gaps([START + datetime.timedelta(hours=7 * int(h)) for h in range(n)]),
            "constant": [7] * n,
            "moment": (1.7e9 + rng.integers(0, 9000, n)).tolist(),
            "garden": gaps((rng.random(n) < 0.5).tolist()),
            "took": gaps([datetime.timedelta(seconds=int(s)) for s in rng.integers(0, 9000, n)]),
        },
        strict=False,
    )


def unknown_houses(n=40):
    """Return rows with categories, dates and numbers that training has not seen."""
    frame = houses(n, seed=9)
    return frame.with_columns(
        pl.Series("city", [["nowhere", *CITIES][i % 13] for i in range(n)]),
        pl.Series("area", [1e30 * (-1) ** i if i % 5 == 0 else 3.0 * i for i in range(n)]),
        pl.Series(
            "sold", [datetime.datetime(1931 + 3 * i, 1 + i % 12, 29 - i % 5) for i in range(n)]
        ),
    )


def encoder_of(frame, **options):
    """Return a fitted encoder."""
    return TableEncoder(missing=["-999"], **options).fit(frame)


def table_model(method, n_classes=0, n_networks=1, encoder=None, seed=3):
    """Return a model with networks that have the weights of trained ones, at random."""
    frame = houses()
    encoder = encoder or encoder_of(frame)
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, len(frame)) if n_classes else rng.normal(3e6, 50, len(frame))
    rows, recipes = encoder.transform(frame, quiet=True), []
    for number in range(n_networks):
        some = np.sort(rng.choice(len(frame), 100, replace=False))
        recipe = prepare(method, rows.take(some), y[some], n_classes=n_classes, seed=number)
        for array in recipe.model.params.values():
            array += 0.1 * rng.normal(size=array.shape)
        recipes.append(recipe)
    classes = np.array(["ash", "elm", "oak", "yew"])[:n_classes] if n_classes else None
    metric = metric_of(None, classes=bool(n_classes))
    told = {"score": 0.0, "leaderboard": []}
    return TableModel(encoder, tuple(recipes), classes, method, metric, "", told)


def estimator_of(model):
    """Return the estimator that predicts with a model."""
    kind = TabularRegressor if model.classes is None else TabularClassifier
    return kind(model.method).adopt(model)


def numbers_of(series):
    """Return a column as float64, NaN if missing: moments and spans in seconds."""
    if series.dtype in (pl.Datetime, pl.Duration):
        return series.cast(pl.Int64).cast(pl.Float64).to_numpy() / 1e6
    return series.cast(pl.Float64).fill_null(np.nan).to_numpy()


def given_columns(encoder, frame):
    """Return what an ONNX file takes: numbers (N, 1), and texts for categories."""
    columns = []
    for name in encoder.names:
        series = frame[name]
        if name in encoder.categories:
            texts = [str(value) if value is not None else "" for value in series.to_list()]
            columns.append(np.array(texts, object)[:, None])
        else:
            columns.append(numbers_of(series)[:, None])
    return columns


def given_rows(encoder, frame):
    """Return what C and JavaScript take: numbers, and codes of categories."""
    codes = iter(encoder.transform(frame, quiet=True).codes.T)
    columns = [
        next(codes) if name in encoder.categories else numbers_of(frame[name])
        for name in encoder.names
    ]
    return np.stack(columns, axis=1).astype(np.float64)


def check(runner, model, frame, path):
    """Export a model of a table, and compare with its own predictions."""
    require(runner)
    file, estimator = path / f"house{SUFFIX[runner]}", estimator_of(model)

    estimator.export(file)

    if runner == "onnxruntime":
        found = run_onnx_columns(file, given_columns(model.encoder, frame))
    else:
        rows = given_rows(model.encoder, frame)
        found = run_node(file, rows)["y"] if runner == "node" else run_c(runner, file, rows)
    predicted = model.predict(frame)
    if model.classes is None:
        mean = predicted.mean()  # the largest difference between rows counts, not their size
        found = found[0] if runner == "onnxruntime" else found
        assert error(found - mean, (predicted - mean)[:, None]) < TOLERANCE
        return
    if runner == "onnxruntime":
        assert found[0].tolist() == estimator.predict(frame).tolist()
        found = found[1]
    assert error(found, predicted) < TOLERANCE


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("n_classes", [0, 3])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_written(runner, method, n_classes, tmp_path):
    check(runner, table_model(method, n_classes), houses(50, seed=1), tmp_path)


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("method", ["realmlp-td", "tabm-mini"])
def test_values_that_training_has_not_seen_are_encoded_alike(runner, method, tmp_path):
    encoder = encoder_of(houses(), max_categories=6)  # rarer cities share a code

    check(runner, table_model(method, 4, encoder=encoder), unknown_houses(), tmp_path)


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("n_classes", [0, 2])
def test_several_networks_are_one_file(runner, n_classes, tmp_path):
    check(runner, table_model("realmlp-td-s", n_classes, 3), houses(50, seed=2), tmp_path)
