"""Exported estimators: probabilities, labels, and the names that skl2onnx gives them."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from exported import RUNNERS, SUFFIX, error, require, run, run_node, run_onnx
from networks import blobs

pytest.importorskip("sklearn")
from fastmlp.sklearn import MLPClassifier, MLPRegressor

TOLERANCE = 1e-6
LABELS = {
    "texts": np.array(["ash", 'o"ak', "bee\\ch", "Tännä"]),
    "objects": np.array(["a", "b", "c", "d"], dtype=object),
    "whole numbers": np.array([-7, 3, 12, 2**40]),
    "small whole numbers": np.array([2, 4, 8, 9], dtype=np.uint8),
    "floats": np.array([-1.0, 2.0, 3.0, 1e9]),
}


def classifier(classes, **options):
    """Return a classifier of blobs with these classes, and its rows."""
    X, y = blobs(80, 5, len(classes), seed=4, dtype="float64")
    options = {"hidden_layer_sizes": (9,), "max_iter": 3, "random_state": 1} | options
    with pytest.warns(UserWarning, match="Maximum iterations"):
        return MLPClassifier(**options).fit(X, classes[y]), X


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_probabilities_are_those_of_the_classifier(runner, n_classes, tmp_path):
    require(runner)
    fitted, X = classifier(np.arange(n_classes), activation="logistic", normalization="layer")
    file = tmp_path / f"model{SUFFIX[runner]}"

    fitted.export(file)

    assert error(run(runner, file, X), fitted.predict_proba(X)) < TOLERANCE


@pytest.mark.parametrize("runner", RUNNERS)
def test_probabilities_of_several_labels_are_those_of_the_classifier(runner, tmp_path):
    require(runner)
    X, y = blobs(80, 5, 8, seed=5, dtype="float64")
    several = (y[:, None] >> np.arange(3)) & 1
    with pytest.warns(UserWarning, match="Maximum iterations"):
        fitted = MLPClassifier((9,), max_iter=3, random_state=1).fit(X, several)
    file = tmp_path / f"model{SUFFIX[runner]}"

    fitted.export(file)

    assert error(run(runner, file, X), fitted.predict_proba(X)) < TOLERANCE
    if runner == "onnxruntime":
        np.testing.assert_array_equal(run_onnx(file, X)[0], fitted.predict(X))


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_values_are_those_of_the_regressor(runner, loss, n_targets, tmp_path):
    require(runner)
    X, y = blobs(80, 5, 6, seed=6, dtype="float64")
    targets = y if n_targets == 1 else np.stack([y, 2 * y, y + 1], axis=1)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        fitted = MLPRegressor(loss, (9,), max_iter=3, random_state=1).fit(X, targets)
    file = tmp_path / f"model{SUFFIX[runner]}"

    fitted.export(file)

    wanted = fitted.predict(X).reshape(len(X), n_targets)
    assert error(run(runner, file, X), wanted) < TOLERANCE


@pytest.mark.parametrize("classes", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_an_onnx_file_gives_the_labels_themselves(classes, n_classes, tmp_path):
    require("onnxruntime")
    fitted, X = classifier(classes[:n_classes])

    fitted.export(tmp_path / "model.onnx")

    labels = run_onnx(tmp_path / "model.onnx", X)[0]
    assert labels.tolist() == fitted.predict(X).tolist()


def test_an_onnx_file_gives_labels_that_are_true_or_false(tmp_path):
    require("onnxruntime")
    fitted, X = classifier(np.array([False, True]))

    fitted.export(tmp_path / "model.onnx")

    assert run_onnx(tmp_path / "model.onnx", X)[0].tolist() == fitted.predict(X).tolist()


def test_an_onnx_file_knows_a_single_class(tmp_path):
    require("onnxruntime")
    fitted, X = classifier(np.array(["only"]))

    fitted.export(tmp_path / "model.onnx")

    assert set(run_onnx(tmp_path / "model.onnx", X)[0]) == {"only"}


def test_inputs_and_outputs_have_the_names_that_skl2onnx_gives(tmp_path):
    onnx = pytest.importorskip("onnx")
    fitted, X = classifier(np.arange(3))
    with pytest.warns(UserWarning, match="Maximum iterations"):
        regressor = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2).fit(X, X[:, 0])
    names = []
    for estimator in (fitted, regressor):
        estimator.export(tmp_path / "model.onnx")
        graph = onnx.load(tmp_path / "model.onnx").graph
        names.append([each.name for each in (*graph.input, *graph.output)])

    assert names == [["X", "label", "probabilities"], ["X", "variable"]]


@pytest.mark.parametrize("classes", LABELS.values(), ids=LABELS)
def test_a_javascript_module_names_the_classes(classes, tmp_path):
    require("node")
    fitted, X = classifier(classes)

    fitted.export(tmp_path / "model.js")

    assert run_node(tmp_path / "model.js", X[:1])["classes"] == fitted.classes_.tolist()


@pytest.mark.parametrize("classes", LABELS.values(), ids=LABELS)
def test_a_c_header_names_the_classes(classes, tmp_path):
    fitted, _ = classifier(classes)

    fitted.export(tmp_path / "trees.h")

    listed = re.search(
        r"trees_classes\[4\] = \{\n(.*?)\n\};", (tmp_path / "trees.h").read_text(), re.DOTALL
    )
    values = [text.strip() for text in listed[1].split(",")]
    if classes.dtype.kind in "OU":
        read = [
            re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1], 8)]), value.strip('"').encode())
            for value in values
        ]
        assert [each.decode() for each in read] == fitted.classes_.tolist()
    else:
        assert [float(value) for value in values] == fitted.classes_.tolist()


def test_an_estimator_that_is_not_fitted_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not fitted yet"):
        MLPClassifier().export(tmp_path / "model.onnx")


# In a process of its own, since importing emlearn makes numpy raise errors everywhere.
EMLEARN = """
import sys, warnings
import emlearn
import numpy as np
from networks import blobs
from fastmlp import sklearn

warnings.simplefilter("ignore")
np.seterr(all="warn")
kind, activation = sys.argv[1:]
X, y = blobs(80, 5, 3, seed=7)
estimator = getattr(sklearn, kind)(hidden_layer_sizes=(9, 4), activation=activation, max_iter=20)
estimator.fit(X, y)
task = "regressor" if kind == "MLPRegressor" else "classifier"
converted = emlearn.convert(estimator, method="loadable", return_type=task)
np.testing.assert_allclose(converted.predict(X), estimator.predict(X), rtol=1e-3, atol=1e-3)
"""


@pytest.mark.parametrize(
    ("kind", "activation"),
    [("MLPClassifier", "relu"), ("MLPClassifier", "logistic"), ("MLPRegressor", "tanh")],
)
def test_emlearn_converts_an_estimator_by_its_attributes(kind, activation, tmp_path):
    require("gcc")
    if find_spec("emlearn") is None:
        pytest.skip("emlearn is not installed")
    found = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])

    done = subprocess.run(
        [sys.executable, "-c", EMLEARN, kind, activation],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": found},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr
