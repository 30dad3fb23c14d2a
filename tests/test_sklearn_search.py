"""MLPGridSearchCV and MLPRandomizedSearchCV find what scikit-learn's searches find, in one pack."""

import threading
import warnings

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp.sklearn import (
    MLPClassifier,
    MLPGridSearchCV,
    MLPRandomizedSearchCV,
    MLPRegressor,
    _pack,
    _tasks,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
TIMES = ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time")


def classifier(**given):
    return MLPClassifier((6,), **{"max_iter": 8, "random_state": 3} | given)


def regressor(**given):
    return MLPRegressor(**{"hidden_layer_sizes": (5,), "max_iter": 8, "random_state": 3} | given)


def assert_same(ours, theirs):
    """Assert that two searches found the same, up to the times."""
    assert ours.cv_results_.keys() == theirs.cv_results_.keys()
    for name, values in theirs.cv_results_.items():
        if name in TIMES:
            assert (np.asarray(ours.cv_results_[name]) >= 0).all()
        elif name.startswith("param"):
            assert list(map(str, ours.cv_results_[name])) == list(map(str, values))
        else:
            np.testing.assert_array_equal(ours.cv_results_[name], values, err_msg=name)
    for name in ("best_params_", "best_score_", "best_index_", "multimetric_", "n_splits_"):
        assert hasattr(ours, name) == hasattr(theirs, name)
        assert repr(getattr(ours, name, None)) == repr(getattr(theirs, name, None))


@pytest.fixture
def packed_fits(monkeypatch):
    """Return a list that grows by one for each training that a pack has run."""
    found = []
    run = _pack.Job.run

    def noted(job):
        found.append(threading.current_thread())
        run(job)

    monkeypatch.setattr(_pack.Job, "run", noted)
    return found


CASES = {
    "solvers and rates": (
        classifier(),
        {"solver": ["sgd", "adam", "adamw"], "learning_rate_init": [1e-3, 1e-2]},
        IRIS,
        {},
    ),
    "early stopping": (
        classifier(early_stopping=True, n_iter_no_change=2, max_iter=40),
        {"tol": [1e-3, 0.1], "validation_fraction": [0.1, 0.3]},
        IRIS,
        {},
    ),
    "a scorer of its own for early stopping": (
        classifier(early_stopping=True, scoring="balanced_accuracy", n_iter_no_change=2),
        {"alpha": [1e-4, 1.0]},
        IRIS,
        {},
    ),
    "adaptive rates": (
        classifier(solver="sgd", learning_rate="adaptive", n_iter_no_change=1, max_iter=40),
        {"momentum": [0.0, 0.9], "tol": [0.01, 0.1]},
        IRIS,
        {"return_train_score": True},
    ),
    "widths, dropout and normalization": (
        classifier(),
        [
            {"hidden_layer_sizes": [(3,), (8, 4)], "normalization": ["batch", "layer"]},
            {"dropout": [0.3], "batch_size": [16, 50]},
        ],
        IRIS,
        {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"},
    ),
    "losses of a regressor": (
        regressor(),
        {"loss": ["squared_error", "huber", "quantile"], "activation": ["tanh", "relu"]},
        DIABETES,
        {"scoring": "neg_mean_absolute_error", "cv": 3},
    ),
    "weights": (
        classifier(),
        {"alpha": [1e-3, 1.0]},
        IRIS,
        {"fit_params": {"sample_weight": np.linspace(0, 3, 150)}},
    ),
    "groups": (
        classifier(),
        {"shuffle": [True, False]},
        IRIS,
        {"cv": GroupKFold(4), "fit_params": {"groups": np.arange(150) % 7}},
    ),
    "several labels": (
        classifier(),
        {"alpha": [1e-3, 1.0]},
        make_multilabel_classification(60, 5, n_classes=3, random_state=0),
        {"scoring": "f1_micro"},
    ),
    "no refit": (classifier(), {"alpha": [0.1]}, IRIS, {"refit": False}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_grid_gives_the_table_of_grid_search(case, packed_fits):
    estimator, grid, (X, y), options = CASES[case]
    options = dict(options)
    fit_params = options.pop("fit_params", {})
    theirs = GridSearchCV(estimator, grid, **options).fit(X, y, **fit_params)
    assert not packed_fits

    ours = MLPGridSearchCV(estimator, grid, **options).fit(X, y, **fit_params)

    assert_same(ours, theirs)
    assert len(packed_fits) == len(theirs.cv_results_["params"]) * theirs.n_splits_
    assert threading.main_thread() not in packed_fits
    if options.get("refit", True):
        np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.parametrize("n_jobs", [None, 1, 3, -1])
def test_results_do_not_depend_on_the_number_of_jobs(n_jobs):
    theirs = GridSearchCV(classifier(), {"alpha": [0.1, 1.0, 5.0]}).fit(*IRIS)

    ours = MLPGridSearchCV(classifier(), {"alpha": [0.1, 1.0, 5.0]}, n_jobs=n_jobs).fit(*IRIS)

    assert_same(ours, theirs)


def test_random_candidates_are_those_of_randomized_search(packed_fits):
    ranges = {"learning_rate_init": loguniform(1e-4, 1e-1), "batch_size": [8, 32]}
    options = {"n_iter": 5, "random_state": 11, "cv": 3}
    theirs = RandomizedSearchCV(regressor(), ranges, **options).fit(*DIABETES)

    ours = MLPRandomizedSearchCV(regressor(), ranges, **options).fit(*DIABETES)

    assert_same(ours, theirs)
    assert len(packed_fits) == 15


class Counting(TransformerMixin, BaseEstimator):
    """Scales by a factor, and counts how often it is fitted."""

    n_fits = 0

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        Counting.n_fits += 1
        self.mean_ = X.mean(axis=0)
        return self

    def transform(self, X):
        return (X - self.mean_) * self.factor


def pipeline(estimator):
    return Pipeline([("scale", Counting()), ("select", SelectKBest(k=3)), ("mlp", estimator)])


def test_other_steps_are_fitted_once_for_each_fold_and_each_of_their_settings():
    grid = {"scale__factor": [0.5, 1.0], "mlp__alpha": [0.1, 1.0, 3.0], "mlp__solver": ["adam"]}
    theirs = GridSearchCV(pipeline(classifier()), grid, cv=4).fit(*IRIS)
    Counting.n_fits = 0

    ours = MLPGridSearchCV(pipeline(classifier()), grid, cv=4, refit=False).fit(*IRIS)

    assert Counting.n_fits == 2 * 4
    for name in ("mean_test_score", "rank_test_score"):
        np.testing.assert_array_equal(ours.cv_results_[name], theirs.cv_results_[name])


def test_a_pipeline_passes_weights_to_its_last_step(packed_fits):
    weights = np.linspace(0, 2, 150)
    grid = {"mlp__alpha": [0.1, 1.0], "select__k": [1, 4]}
    given = {"mlp__sample_weight": weights}
    theirs = GridSearchCV(pipeline(classifier()), grid).fit(*IRIS, **given)

    ours = MLPGridSearchCV(pipeline(classifier()), grid).fit(*IRIS, **given)

    assert_same(ours, theirs)
    assert len(packed_fits) == 20


def test_steps_may_be_replaced_by_the_grid(packed_fits):
    grid = [
        {"mlp": [classifier(), classifier(solver="sgd")], "scale": ["passthrough", Counting(2.0)]},
        {"mlp": [LogisticRegression()], "mlp__C": [0.1, 1.0]},
    ]
    theirs = GridSearchCV(pipeline(classifier()), grid).fit(*IRIS)

    ours = MLPGridSearchCV(pipeline(classifier()), grid).fit(*IRIS)

    assert_same(ours, theirs)
    assert len(packed_fits) == 4 * 5


class Subclass(MLPClassifier):
    """Overrides fit, so that only its own fit does the right thing."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X[:, ::-1].copy(), y, sample_weight)


@pytest.mark.parametrize(
    "estimator",
    [
        classifier(solver="lbfgs"),
        classifier(callbacks=[type("Own", (), {"on_epoch_end": lambda *_: None})()]),
        classifier(early_stopping=True, scoring=lambda estimator, X, y: estimator.score(X, y)),
        Subclass((6,), max_iter=5, random_state=0),
        LogisticRegression(),
        make_pipeline(make_pipeline(StandardScaler(), classifier())),
    ],
    ids=["lbfgs", "callbacks", "scorer", "subclass", "other", "nested"],
)
def test_what_a_pack_cannot_train_is_fitted_one_by_one(estimator, packed_fits):
    theirs = GridSearchCV(estimator, {}).fit(*IRIS)

    ours = MLPGridSearchCV(estimator, {}).fit(*IRIS)

    assert_same(ours, theirs)
    assert not packed_fits


def test_candidates_that_can_and_cannot_be_packed_keep_their_places(packed_fits):
    grid = {"solver": ["adam", "lbfgs", "sgd"], "alpha": [0.1, 1.0]}
    theirs = GridSearchCV(classifier(), grid).fit(*IRIS)

    ours = MLPGridSearchCV(classifier(), grid).fit(*IRIS)

    assert_same(ours, theirs)
    assert len(packed_fits) == 4 * 5


@pytest.mark.parametrize(
    "grid",
    [{"alpha": [-1.0, 0.1], "learning_rate_init": [1e-6]}, {"learning_rate_init": [1e30, 1e-6]}],
)
def test_a_candidate_that_fails_has_the_error_score(grid):
    X, y = DIABETES
    estimator = regressor(solver="sgd")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = GridSearchCV(estimator, grid, error_score=-7.0).fit(X, y)
    with pytest.warns(FitFailedWarning, match="5 fits failed"):
        ours = MLPGridSearchCV(estimator, grid, error_score=-7.0).fit(X, y)

    assert_same(ours, theirs)
    with pytest.raises(ValueError, match=r"alpha|non-finite"):
        MLPGridSearchCV(estimator, grid, error_score="raise").fit(X, y)


def test_parameters_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="momentun"):
        MLPGridSearchCV(classifier(), {"momentun": [0.1]}).fit(*IRIS)


@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
def test_every_training_warns_as_if_it_were_alone():
    with pytest.warns(ConvergenceWarning) as caught:
        MLPGridSearchCV(classifier(), {"alpha": [0.1, 1.0]}, cv=3, refit=False).fit(*IRIS)

    assert len([w for w in caught if w.category is ConvergenceWarning]) == 6


def test_ctrl_c_ends_the_search_and_all_its_threads(monkeypatch):
    n_before = threading.active_count()
    n_scored = 0

    def score(estimator, X, y):
        nonlocal n_scored
        n_scored += 1
        if n_scored == 2:
            raise KeyboardInterrupt
        return 0.0

    estimator = classifier(max_iter=100_000, tol=0.0, n_iter_no_change=100_000)
    grid = {"max_iter": [1, 1, 100_000, 100_000, 100_000]}
    with pytest.raises(KeyboardInterrupt):
        MLPGridSearchCV(estimator, grid, scoring=score, n_jobs=2, cv=[(range(75), [99])]).fit(*IRIS)

    assert threading.active_count() <= n_before + 2  # idle ones, which wait for other work


def test_memory_holds_few_trainings_at_a_time(monkeypatch):
    prepared = finished = most = 0
    prepare, finish = _pack.Job.prepare, _pack.Job.finish

    def noted_prepare(job, *args):
        nonlocal prepared, most
        prepared += 1
        most = max(most, prepared - finished)
        prepare(job, *args)

    def noted_finish(job):
        nonlocal finished
        finished += 1
        finish(job)

    monkeypatch.setattr(_pack.Job, "prepare", noted_prepare)
    monkeypatch.setattr(_pack.Job, "finish", noted_finish)

    MLPGridSearchCV(classifier(), {"alpha": list(np.linspace(0, 1, 8))}, n_jobs=2).fit(*IRIS)

    assert prepared == 40
    assert most <= 2 + 2


def test_scikit_learns_own_searches_stay_as_they_are():
    from sklearn.model_selection import _search

    assert _search.GridSearchCV.fit is not MLPGridSearchCV.fit
    assert _search.Parallel is not _tasks.Pack


def test_a_search_can_be_cloned_pickled_and_searched_itself():
    import pickle

    from sklearn.base import clone
    from sklearn.model_selection import cross_val_score

    search = MLPGridSearchCV(classifier(), {"alpha": [0.1, 1.0]}, cv=2)
    assert clone(search).get_params()["cv"] == 2
    fitted = pickle.loads(pickle.dumps(search.fit(*IRIS)))
    np.testing.assert_array_equal(fitted.predict(IRIS[0]), search.predict(IRIS[0]))

    theirs = GridSearchCV(classifier(), {"alpha": [0.1, 1.0]}, cv=2)
    found = cross_val_score(search, *IRIS, cv=3)

    np.testing.assert_array_equal(found, cross_val_score(theirs, *IRIS, cv=3))
