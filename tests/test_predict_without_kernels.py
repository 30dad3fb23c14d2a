"""Predictions where no kernels have been compiled: plain numpy, at once, and the same numbers."""

import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import architectures, blobs
from strategies import filled

import fastmlp
from fastmlp.engine import inference, plain, readiness
from fastmlp.kernels.machine import place

REPORT = """
import json, sys
import numpy as np
import fastmlp
{code}
print(json.dumps({{"y": y.tolist(), "numba": "numba" in sys.modules}}))
"""
LOAD = "y = fastmlp.load({file!r}).predict(np.load({rows!r}))"


def run(code, cache, **environment):
    """Return what a fresh process reports that has the given folder as its cache."""
    environment = (
        os.environ | {"FASTMLP_CACHE_DIR": str(cache), "FASTMLP_PREDICT": ""} | environment
    )
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(code=code)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return json.loads(done.stdout)


@pytest.fixture
def files(tmp_path):
    """Return a model, some rows, and code that loads both and predicts."""
    model = fastmlp.Sequential(
        fastmlp.Normalize(np.full(6, 2.0), 3.0), fastmlp.Linear(6, 9), fastmlp.GELU(), seed=5
    )
    X = filled((7, 6), "normal", 3)
    model.save(tmp_path / "model.safetensors")
    np.save(tmp_path / "rows.npy", X)
    names = {"file": str(tmp_path / "model.safetensors"), "rows": str(tmp_path / "rows.npy")}
    return model, X, LOAD.format(**names)


@pytest.fixture
def without_kernels(monkeypatch):
    """Predict as on a machine that has never compiled."""
    monkeypatch.setenv("FASTMLP_PREDICT", "numpy")


@given(architecture=architectures(), dtype=st.sampled_from(["float32", "float64"]))
def test_the_outputs_are_those_of_the_kernels_up_to_rounding(architecture, dtype):
    D, _, build = architecture
    model = fastmlp.Sequential(*build(), dtype=dtype)
    X = filled((23, D), "normal", 6)

    compiled = model.predict(X)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASTMLP_PREDICT", "numpy")
        model.per_thread.predictor = None
        y = model.predict(X)

    assert y.dtype == compiled.dtype
    tolerance = 64 * np.finfo(dtype).eps * max(np.abs(compiled).max(), 1e-3)
    np.testing.assert_allclose(y, compiled, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
@pytest.mark.parametrize("n_rows", [1, 5, 2050])
def test_rows_of_every_kind_and_number_are_taken(dtype, n_rows, without_kernels):
    X = np.arange(12 * n_rows).reshape(n_rows, 3, 4) % 200
    model = fastmlp.Sequential(fastmlp.Flatten(), fastmlp.Linear(12, 3))

    y = model.predict(X.astype(dtype))

    wanted = X.reshape(n_rows, 12) @ model.params["1.weight"].astype(float)
    np.testing.assert_allclose(y, wanted, atol=1e-3)


def test_the_outputs_are_not_the_inputs(without_kernels):
    X = np.ones((3, 2), np.float32)

    y = fastmlp.Sequential(fastmlp.Dropout(0.5)).predict(X)

    y[:] = 7
    assert (X == 1).all()


def test_what_changes_in_the_model_changes_its_predictions(without_kernels):
    model = fastmlp.Sequential(fastmlp.Linear(2, 2), fastmlp.LeakyReLU(0.1))
    X = np.array([[1.0, -2.0]])
    model.predict(X)

    model.params["0.weight"] = np.array([[1.0, 0.0], [0.0, 1.0]])
    model.layers[1].negative_slope = 0.25

    np.testing.assert_array_equal(model.predict(X), [[1.0, -0.5]])


def test_a_fresh_process_on_a_fresh_machine_imports_no_compiler(files, tmp_path):
    model, X, code = files

    report = run(code, tmp_path / "empty")

    assert not report["numba"]
    np.testing.assert_allclose(report["y"], model.predict(X), rtol=1e-5, atol=1e-6)


def test_kernels_that_another_process_compiled_are_used(files, tmp_path):
    model, X, code = files
    run(code, tmp_path / "cache", FASTMLP_PREDICT="compiled")

    report = run(code, tmp_path / "cache")

    assert report["numba"]
    np.testing.assert_array_equal(report["y"], model.predict(X))


BROKEN = """
import sys
for name in ("numba", "llvmlite"):
    sys.modules[name] = None  # as if importing it failed
"""
MISSING = """
import importlib.metadata as found
def version(package, known=found.version):
    if package == "numba":
        raise found.PackageNotFoundError(package)
    return known(package)
found.version = version
"""


@pytest.mark.parametrize("damage", [BROKEN, BROKEN + MISSING], ids=["broken", "missing"])
def test_kernels_do_not_count_where_numba_does_not_work(damage, files, tmp_path):
    model, X, code = files
    folder = tmp_path / "cache" / "kernels-0"
    folder.mkdir(parents=True)
    readiness.leave_word(model.dtype, folder)

    report = run(damage + code, tmp_path / "cache")

    np.testing.assert_allclose(report["y"], model.predict(X), rtol=1e-5, atol=1e-6)


def test_kernels_of_another_instruction_set_or_dtype_do_not_count(files, tmp_path):
    _, _, code = files
    run(code, tmp_path / "cache", FASTMLP_PREDICT="compiled")
    wide = 'y = fastmlp.Sequential(fastmlp.Linear(2, 2), dtype="float64").predict(np.ones((1, 2)))'

    assert not run(code, tmp_path / "cache", FASTMLP_ISA="generic")["numba"]
    assert not run(wide, tmp_path / "cache")["numba"]


def test_after_training_predictions_are_compiled(monkeypatch):
    monkeypatch.setenv("FASTMLP_PREDICT", "numpy")
    X, y = blobs(40, 3, 2)
    model = fastmlp.Sequential(fastmlp.Linear(3, 2))
    model.predict(X)
    assert type(model.per_thread.predictor) is plain.PlainPredictor
    monkeypatch.delenv("FASTMLP_PREDICT")

    model.fit(X, y, epochs=1, verbose=False)
    model.predict(X)

    assert type(model.per_thread.predictor) is not plain.PlainPredictor


def test_estimators_follow_the_same_rule(tmp_path):
    sklearn = pytest.importorskip("fastmlp.sklearn")
    X, y = blobs(40, 3, 2)
    fitted = sklearn.MLPClassifier((5,), solver="lbfgs", max_iter=2000, random_state=0).fit(X, y)
    (tmp_path / "estimator.pkl").write_bytes(pickle.dumps((fitted, X)))
    path = str(tmp_path / "estimator.pkl")
    code = f"import pickle\nm, X = pickle.load(open({path!r}, 'rb'))\ny = m.predict_proba(X)"

    report = run(code, tmp_path / "empty")

    assert not report["numba"]
    np.testing.assert_allclose(report["y"], fitted.predict_proba(X), atol=1e-6)


def test_a_setting_that_is_unknown_is_refused(monkeypatch):
    monkeypatch.setenv("FASTMLP_PREDICT", "nunpy")

    with pytest.raises(ValueError, match="FASTMLP_PREDICT is 'nunpy': use compiled or numpy"):
        fastmlp.Sequential(fastmlp.Linear(2, 2)).predict([[1.0, 2.0]])


def test_a_user_without_a_home_predicts(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(place, "cache_root", homeless)

    assert readiness._roots() == []


def test_a_model_that_has_no_plan_is_run_layer_by_layer(without_kernels):
    model = fastmlp.Sequential(fastmlp.Linear(2, 2), fastmlp.Normalize(0.0, 2.0))

    assert not inference.can_infer(model)
    assert model.predict([[1.0, 2.0]]).shape == (1, 2)
