"""The estimators in scikit-learn's pipelines, searches and other tools."""

import pickle
import re
import subprocess
import sys

import joblib
import numpy as np
import pytest

pytest.importorskip("sklearn")

import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import make_classification, make_regression
from sklearn.ensemble import BaggingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - importing it is what enables
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastmlp.sklearn import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # joblib's and numpy's own
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

SMALL = {"hidden_layer_sizes": (16,), "random_state": 0, "max_iter": 20, "learning_rate_init": 0.02}


@pytest.fixture
def data():
    return make_classification(240, 6, n_informative=4, random_state=0)


def assert_predicts_the_same(a, b, X):
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))


def test_pipeline(data):
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**SMALL)).fit(*data)
    assert pipeline.score(*data) > 0.8


def test_grid_search(data):
    grid = {"alpha": [1e-4, 100.0], "dropout": [0.0, 0.2], "activation": ["relu", "silu"]}
    search = GridSearchCV(MLPClassifier(**SMALL), grid, cv=2).fit(*data)
    assert search.best_params_["alpha"] == 1e-4


def test_halving_grid_search(data):
    search = HalvingGridSearchCV(
        MLPClassifier(**SMALL),
        {"learning_rate_init": [1e-6, 2e-2]},
        resource="max_iter",
        max_resources=20,
        min_resources=5,
        cv=2,
        random_state=0,
    )
    assert search.fit(*data).best_params_["learning_rate_init"] == 2e-2


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_cross_validation_in_parallel(data, backend):
    alone = cross_val_score(MLPClassifier(**SMALL), *data, cv=2)
    with joblib.parallel_config(backend):
        together = cross_val_score(MLPClassifier(**SMALL), *data, cv=2, n_jobs=2)
    np.testing.assert_array_equal(alone, together)


def test_calibration(data):
    calibrated = CalibratedClassifierCV(MLPClassifier(**SMALL), cv=2).fit(*data)
    np.testing.assert_allclose(calibrated.predict_proba(data[0]).sum(axis=1), 1.0)


def test_bagging(data):
    bagging = BaggingClassifier(
        MLPClassifier(**SMALL), n_estimators=4, n_jobs=2, random_state=0
    ).fit(*data)
    assert bagging.score(*data) > 0.8


def test_permutation_importance():
    X, y = make_regression(200, 4, n_informative=1, random_state=0)
    regressor = MLPRegressor(**SMALL | {"max_iter": 100}).fit(X, y / y.std())
    importances = permutation_importance(
        regressor, X, y / y.std(), n_repeats=3, random_state=0
    ).importances_mean
    assert importances.argmax() == np.abs(np.corrcoef(X.T, y)[-1, :-1]).argmax()


def test_transformed_targets():
    X, y = make_regression(200, 4, random_state=0)
    regressor = TransformedTargetRegressor(MLPRegressor(**SMALL), transformer=StandardScaler())
    assert regressor.fit(X, 1000 + y).score(X, 1000 + y) > 0.8


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(data, library):
    frames = pytest.importorskip(library)
    X, y = data
    frame = frames.DataFrame({f"x{i}": column for i, column in enumerate(X.T)})
    classifier = MLPClassifier(**SMALL | {"early_stopping": True}, scoring="f1")
    plain = clone(classifier).fit(X, y)
    classifier.fit(frame, y)
    np.testing.assert_array_equal(classifier.predict_proba(frame), plain.predict_proba(X))
    assert list(classifier.feature_names_in_) == list(frame.columns)
    reordered = frame[list(frame.columns)[::-1]]
    with pytest.raises(ValueError, match="feature names should match"):
        classifier.predict(reordered)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output(data, library):
    frames = pytest.importorskip(library)
    X, y = data
    frame = frames.DataFrame({"a": X[:, 0], "b": X[:, 1], "kind": np.where(X[:, 2] > 0, "u", "v")})
    columns = make_column_transformer(
        (StandardScaler(), ["a", "b"]),
        (OneHotEncoder(sparse_output=False), ["kind"]),
        verbose_feature_names_out=False,
    ).set_output(transform=library)
    pipeline = make_pipeline(columns, MLPClassifier(**SMALL)).fit(frame, y)
    assert list(pipeline[-1].feature_names_in_) == ["a", "b", "kind_u", "kind_v"]
    assert len(pipeline.predict(frame)) == len(y)


def test_validation_frames_keep_their_names(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    frame = pandas.DataFrame(X, columns=[f"x{i}" for i in range(6)])
    classifier = MLPClassifier(**SMALL, scoring="roc_auc").fit(
        frame[:200], y[:200], X_val=frame[200:], y_val=y[200:]
    )
    assert len(classifier.validation_scores_) == 20


def test_metadata_is_routed(data):
    weight = np.where(data[1] == 1, 10.0, 0.1)
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = MLPClassifier(**SMALL).set_fit_request(sample_weight=True)
        classifier.set_score_request(sample_weight=False)
        scores = cross_validate(
            classifier, *data, params={"sample_weight": weight}, cv=2, return_estimator=True
        )
    weighted = scores["estimator"][0].predict(data[0]).mean()
    assert weighted > MLPClassifier(**SMALL).fit(*data).predict(data[0]).mean()


def test_weights_are_routed_to_the_scorer_of_early_stopping(data):
    weight = np.linspace(0.5, 1.5, len(data[1]))
    classifier = MLPClassifier(**SMALL, early_stopping=True, scoring="f1")
    plain = clone(classifier).fit(*data, sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        classifier.set_fit_request(sample_weight=True)
        routed = make_pipeline(classifier).fit(*data, sample_weight=weight)[-1]
    assert routed.validation_scores_ == plain.validation_scores_


def test_validation_rows_pass_through_a_pipeline(data):
    X, y = data
    scaler = StandardScaler().fit(X[:200])
    alone = MLPClassifier(**SMALL).fit(
        scaler.transform(X[:200]), y[:200], X_val=scaler.transform(X[200:]), y_val=y[200:]
    )
    with sklearn.config_context(enable_metadata_routing=True):
        classifier = MLPClassifier(**SMALL).set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline(
            [("scale", StandardScaler()), ("mlp", classifier)], transform_input=["X_val"]
        )
        pipeline.fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    assert pipeline[-1].validation_scores_ == alone.validation_scores_


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_every_argument_and_attribute_is_documented(estimator, data):
    fitted = estimator(**SMALL).fit(*data)
    attributes = [name for name in dir(fitted) if name.endswith("_") and name[0] != "_"]
    for name in [*fitted.get_params(), *attributes]:
        assert re.search(rf"^(\w+, )*{name}(, \w+)* : ", estimator.__doc__, re.M), name


def test_clone_is_not_fitted(data):
    fitted = MLPClassifier(**SMALL, dropout=0.1, callbacks=[]).fit(*data)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "coefs_")


def test_pickle_and_joblib(data, tmp_path):
    fitted = MLPClassifier(**SMALL, normalization="batch").fit(*data)
    assert_predicts_the_same(pickle.loads(pickle.dumps(fitted)), fitted, data[0])
    joblib.dump(fitted, tmp_path / "classifier.joblib")
    mapped = joblib.load(tmp_path / "classifier.joblib", mmap_mode="r")
    assert_predicts_the_same(mapped, fitted, data[0])
    mapped.partial_fit(*data)


def test_fastmlp_alone_imports_no_sklearn():
    script = "import sys, fastmlp; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_without_scikit_learn_one_sentence_says_what_to_install():
    script = "import sys; sys.modules['sklearn'] = None; import fastmlp.sklearn"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert result.stderr.strip().splitlines()[-1] == (
        "ModuleNotFoundError: fastmlp.sklearn needs scikit-learn: install it with "
        "pip install 'fastmlp[sklearn]'"
    )
