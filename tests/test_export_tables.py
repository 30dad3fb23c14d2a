"""Exported models of tables: from the columns as they are to classes and numbers."""

import datetime
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from exported import (
    MOSTLY,
    RUNNERS,
    SUFFIX,
    error,
    everywhere,
    require,
    run_c,
    run_node,
    run_onnx_columns,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastmlp import Linear, Sequential, Tanh
from fastmlp.cli import main
from fastmlp.tabular import TableEncoder, TabularClassifier, TabularRegressor, formulas
from fastmlp.tabular.calendar import PARTS, moment_parts
from fastmlp.tabular.exporting import decoded
from fastmlp.tabular.methods import INPUTS, METHODS, Targets, prepare
from fastmlp.tabular.metrics import metric_of
from fastmlp.tabular.model import TableModel

TOLERANCE = 1e-5  # of the largest output
START = datetime.datetime(2024, 2, 28, 22)
CITIES = [f"city {number}" for number in range(12)]
METHOD_OF = {"Inputs": "realmlp-td", "QuantileInputs": "tabm-mini"}
"""Kind of inputs -> a method that has them."""


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
            "sold", [datetime.datetime(1931 + 3 * i, 1 + i % 12, 28 - i % 5) for i in range(n)]
        ),
    )


def encoder_of(frame, **options):
    """Return a fitted encoder."""
    return TableEncoder(missing=["-999"], **options).fit(frame)


def table_model(method, n_classes=0, weights=(1.0,), encoder=None, small=True, frame=None):
    """Return a model with networks that have the weights of trained ones, at random.

    Its inputs and targets are those of the method, and so are its networks unless they are
    ``small``.
    """
    frame = houses() if frame is None else frame
    encoder = encoder or encoder_of(frame)
    rng = np.random.default_rng(3)
    y = rng.integers(0, n_classes, len(frame)) if n_classes else rng.normal(3e6, 50, len(frame))
    rows, recipes = encoder.transform(frame, quiet=True), []
    for number in range(len(weights)):
        some = np.sort(rng.choice(len(frame), 100, replace=False))
        options = {"n_classes": n_classes, "seed": number, "number": number}
        recipe = prepare(method, rows.take(some), y[some], **options)
        if small:
            width = recipe.inputs(rows).shape[1]
            model = Sequential(Linear(width, 5), Tanh(), Linear(5, recipe.targets.n_outputs))
            recipe = replace(recipe, model=model)
        for array in recipe.model.params.values():
            array += 0.1 * rng.normal(size=array.shape)
        recipes.append(recipe)
    classes = np.array(["ash", "elm", "oak", "yew"])[:n_classes] if n_classes else None
    metric = metric_of(None, classes=bool(n_classes))
    told = {"score": 0.0, "leaderboard": []}
    return TableModel(encoder, tuple(recipes), weights, classes, method, metric, "", told)


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
    file = path / f"house{SUFFIX[runner]}"

    estimator_of(model).export(file)

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
        assert found[0].tolist() == model.labels(predicted).tolist()
        found = found[1]
    assert error(found, predicted) < TOLERANCE


@pytest.mark.parametrize(("number", "method"), list(enumerate(METHODS)))
def test_every_method_is_written(number, method, tmp_path):
    model = table_model(method, 3 * (number % 2), small=False)

    check("onnxruntime", model, houses(50, seed=1), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("n_classes", [0, 3])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_written_in_every_language(runner, method, n_classes, tmp_path):
    check(runner, table_model(method, n_classes, small=False), houses(50, seed=1), tmp_path)


@pytest.mark.parametrize(
    ("runner", "case"),
    everywhere([("tabm-mini", 4), ("tabm-mini", 0), ("realmlp-td", 4), ("realmlp-td", 0)]),
)
def test_values_that_training_has_not_seen_are_encoded_alike(runner, case, tmp_path):
    method, n_classes = case
    encoder = encoder_of(houses(), max_categories=6)  # rarer cities share a code

    check(runner, table_model(method, n_classes, encoder=encoder), unknown_houses(), tmp_path)


@pytest.mark.parametrize(("runner", "n_classes"), everywhere([0, 2]))
def test_several_networks_are_one_file(runner, n_classes, tmp_path):
    model = table_model("pack", n_classes, (0.5, 0.2, 0.3))  # these have several kinds of inputs

    check(runner, model, houses(50, seed=2), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("runner", RUNNERS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_random_tables_agree(runner, tmp_path, data):
    used = [name for name in houses().columns if name != "constant"]
    columns = data.draw(st.lists(st.sampled_from(used), min_size=1, unique=True))
    most = data.draw(st.integers(2, 12))
    encoder = TableEncoder(missing=["-999"], max_categories=most).fit(houses().select(columns))
    method, n_classes = data.draw(st.sampled_from(METHODS)), data.draw(st.sampled_from([0, 2, 4]))
    weights = data.draw(st.sampled_from([(1.0,), (0.75, 0.25)]))
    new = data.draw(st.sampled_from([unknown_houses(), houses(40, seed=7)]))

    check(runner, table_model(method, n_classes, weights, encoder), new, tmp_path)


@pytest.mark.parametrize("columns", [["city", "garden"], ["area", "took"], ["sold"]], ids=str)
@pytest.mark.parametrize("method", METHOD_OF.values(), ids=METHOD_OF)
def test_a_table_need_not_have_every_kind_of_column(method, columns, tmp_path):
    encoder = TableEncoder().fit(houses().select(columns))

    check("onnxruntime", table_model(method, 2, encoder=encoder), unknown_houses(), tmp_path)


def test_a_number_that_means_a_missing_value_is_missing(tmp_path):
    require("onnxruntime")
    model = table_model("realmlp-td-s", 2)
    given = given_columns(model.encoder, houses(20).with_columns(rooms=pl.lit(-999)))
    estimator_of(model).export(tmp_path / "model.onnx")
    wanted = run_onnx_columns(tmp_path / "model.onnx", given)[1]
    given[model.encoder.names.index("rooms")] = np.full((20, 1), np.nan)

    found = run_onnx_columns(tmp_path / "model.onnx", given)[1]

    np.testing.assert_array_equal(found, wanted)


def test_a_truth_value_may_be_spelled_in_any_case(tmp_path):
    require("onnxruntime")
    model = table_model("realmlp-td-s", 2)
    given = given_columns(model.encoder, houses(20))
    estimator_of(model).export(tmp_path / "model.onnx")
    wanted = run_onnx_columns(tmp_path / "model.onnx", given)[1]
    place = model.encoder.names.index("garden")
    given[place] = np.array([text.upper() for text in given[place].ravel()], object)[:, None]

    found = run_onnx_columns(tmp_path / "model.onnx", given)[1]

    np.testing.assert_array_equal(found, wanted)


def test_an_input_has_the_name_of_its_column_unless_an_output_has_it(tmp_path):
    onnx = pytest.importorskip("onnx")
    model = table_model("realmlp-td-s", 2)

    estimator_of(model).export(tmp_path / "model.onnx")

    graph = onnx.load(tmp_path / "model.onnx").graph
    assert [each.name for each in graph.output] == ["label", "probabilities"]
    expected = [name.replace("label", "label_") for name in model.encoder.names]
    assert [each.name for each in graph.input] == expected


def test_a_javascript_module_lists_the_columns_and_the_categories(tmp_path):
    require("node")
    model = table_model("realmlp-td-s", 2, encoder=encoder_of(houses(), max_categories=6))
    estimator_of(model).export(tmp_path / "house.js")

    columns = run_node(tmp_path / "house.js", given_rows(model.encoder, houses(2)))["columns"]

    assert [column["name"] for column in columns] == list(model.encoder.names)
    listed = {c["name"]: tuple(c["categories"]) for c in columns if "categories" in c}
    assert listed == model.encoder.categories
    unknown = {c["name"]: c["unknown"] for c in columns if "unknown" in c}
    assert unknown == {"label": 0, "city": 7, "garden": 0}


def test_a_c_header_lists_the_columns_and_the_categories(tmp_path):
    model = table_model("realmlp-td-s", 2)

    estimator_of(model).export(tmp_path / "house.h")

    text = (tmp_path / "house.h").read_text()
    names = ", ".join(f'"{name}"' for name in model.encoder.names)
    assert names in text.replace("\n   ", "")
    assert 'house_categories1[2] = {\n    "new", "old"\n};' in text
    assert "x[4] sold: seconds since 1970" in text


@pytest.mark.parametrize("runner", MOSTLY[1:])
def test_a_column_may_have_any_name(runner, tmp_path):
    names = ["/*", "*/ a", "??/", "b\\", "two\nlines", "\u202e", '"%d"', "é\0", "// x"]
    houses_with_names = houses().rename(dict(zip(houses().columns, names, strict=True)))

    model = table_model("realmlp-td-s", 2, frame=houses_with_names)

    check(runner, model, houses_with_names, tmp_path)


def test_the_error_of_8_bits_is_measured_on_rows_like_those_of_the_table(tmp_path):
    require("gcc")
    model = table_model("realmlp-td", 3)

    estimator_of(model).export(tmp_path / "house.h", int8=True)

    found = run_c("gcc", tmp_path / "house.h", given_rows(model.encoder, houses(50, seed=4)))
    assert 1e-6 < error(found, model.predict(houses(50, seed=4))) < 0.05


def test_the_command_line_exports_a_saved_model_of_a_table(tmp_path, capsys):
    require("onnxruntime")
    model = table_model("realmlp-td-s", 3)
    estimator_of(model).save(tmp_path / "house.safetensors")

    done = main(["export", str(tmp_path / "house.safetensors"), str(tmp_path / "house.onnx")])

    assert done == 0
    columns = given_columns(model.encoder, houses(20))
    found = run_onnx_columns(tmp_path / "house.onnx", columns)[1]
    assert error(found, model.predict(houses(20))) < TOLERANCE


# The formulas, without files.


def test_every_kind_of_inputs_is_written():
    assert set(formulas.WRITERS) == set(INPUTS.values())
    assert set(METHOD_OF) == set(INPUTS)


@pytest.mark.parametrize("frame", [houses(60, seed=5), unknown_houses()], ids=["known", "unknown"])
@pytest.mark.parametrize("method", METHOD_OF.values(), ids=METHOD_OF)
def test_the_formulas_of_inputs_give_what_the_inputs_are(method, frame):
    model = table_model(method, 2)
    used = [column for column in model.encoder.columns if column.kind != "left out"]
    rows = model.encoder.transform(frame, quiet=True)

    numbers, codes = formulas.encoded(
        used, model.encoder.missing_texts, given_rows(model.encoder, frame)
    )

    np.testing.assert_array_equal(numbers, rows.numbers)
    np.testing.assert_array_equal(codes, rows.codes)
    found = formulas.network_inputs(model.recipes[0].inputs, numbers, codes)
    np.testing.assert_allclose(found, model.recipes[0].inputs(rows), rtol=1e-6, atol=1e-6)


@given(st.lists(st.floats(-1e14, 1e14) | st.just(np.nan), min_size=1, max_size=20))
def test_the_calendar_in_plain_arithmetic_is_that_of_numpy(seconds):
    x = np.array(seconds)[:, None]

    found = formulas.moment_parts(x, np.array([1.7e9]))

    wanted = moment_parts(x[:, 0], PARTS, 1.7e9)
    for place, part in enumerate(PARTS):
        shown = np.where(np.isnan(x[:, 0]), np.nan, found[part][:, 0])
        np.testing.assert_array_equal(shown, wanted[:, place], err_msg=part)


TARGETS = {
    "classes": Targets(3),
    "members' classes": Targets(3, n_members=4),
    "numbers": Targets(0, 1e9, 3.0),
    "numbers in a range": Targets(0, 5.0, 3.0, -1.0, 7.0),
    "members' numbers": Targets(0, 5.0, 3.0, -1.0, 7.0, n_members=4),
}


@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
def test_the_formula_of_targets_gives_what_they_decode(targets):
    outputs = np.random.default_rng(6).normal(0, 2, (30, targets.n_outputs)).astype(np.float32)

    found = decoded(targets, outputs)

    wanted = targets.decode(outputs)
    np.testing.assert_allclose(found.reshape(wanted.shape), wanted, rtol=1e-6)
