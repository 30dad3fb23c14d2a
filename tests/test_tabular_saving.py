"""Files of tabular estimators: the same predictions for raw rows, and nothing is executed."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("narwhals")
pytest.importorskip("polars")

from model_files import with_architecture
from old_files import narrow
from tabular_support import birds

import fastmlp
from fastmlp.tabular import METHODS, TabularClassifier, TabularRegressor

pytestmark = pytest.mark.filterwarnings("ignore:the column 'ring' is left out:UserWarning")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    frame, species, _ = birds(100)
    estimator = TabularClassifier(n_ensemble=2, random_state=0).fit(frame, species)
    path = tmp_path_factory.mktemp("models") / "birds.safetensors"
    estimator.save(path)
    return estimator, path


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    frame, species, _ = birds(60)
    frame_val, species_val, _ = birds(50, seed=1)
    estimator = TabularClassifier("pack", n_ensemble=2, random_state=0)
    estimator.fit(frame, species, frame_val, species_val)
    path = tmp_path_factory.mktemp("models") / "pack.safetensors"
    estimator.save(path)
    return estimator, path


def test_a_wrong_setting_is_no_fault_of_the_file(saved, monkeypatch):
    monkeypatch.setenv("FASTMLP_PREDICT", "fast")

    with pytest.raises(ValueError, match=r"^FASTMLP_PREDICT is 'fast'"):
        fastmlp.load(saved[1])


def test_a_fresh_process_predicts_the_same_for_raw_rows(saved, pack, tmp_path):
    frame, _, _ = birds(30, seed=4)
    frame.write_csv(tmp_path / "new.csv")
    code = (
        "import sys, fastmlp, numpy, polars\n"
        "frame = polars.read_csv(sys.argv[2], infer_schema=False)\n"
        "found = [fastmlp.load(path).predict_proba(frame) for path in sys.argv[3:]]\n"
        "numpy.save(sys.argv[1], found)"
    )
    out = tmp_path / "p.npy"

    subprocess.run(
        [sys.executable, "-c", code, out, tmp_path / "new.csv", saved[1], pack[1]],
        check=True,
        timeout=300,
    )

    for (estimator, _), found in zip((saved, pack), np.load(out), strict=True):
        np.testing.assert_array_equal(found, estimator.predict_proba(frame))


def test_a_loaded_pack_keeps_the_weights_of_its_networks(pack):
    estimator, path = pack

    loaded = fastmlp.load(path)

    assert loaded._model.weights == estimator._model.weights
    assert loaded.leaderboard_ == estimator.leaderboard_
    assert loaded.method == "pack"


def test_a_loaded_estimator_knows_what_it_was(saved):
    estimator, path = saved

    loaded = fastmlp.load(path)

    assert isinstance(loaded, TabularClassifier)
    assert loaded.classes_.tolist() == estimator.classes_.tolist()
    assert loaded.summary() == estimator.summary()
    assert loaded.leaderboard_ == estimator.leaderboard_
    assert loaded.feature_names_in_.tolist() == estimator.feature_names_in_.tolist()


def test_a_loaded_estimator_says_that_it_lacks_validation_rows(saved):
    with pytest.raises(AttributeError, match="its validation rows are not in the file"):
        _ = fastmlp.load(saved[1]).feature_importances_


def test_a_loaded_estimator_can_be_saved_again(saved, tmp_path):
    _, path = saved
    again = tmp_path / "again.safetensors"

    fastmlp.load(path).save(again)

    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "classes", [[7, 3, 12], [True, False, True], [2.0, 1.0, 2.0], ["b", "a", "ü"]]
)
def test_classes_keep_their_type(classes, tmp_path):
    X = np.random.default_rng(0).normal(size=(24, 2))
    estimator = TabularClassifier(random_state=0).fit(X, classes * 8)
    estimator.save(tmp_path / "m.safetensors")

    loaded = fastmlp.load(tmp_path / "m.safetensors")

    assert loaded.classes_.dtype == estimator.classes_.dtype
    np.testing.assert_array_equal(loaded.predict(X), estimator.predict(X))


@pytest.mark.parametrize("method", METHODS)
def test_a_regressor_of_every_method_is_loaded_as_one(method, tmp_path):
    frame, _, grams = birds(40)
    with narrow():
        estimator = TabularRegressor(method, n_ensemble=1, random_state=0).fit(frame, grams)
    estimator.save(tmp_path / "m.safetensors")

    loaded = fastmlp.load(tmp_path / "m.safetensors")

    assert isinstance(loaded, TabularRegressor)
    np.testing.assert_array_equal(loaded.predict(frame), estimator.predict(frame))


def _more_classes(description):
    description["classes"]["values"] = ["a", "b", "c", "d"]


def _more_numbers(description):
    column = next(c for c in description["encoder"]["columns"] if c["becomes"] == "number")
    description["encoder"]["columns"].append(column | {"name": "more"})


def _more_categories(description):
    column = next(c for c in description["encoder"]["columns"] if c["becomes"] == "category")
    column["categories"].append("zzz")


def _one_network(description):
    del description["networks"][1]


def _no_encoder(description):
    del description["encoder"]


def _other_metric(description):
    description["metric"] = "exec"


def _other_inputs(description):
    description["networks"][0]["inputs"] = "Popen"


def _negative_weight(description):
    description["weights"] = [1.5, -0.5]


def _one_weight(description):
    description["weights"] = [1.0]


def _unknown_weight(description):
    description["weights"] = ["nan", 0.5]


def _too_heavy(description):
    description["weights"] = [1.0, 0.75]


def _no_score(description):
    del description["told"]["score"]


def _other_leaderboard(description):
    description["told"]["leaderboard"] = {"1": 2}


def _pickled_classes(description):
    description["classes"] = {"dtype": "O", "values": [{"x": 1}, {"y": 2}]}


@pytest.mark.parametrize(
    "change",
    [
        _more_classes,
        _more_numbers,
        _more_categories,
        _one_network,
        _no_encoder,
        _other_metric,
        _other_inputs,
        _pickled_classes,
        _negative_weight,
        _one_weight,
        _unknown_weight,
        _too_heavy,
        _no_score,
        _other_leaderboard,
    ],
)
def test_a_file_whose_parts_do_not_fit_is_refused(saved, tmp_path, change):
    path = tmp_path / "m.safetensors"
    path.write_bytes(with_architecture(saved[1].read_bytes(), change))

    with pytest.raises(ValueError, match="cannot be loaded as a model"):
        fastmlp.load(path)


def test_a_truncated_file_is_refused(saved, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(saved[1].read_bytes()[:-100])

    with pytest.raises(ValueError, match="truncated, 100 bytes missing"):
        fastmlp.load(path)
