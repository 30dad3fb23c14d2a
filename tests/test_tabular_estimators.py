"""TabularClassifier and TabularRegressor: from raw tables to predictions."""

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("narwhals")
pytest.importorskip("polars")

from sklearn.model_selection import cross_val_score
from tabular_support import SPECIES, birds

from fastmlp.tabular import METHODS, TableEncoder, TabularClassifier, TabularRegressor

pytestmark = pytest.mark.filterwarnings("ignore:the column 'ring' is left out:UserWarning")


@pytest.fixture(scope="module")
def classifier():
    frame, species, _ = birds()
    return TabularClassifier(random_state=0).fit(frame, species)


def test_classes_are_predicted_from_a_raw_table(classifier):
    frame, species, _ = birds(seed=1)

    predicted = classifier.predict(frame)

    assert classifier.classes_.tolist() == list(SPECIES)
    assert np.mean(predicted == species) > 0.8


def test_probabilities_sum_to_one(classifier):
    frame, _, _ = birds(seed=1)

    probabilities = classifier.predict_proba(frame)

    assert probabilities.shape == (160, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_numbers_are_predicted_in_their_own_units():
    frame, _, grams = birds()
    new, _, expected = birds(seed=1)

    regressor = TabularRegressor(random_state=0).fit(frame, grams)

    assert regressor.score(new, expected) > 0.8


def test_the_summary_tells_how_each_column_was_read(classifier):
    lines = classifier.summary().splitlines()

    assert lines[0].startswith("ring: left out, a different text in nearly every row")
    assert lines[1:3] == ["span: number, 15 missing", "nest: category, 3 texts, 12 missing"]
    assert lines[3].startswith("seen: date as year, month, day, weekday, number")
    assert lines[4] == "adult: category, 2 texts"
    assert lines[5].startswith("4 networks mixed: validation accuracy ")


def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads():
    frame, species, _ = birds(80)
    probabilities = [
        TabularClassifier(n_ensemble=3, n_threads=n_threads, random_state=5)
        .fit(frame, species)
        .predict_proba(frame)
        for n_threads in (1, 2)
    ]

    np.testing.assert_array_equal(*probabilities)


def test_the_default_is_two_networks_of_each_of_two_kinds(classifier):
    networks = [row for row in classifier.leaderboard_ if row["model"] != "ensemble"]

    kinds = sorted(row["settings"].split()[0] for row in networks)

    assert kinds == ["RealMLP-TD", "RealMLP-TD", "plain", "plain"]
    assert sum(row["weight"] for row in networks) == pytest.approx(1, abs=1e-3)


def test_an_ensemble_averages_its_networks():
    frame, species, _ = birds(80)

    ensemble = TabularClassifier("realmlp-td-s", n_ensemble=3, random_state=5).fit(frame, species)

    inputs = ensemble.encoder_.transform(frame)
    alone = [recipe.predict(inputs) for recipe in ensemble._model.recipes]
    assert len(alone) == 3
    np.testing.assert_allclose(ensemble.predict_proba(frame), np.mean(alone, axis=0), rtol=1e-12)


def test_folds_give_predictions_of_networks_that_did_not_see_a_row():
    frame, _, grams = birds(90)

    regressor = TabularRegressor("realmlp-td-s", n_cv=3, random_state=0).fit(frame, grams)

    held_out = regressor.out_of_fold_
    error = np.sqrt(np.mean((held_out - grams) ** 2))
    assert held_out.shape == (90,)
    assert regressor.validation_score_ == pytest.approx(error)
    assert len(regressor.leaderboard_) == 4


def test_rows_that_no_network_left_out_have_no_held_out_prediction():
    frame, species, _ = birds()

    classifier = TabularClassifier("realmlp-td-s", random_state=0).fit(frame, species)

    known = ~np.isnan(classifier.out_of_fold_).any(axis=1)

    assert known.sum() == pytest.approx(32, abs=2)


def test_the_leaderboard_has_the_best_first():
    frame, species, _ = birds(80)

    board = TabularClassifier(n_ensemble=4, random_state=1).fit(frame, species).leaderboard_

    scores = [row["accuracy"] for row in board]
    assert len(board) == 5
    assert scores == sorted(scores, reverse=True)
    assert {"model", "epochs", "best_epoch", "seconds"} < board[0].keys()


def test_given_validation_rows_decide():
    frame, species, _ = birds(80)
    val, val_species, _ = birds(40, seed=2)

    fitted = TabularClassifier(n_ensemble=1, random_state=0)
    fitted.fit(frame, species, val, val_species)

    accuracy = np.mean(fitted.predict(val) == val_species)
    assert fitted.validation_score_ == pytest.approx(accuracy)
    assert np.isnan(fitted.out_of_fold_).all()


@pytest.mark.parametrize("metric", ["balanced_accuracy", "roc_auc", "log_loss"])
def test_another_metric_decides_which_epoch_is_the_best(metric):
    frame, species, _ = birds(80)

    fitted = TabularClassifier(metric=metric, n_ensemble=1, random_state=0).fit(frame, species)

    member = fitted._held_out[0].members[0]
    sign = -1 if metric == "log_loss" else 1
    assert sign * fitted.validation_score_ == pytest.approx(max(member.history["val_score"]))


@pytest.mark.parametrize(
    ("metric", "column", "best"), [(None, "val_loss", np.min), ("accuracy", "val_accuracy", np.max)]
)
def test_the_accuracy_decides_among_epochs_only_if_it_is_asked_for(metric, column, best):
    frame, species, _ = birds(80)

    fitted = TabularClassifier(metric=metric, n_ensemble=1, random_state=0).fit(frame, species)

    history = fitted._held_out[0].members[0].history
    assert history.best_epoch == np.flatnonzero(history[column] == best(history[column]))[-1]


def test_columns_that_matter_have_importance(classifier):
    importances = dict(
        zip(classifier.feature_names_in_, classifier.feature_importances_, strict=True)
    )

    assert importances["ring"] == 0
    assert max(importances, key=importances.get) == "span"
    assert importances["span"] > 0.1


def test_class_weights_shift_the_decision():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 1)), rng.random(300) < 0.3

    plain, shifted = (
        TabularClassifier(n_ensemble=1, class_weight=weight, random_state=0)
        .fit(X, y)
        .predict(X)
        .mean()
        for weight in (None, {True: 20.0, False: 1.0})
    )

    assert shifted > plain + 0.3


def test_rows_of_weight_zero_do_not_matter():
    frame, species, _ = birds(80)
    wrong = species.copy()
    wrong[60:] = "wren"
    weight = np.r_[np.ones(60), np.zeros(20)]

    first, second = (
        TabularClassifier(n_ensemble=1, random_state=0)
        .fit(frame, y, sample_weight=weight)
        .predict_proba(frame)
        for y in (species, wrong)
    )

    np.testing.assert_array_equal(first, second)


def test_a_time_limit_that_is_too_short_leaves_one_network_of_one_epoch():
    frame, species, _ = birds(80)

    fitted = TabularClassifier(time_limit=1e-9, n_threads=1, random_state=0)
    with pytest.warns(UserWarning, match="no better than predicting the most frequent class: a lo"):
        fitted.fit(frame, species)

    assert [row["epochs"] for row in fitted.leaderboard_] == [1]


@pytest.mark.filterwarnings("ignore:in 1e-09 s the model became no better")
@pytest.mark.parametrize("method", METHODS)
def test_no_time_at_all_still_leaves_a_model(method):
    frame, _, grams = birds(60)

    fitted = TabularRegressor(method, n_cv=3, time_limit=1e-9, random_state=0).fit(frame, grams)

    assert np.isfinite(fitted.predict(frame)).all()
    assert {row["epochs"] for row in fitted.leaderboard_ if row["model"] != "ensemble"} == {1}


@pytest.fixture(scope="module")
def pack():
    frame, species, _ = birds(80)
    frame_val, species_val, _ = birds(60, seed=1)
    estimator = TabularClassifier("pack", n_ensemble=3, random_state=0)
    return estimator.fit(frame, species, frame_val, species_val)


def test_a_pack_predicts_the_weighted_mean_of_its_networks(pack):
    frame, _, _ = birds(30, seed=2)
    inputs = pack.encoder_.transform(frame)
    alone = [recipe.predict(inputs) for recipe in pack._model.recipes]

    expected = np.average(alone, axis=0, weights=pack._model.weights)

    np.testing.assert_allclose(pack.predict_proba(frame), expected, rtol=1e-12)


def test_the_leaderboard_of_a_pack_lists_all_candidates(pack):
    board = [row for row in pack.leaderboard_ if row["model"] != "ensemble"]

    assert sorted(row["model"] for row in board) == ["pack 1", "pack 2", "pack 3"]
    assert len({row["settings"] for row in board}) == 3
    assert sum(row["weight"] for row in board) == pytest.approx(1, abs=1e-3)
    assert sum(row["weight"] > 0 for row in board) == len(pack._model.recipes)


def test_the_networks_of_a_pack_are_validated_together(pack):
    frame_val, species_val, _ = birds(60, seed=1)

    assert pack.validation_score_ == pytest.approx(pack.score(frame_val, species_val))
    assert pack.feature_importances_.min() < 0.1 < pack.feature_importances_.max()


def test_the_encoder_can_have_other_settings():
    frame, species, _ = birds(80)

    fitted = TabularClassifier(encoder=TableEncoder(drop=["seen"]), random_state=0).fit(
        frame, species
    )

    assert "seen: left out, as asked" in fitted.summary()


def test_an_array_of_the_same_columns_can_be_predicted(classifier):
    frame, _, _ = birds(20, seed=1)
    array = np.array(frame.rows(), object)

    with pytest.warns(UserWarning, match="does not have valid feature names"):
        predicted = classifier.predict_proba(array)

    np.testing.assert_array_equal(predicted, classifier.predict_proba(frame))


def test_scikit_learns_cross_validation_takes_frames():
    pandas = pytest.importorskip("pandas")
    frame, species, _ = birds(90)
    table = pandas.DataFrame(frame.to_dict(as_series=False))

    scores = cross_val_score(
        TabularClassifier("realmlp-td-s", random_state=0), table, species, cv=3
    )

    assert scores.min() > 0.5


@pytest.mark.parametrize(
    ("arguments", "y", "message"),
    [
        ({"method": "tabnet"}, SPECIES * 4, "The 'method' parameter of TabularClassifier must be"),
        ({"metric": "rmse"}, SPECIES * 4, "The 'metric' parameter of TabularClassifier must be"),
        ({}, ["finch"] * 12, "y has only one class, .*'finch'"),
        ({}, [*SPECIES * 3, "finch", None, "wren"], r"y has no class at \[10\]"),
    ],
)
def test_wrong_arguments_are_refused(arguments, y, message):
    frame, _, _ = birds(12)

    with pytest.raises(ValueError, match=message):
        TabularClassifier(**arguments).fit(frame, y)


def test_folds_and_given_validation_rows_exclude_each_other():
    frame, _, grams = birds(12)

    with pytest.raises(ValueError, match="n_cv validates each network with a fold of X"):
        TabularRegressor(n_cv=3).fit(frame, grams, frame, grams)


def test_no_rows_have_no_predictions(classifier):
    frame, _, _ = birds(20)

    assert classifier.predict(frame[:0]).shape == (0,)
